package framing

import (
	"bytes"
	"time"
)

// Framings in which a delimiter ends each message. Messages do not depend on how the network cuts the bytes.
//
// A body that holds the delimiter is refused with [ErrDelimiter]. [LF] also refuses a body that ends with a CR, because the
// receiver would strip it.
var (
	// LF ends messages with a line feed. From messages that arrive it strips one CR before the line feed.
	LF Framing = lf
	// CRLF ends messages with a carriage return and a line feed. Either of them alone is text.
	CRLF Framing = crlf
	// CR ends messages with a carriage return.
	CR Framing = cr
	// NUL ends messages with a zero byte.
	NUL Framing = nul
)

// A delimited is a framing with a delimiter, and its encoder.
type delimited uint8

const (
	lf delimited = iota
	crlf
	cr
	nul
)

func (d delimited) New(max int) (Decoder, Encoder) {
	return &delimitedDecoder{max: limitOf(max), kind: d}, d
}

func (d delimited) String() string { return endings[d].name }

func (d delimited) WireEncoding(bool) WireEncoding { return &endings[d] }

func (d delimited) Gap(int) time.Duration { return 0 }

// cut finds the first delimiter in pending and b together; pending alone holds none. The body ends before b[end], or before the
// last byte of pending if end is -1. The next message begins at b[next]. If there is no delimiter, next is 0.
func (d delimited) cut(pending, b []byte) (end, next int) {
	if len(b) == 0 {
		return 0, 0
	}
	afterCR := len(pending) > 0 && pending[len(pending)-1] == '\r'
	switch d {
	case lf:
		i := bytes.IndexByte(b, '\n')
		switch {
		case i < 0:
			return 0, 0
		case i == 0 && afterCR, i > 0 && b[i-1] == '\r':
			return i - 1, i + 1
		}
		return i, i + 1
	case crlf:
		if afterCR && b[0] == '\n' {
			return -1, 1
		}
		if i := bytes.Index(b, []byte("\r\n")); i >= 0 {
			return i, i + 2
		}
		return 0, 0
	}
	if i := bytes.IndexByte(b, endings[d].bytes[0]); i >= 0 {
		return i, i + 1
	}
	return 0, 0
}

// body returns the two parts of the message that ends before b[end]; end comes from cut.
func (d delimited) body(pending, b []byte, end int) (head, tail []byte) {
	if end < 0 {
		return pending[:len(pending)-1], nil
	}
	return pending, b[:end]
}

// minBody returns the least length of the body of an unfinished message. A CR at its end may be a part of the delimiter.
func (d delimited) minBody(pending, b []byte) int {
	n := len(pending) + len(b)
	if d != lf && d != crlf || n == 0 {
		return n
	}
	last := b
	if len(last) == 0 {
		last = pending
	}
	if last[len(last)-1] == '\r' {
		n--
	}
	return n
}

type delimitedDecoder struct {
	untimed
	buffer
	max     int
	kind    delimited
	tooLong bool
}

var _ TimedDecoder = (*delimitedDecoder)(nil)

func (d *delimitedDecoder) Feed(dst []Message, b []byte) ([]Message, error) {
	if d.tooLong {
		return dst, ErrTooLong
	}
	for len(b) > 0 {
		end, next := d.kind.cut(d.buf, b)
		if next == 0 {
			if d.kind.minBody(d.buf, b) > d.max {
				return dst, d.fail()
			}
			d.buf = extend(d.buf, b, d.max+1)
			break
		}
		if len(d.buf)+end > d.max {
			return dst, d.fail()
		}
		dst = append(dst, Message{Body: join(d.kind.body(d.buf, b, end)), Mark: d.kind.mark(next - end)})
		d.buf, b = nil, b[next:]
	}
	return dst, nil
}

// fail frees the buffer, which is of no use any more.
func (d *delimitedDecoder) fail() error {
	d.buf, d.tooLong = nil, true // [F-3]
	return ErrTooLong
}

func (d *delimitedDecoder) End(dst []Message) ([]Message, error) {
	if d.tooLong {
		return dst, ErrTooLong
	}
	if line := d.Rest(); line != nil {
		dst = append(dst, unfinishedLine(line, d.max))
	}
	return dst, nil
}

// unfinishedLine returns the message of a line without an end. The line is one byte longer than the limit if its CR was kept as half a
// line end. That CR is no part of the body.
func unfinishedLine(line []byte, limit int) Message {
	if len(line) > limit {
		return Message{Body: join(line[:limit], nil), Mark: MarkCR}
	}
	return Message{Body: exact(line)}
}
