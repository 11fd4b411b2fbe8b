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

// A Line is the content of one line: a Hello, Reply, Event or Request.
type Line interface {
	json.Marshaler
	line()
}

func (Hello) line()   {}
func (Reply) line()   {}
func (Event) line()   {}
func (Request) line() {}

// Decode decodes a line of a server. A line that is no Hello and no Reply is an Event, whose Type may be unknown.
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

// MaxLine returns the longest line, in bytes, that a message of maxMessage bytes can make. The line holds the text, in which a
// byte may become six, the bytes in base64, and other fields. If maxMessage is not above zero, the result is for 1 MiB,
// which is the default limit of a message.
func MaxLine(maxMessage int) int {
	if maxMessage <= 0 {
		return DefaultMaxLine
	}
	return 8*maxMessage + 1<<20
}

// DefaultMaxLine is MaxLine for messages of 1 MiB, in bytes.
const DefaultMaxLine = 9 << 20

// keepLine is the largest buffer, in bytes, that a Reader keeps for the next line.
const keepLine = 64 << 10

// A LineError is the error for one line. The next line can still be read.
type LineError struct {
	// Number is the number of the line. The first line is 1. Empty lines count.
	Number int
	// ID is the ID of the request, if it could be read.
	ID string
	// Err is the fault of the line.
	Err error
}

// maxErrorText is the longest text of a LineError's Err that is shown, in bytes. The text may quote the line.
const maxErrorText = 200

func (e *LineError) Error() string {
	s := e.Err.Error()
	if len(s) > maxErrorText {
		s = strings.ToValidUTF8(s[:maxErrorText], "") + "…"
	}
	return fmt.Sprintf("line %d: %s", e.Number, s)
}

func (e *LineError) Unwrap() error { return e.Err }

// A Reader reads lines. Only one goroutine at a time may use it. It may read more bytes than it has returned.
type Reader struct {
	from     *bufio.Reader
	max      int
	line     []byte // the current line, or the part of it that was read before an error
	returned bool   // line was returned and may be overwritten
	skipping bool   // the rest of a line that is too long is being skipped
	number   int
}

// NewReader returns a Reader that reads from r. A line without its end may have at most maxLine bytes. If maxLine is not above
// zero, it is DefaultMaxLine.
func NewReader(r io.Reader, maxLine int) *Reader {
	if maxLine <= 0 {
		maxLine = DefaultMaxLine
	}
	return &Reader{from: bufio.NewReader(r), max: maxLine}
}

// Next reads a line of a server: a Hello, Reply or Event. The last line needs no end.
//
// A *LineError concerns one line only. At the end of the input the error is io.EOF. After any other error, such as one of a
// deadline, no byte is lost and Next may be called again.
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

// Request reads a request of a client. Its errors are those of Next.
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

// Await waits until a byte can be read. It reads no line. The error is the error of the input, such as io.EOF.
func (r *Reader) Await() error {
	_, err := r.from.Peek(1)
	return err
}

// text returns the next line that is not empty, after it has checked that it is text.
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

// raw returns the next line without its end. The line is valid until the next call.
func (r *Reader) raw() ([]byte, error) {
	if r.returned {
		r.returned = false
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
			r.returned = true
			r.number++
			return bytes.TrimSuffix(r.line, []byte{'\n'}), nil
		}
		return nil, err
	}
}

// A Writer writes lines. Several goroutines may use it at the same time. Each line is one call of the underlying Write.
type Writer struct {
	mu  sync.Mutex // held during a Write; guards err
	to  io.Writer
	err error // the first error of to
}

// NewWriter returns a Writer that writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{to: w} }

// WriteLine writes one line. After an error of the underlying writer, a part of a line may have been written. All later calls
// therefore write nothing and return the same error.
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
