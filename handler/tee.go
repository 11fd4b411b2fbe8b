package handler

import (
	"io"
	"strconv"
	"sync"
	"time"
)

// teeTime is RFC 3339 with microseconds.
const teeTime = "2006-01-02T15:04:05.000000Z07:00"

// teeKeep is the longest record whose buffer is kept for the next one.
const teeKeep = 256 << 10

// A Tee records what passes through a [Forward], piece by piece, in the order in which it passed; any number of conversations, and of
// Forwards, may share one. Make it with NewTee; nil records nothing.
//
// A record is a line, the piece's bytes as they are, and a line end (LF), which is not one of them:
//
//	2026-11-22T18:03:09.481516Z 3 > 17
//	GET / HTTP/1.1\r\n\n
//
// The line has, with a blank between them: the time, in UTC (RFC 3339, always six digits of a second); the conversation's number;
// > for what goes to the target, < for what comes from it; and how many bytes follow. A reader that takes exactly as many needs no escapes.
// Where pieces begin and end says only how they came. A piece of no bytes is the end of that direction (FIN); a conversation in
// which one of the two is missing was cut.
//
// A piece is recorded before it is passed on: what passed is recorded, but the last piece of a conversation that
// was cut may not have arrived. What cannot be recorded does not pass: when a write fails, that conversation ends as `handler-failed`, with a
// [*TeeError], and so do all others as soon as something is to pass, and each new one; for the record may end inside a piece.
type Tee struct {
	mu  sync.Mutex
	w   io.Writer
	buf []byte
	err error
}

// A TeeError says why a Tee cannot record.
type TeeError struct {
	Err error // of its writer
}

func (e *TeeError) Error() string { return "cannot record what passes: " + e.Err.Error() }

func (e *TeeError) Unwrap() error { return e.Err }

// NewTee records to w. Each piece is one Write; those of all conversations wait for it, so it
// should be a file and not a slow peer.
func NewTee(w io.Writer) *Tee { return &Tee{w: w} }

// Err is the *TeeError after which the Tee records nothing more; nil while it records.
func (t *Tee) Err() error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// record writes one piece.
func (t *Tee) record(id uint64, mark byte, p []byte) error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return t.err
	}
	b := time.Now().UTC().AppendFormat(t.buf[:0], teeTime)
	b = append(b, ' ')
	b = strconv.AppendUint(b, id, 10)
	b = append(b, ' ', mark, ' ')
	b = strconv.AppendInt(b, int64(len(p)), 10)
	b = append(b, '\n')
	b = append(b, p...)
	b = append(b, '\n')
	if t.buf = b; cap(b) > teeKeep {
		t.buf = nil
	}
	n, err := t.w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		t.err = &TeeError{err}
	}
	return t.err
}
