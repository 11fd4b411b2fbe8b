package handler

import (
	"io"
	"strconv"
	"sync"
	"time"
)

// trafficTime is RFC 3339 with six digits of a second.
const trafficTime = "2006-01-02T15:04:05.000000Z07:00"

// trafficKeep is the length up to which the buffer of a record is kept for the next one: 256 KiB.
const trafficKeep = 256 << 10

// A TrafficLog records the bytes that pass through a [Forward], piece by piece and in the order in which they passed. Any number of
// conversations and of Forwards may share one. Make it with [NewTrafficLog]. A nil TrafficLog records nothing.
//
// A record is a line, the bytes of the piece as they are, and a line end (LF) that is not part of them:
//
//	2026-11-22T18:03:09.481516Z 3 > 17
//	GET / HTTP/1.1\r\n\n
//
// The line has four fields with a blank between them: the time in UTC (RFC 3339 with six digits of a second); the number of the conversation; >
// for bytes to the target, < for bytes from it; and the number of bytes that follow. A reader that takes exactly that number needs no escapes.
// The limits of a piece say only how the bytes came. A piece of 0 bytes is the end of that direction (FIN). A conversation without both of
// these was cut.
//
// A piece is recorded before it is passed on. So everything that passed is recorded, but the last piece of a conversation that was cut may
// not have arrived. Bytes that cannot be recorded do not pass. When a write fails, its conversation ends as `handler-failed` with a
// [*TrafficLogError]. All others do so as soon as bytes are to pass, and each new one at once, because the record may end inside a piece.
type TrafficLog struct {
	mu  sync.Mutex
	w   io.Writer
	buf []byte
	err error
}

// A TrafficLogError says why a TrafficLog cannot record.
type TrafficLogError struct {
	Err error // the error of the writer
}

func (e *TrafficLogError) Error() string { return "cannot record what passes: " + e.Err.Error() }

func (e *TrafficLogError) Unwrap() error { return e.Err }

// NewTrafficLog returns a TrafficLog that writes to w. Each piece is one Write, and all conversations wait for it, so w should be a file and
// not a slow peer.
func NewTrafficLog(w io.Writer) *TrafficLog { return &TrafficLog{w: w} }

// Err returns the [*TrafficLogError] after which nothing more is recorded; nil while the TrafficLog records.
func (t *TrafficLog) Err() error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// record writes one piece.
func (t *TrafficLog) record(id uint64, mark byte, p []byte) error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return t.err
	}
	b := time.Now().UTC().AppendFormat(t.buf[:0], trafficTime)
	b = append(b, ' ')
	b = strconv.AppendUint(b, id, 10)
	b = append(b, ' ', mark, ' ')
	b = strconv.AppendInt(b, int64(len(p)), 10)
	b = append(b, '\n')
	b = append(b, p...)
	b = append(b, '\n')
	if t.buf = b; cap(b) > trafficKeep {
		t.buf = nil
	}
	n, err := t.w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		t.err = &TrafficLogError{err}
	}
	return t.err
}
