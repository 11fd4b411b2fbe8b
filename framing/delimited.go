package framing

import (
	"bytes"
	"time"
)

// Framings in which a delimiter ends a message [F-4]. Their messages do not
// depend on how the network cuts the bytes.
//
// A body that holds the delimiter, or to [LF] one that ends with a CR (which
// the receiver would strip), is refused with [ErrDelimiter].
var (
	// LF ends messages with a line feed, and strips one CR before it from what arrives.
	LF Framing = lf
	// CRLF ends messages with a carriage return and a line feed; one of them alone is text.
	CRLF Framing = crlf
	// CR ends messages with a carriage return.
	CR Framing = cr
	// NUL ends messages with a zero byte.
	NUL Framing = nul
)

type delimited uint8

const (
	lf delimited = iota
	crlf
	cr
	nul
)

// ends holds the delimiters in the order of the constants.
var ends = [...]string{lf: "\n", crlf: "\r\n", cr: "\r", nul: "\x00"}

func (d delimited) New(max int) Codec {
	return &delimitedCodec{max: limitOf(max), kind: d}
}

func (d delimited) String() string {
	return [...]string{lf: "lf", crlf: "crlf", cr: "cr", nul: "nul"}[d]
}

// cut finds the first delimiter in pending and b together, of which pending
// holds none. The body ends before b[end], or before the last byte of pending where end
// is -1; b[next:] is what follows. next is 0 where there is no delimiter.
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
		if i := bytes.Index(b, []byte(ends[crlf])); i >= 0 {
			return i, i + 2
		}
		return 0, 0
	}
	if i := bytes.IndexByte(b, ends[d][0]); i >= 0 {
		return i, i + 1
	}
	return 0, 0
}

// open is how long the body of an unfinished message is at least: a CR
// at its end may be a part of the delimiter.
func (d delimited) open(pending, b []byte) int {
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

// appendTo appends body and its delimiter to dst [F-13].
func (d delimited) appendTo(dst, body []byte) ([]byte, error) {
	return appendEnded(dst, body, ends[d])
}

// appendEnded appends body and end, which is not empty, unless a receiver that
// splits at the first end would take something else for the body.
func appendEnded(dst, body []byte, end string) ([]byte, error) {
	if end == "\n" && len(body) > 0 && body[len(body)-1] == '\r' {
		return dst, ErrDelimiter
	}
	if len(end) == 1 {
		if bytes.IndexByte(body, end[0]) >= 0 {
			return dst, ErrDelimiter
		}
		return append(append(dst, body...), end...), nil
	}
	// The end of the body and the beginning of the delimiter may
	// together be a delimiter too, so both are searched.
	whole := append(append(dst, body...), end...)
	if bytes.Index(whole[len(dst):], []byte(end)) != len(body) {
		return dst, ErrDelimiter
	}
	return whole, nil
}

// body is the message that ends before b[end], as cut has said: head and then tail.
func (d delimited) body(pending, b []byte, end int) (head, tail []byte) {
	if end < 0 {
		return pending[:len(pending)-1], nil
	}
	return pending, b[:end]
}

type delimitedCodec struct {
	buf     []byte // of the unfinished message; nil if there is none
	max     int
	kind    delimited
	tooLong bool
}

func (c *delimitedCodec) Feed(dst []Message, b []byte) ([]Message, error) {
	if c.tooLong {
		return dst, ErrTooLong
	}
	for len(b) > 0 {
		end, next := c.kind.cut(c.buf, b)
		if next == 0 {
			if c.kind.open(c.buf, b) > c.max {
				return dst, c.fail()
			}
			c.buf = extend(c.buf, b, c.max+1)
			break
		}
		if len(c.buf)+end > c.max {
			return dst, c.fail()
		}
		dst = append(dst, Message{Body: join(c.kind.body(c.buf, b, end)), Mark: c.kind.mark(next - end)})
		c.buf, b = nil, b[next:]
	}
	return dst, nil
}

// fail ends the codec: what it held is of no use any more [F-3].
func (c *delimitedCodec) fail() error {
	c.buf, c.tooLong = nil, true
	return ErrTooLong
}

func (c *delimitedCodec) Patience() (quiet, age time.Duration) { return 0, 0 }

func (c *delimitedCodec) Pause(dst []Message, _, _ time.Duration) []Message { return dst }

func (c *delimitedCodec) End(dst []Message) ([]Message, error) {
	if c.tooLong {
		return dst, ErrTooLong
	}
	if body := c.Rest(); body != nil {
		dst = append(dst, unfinishedLine(body, c.max))
	}
	return dst, nil
}

// unfinishedLine is the message of a line without an end. The CR by which it may exceed the limit was kept as half a
// line end, and is none of the body.
func unfinishedLine(line []byte, limit int) Message {
	if len(line) > limit {
		return Message{Body: join(line[:limit], nil), Mark: MarkCR}
	}
	return Message{Body: exact(line)}
}

func (c *delimitedCodec) Rest() []byte {
	rest := c.buf
	c.buf = nil
	return rest
}

func (c *delimitedCodec) Append(dst, body []byte) ([]byte, error) {
	return c.kind.appendTo(dst, body)
}

func (c *delimitedCodec) AppendFarewell(dst, body []byte) ([]byte, error) {
	return c.kind.appendTo(dst, body)
}

func (c *delimitedCodec) Sent() {}

func (c *delimitedCodec) Gap() time.Duration { return 0 }
