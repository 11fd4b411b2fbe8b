package event

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// A Line is what one line holds: Hello, Reply, Event or Request.
type Line interface {
	json.Marshaler
	line()
}

func (Hello) line()   {}
func (Reply) line()   {}
func (Event) line()   {}
func (Request) line() {}

// Decode takes a line that a server wrote. What is neither Hello nor Reply is an Event, of a type that is
// not known here perhaps.
func Decode(line []byte) (Line, error) {
	switch typeOf(line) {
	case typeHello:
		var h Hello
		err := h.UnmarshalJSON(line)
		return h, err
	case typeReply:
		var r Reply
		err := r.UnmarshalJSON(line)
		return r, err
	}
	var e Event
	err := e.UnmarshalJSON(line)
	return e, err
}

// MaxLine is how long a line may be, in bytes, if messages are up to maxMessage: the words, of which each byte may
// become six, the bytes in base64, and room for all else. Zero or less is the default limit of a message, 1 MiB.
func MaxLine(maxMessage int) int {
	if maxMessage <= 0 {
		return DefaultMaxLine
	}
	return 8*maxMessage + 1<<20
}

// DefaultMaxLine is MaxLine of 1 MiB, the longest message if no other limit is given.
const DefaultMaxLine = 9 << 20

// keepLine is how much of a buffer that grew for a long line is kept for the next.
const keepLine = 64 << 10

// A LineError is a line that could not be understood. Reading goes on at the next.
type LineError struct {
	// Number counts lines from 1, empty ones too.
	Number int
	// ID is that of the request, if it could be read.
	ID string
	// Err is what is wrong with it.
	Err error
}

// maxErrorText is how much of what is wrong is told: it may quote the line.
const maxErrorText = 200

func (e *LineError) Error() string {
	s := e.Err.Error()
	if len(s) > maxErrorText {
		s = strings.ToValidUTF8(s[:maxErrorText], "") + "…"
	}
	return fmt.Sprintf("line %d: %s", e.Number, s)
}

func (e *LineError) Unwrap() error { return e.Err }

// A Reader reads lines. One goroutine at a time may use it. It reads ahead.
type Reader struct {
	from     *bufio.Reader
	max      int
	line     []byte
	done     bool // line was given
	skipping bool // the rest of a line that was too long
	number   int
}

// NewReader reads from r lines of up to maxLine bytes without their ends; zero or less is DefaultMaxLine.
func NewReader(r io.Reader, maxLine int) *Reader {
	if maxLine <= 0 {
		maxLine = DefaultMaxLine
	}
	return &Reader{from: bufio.NewReader(r), max: maxLine}
}

// Next reads what a server wrote: Hello, Reply or Event. A *LineError is one line that could not be understood; after any other
// error but io.EOF (a deadline, say) no byte is lost, and Next may be called again. The last line need not be ended.
func (r *Reader) Next() (Line, error) {
	b, err := r.text()
	if err != nil {
		return nil, err
	}
	l, err := Decode(b)
	if err != nil {
		return nil, &LineError{Number: r.number, Err: err}
	}
	return l, nil
}

// Request reads what a client wrote. Errors are as those of Next.
func (r *Reader) Request() (Request, error) {
	b, err := r.text()
	if err != nil {
		return Request{}, err
	}
	var req Request
	if err := req.UnmarshalJSON(b); err != nil {
		return Request{}, &LineError{Number: r.number, ID: req.ID, Err: err}
	}
	return req, nil
}

// Await waits until there is something to read, and reads nothing. The error is the reader's, such as io.EOF.
func (r *Reader) Await() error {
	_, err := r.from.Peek(1)
	return err
}

// text is the next line that is not empty, checked to be text.
func (r *Reader) text() ([]byte, error) {
	for {
		b, err := r.raw()
		if err != nil {
			return nil, err
		}
		if b = bytes.Trim(b, " \t\r"); len(b) == 0 {
			continue
		}
		if err := checkText(b); err != nil {
			return nil, &LineError{Number: r.number, Err: err}
		}
		return b, nil
	}
}

// raw is the next line without its end, good until the next call.
func (r *Reader) raw() ([]byte, error) {
	if r.done {
		r.done = false
		if r.line = r.line[:0]; cap(r.line) > keepLine {
			r.line = nil
		}
	}
	for {
		part, err := r.from.ReadSlice('\n')
		full := errors.Is(err, bufio.ErrBufferFull)
		if r.skipping {
			if r.skipping = err != nil; err != nil && !full {
				return nil, err
			}
			continue
		}
		if len(r.line)+len(bytes.TrimSuffix(part, []byte{'\n'})) > r.max {
			r.line, r.skipping = nil, err != nil
			r.number++
			return nil, &LineError{Number: r.number, Err: fmt.Errorf("%w: more than %d bytes", ErrLineTooLong, r.max)}
		}
		r.line = append(r.line, part...)
		switch {
		case full:
			continue
		case err == nil, errors.Is(err, io.EOF) && len(r.line) > 0:
			r.done = true
			r.number++
			return bytes.TrimSuffix(r.line, []byte{'\n'}), nil
		}
		return nil, err
	}
}

// A Writer writes lines. Several goroutines may use it at the same time: each line is one Write.
type Writer struct {
	mu  sync.Mutex
	to  io.Writer
	err error
}

// NewWriter writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{to: w} }

// WriteLine writes one line. After an error of the writer below, half a line may have been written, so that
// all that follow give the same error and write nothing.
func (w *Writer) WriteLine(l Line) error {
	b, err := l.MarshalJSON()
	if err != nil {
		return err
	}
	b = append(b, '\n')
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		_, w.err = w.to.Write(b)
	}
	return w.err
}
