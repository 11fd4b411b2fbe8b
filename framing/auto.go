package framing

import (
	"bytes"
	"sync/atomic"
	"time"
)

// Auto learns from the peer what ends a message: a line end, or a pause. It sends lines that end with LF until the peer has
// sent something, and then ends its messages as the peer does: with CRLF, with LF or with nothing.
//
// A first burst of bytes that ends with a line end, or holds a CRLF, makes the peer a line peer. Another one makes it a bare
// peer: its messages end as those of [Raw] do, until a burst ends with a line end. A line peer's unfinished line is shown as a
// partial message after [Quiet], and is a message after [LineQuiet].
//
// Messages depend on the bytes and on the pauses between them, not on how the network cuts the bytes. After the first lines the
// decoder waits for one pause, even if no message is unfinished, to learn whether they were a whole burst. Later it needs no
// clock while no message is unfinished.
//
// Every LF that Auto sends is a line end, also to a peer that uses CRLF. A body that holds an LF is refused with [ErrDelimiter],
// unless the peer is bare. The encoder is a [Learner].
var Auto Framing = auto{}

const (
	// maxPartial is the greatest length of an unfinished line that is shown, in bytes. A prompt is shorter, and each partial
	// message copies the whole line.
	maxPartial = 64 << 10
	// spacedUnknown is the number of messages that are sent with a gap while the peer has sent nothing. It is enough for a
	// person, and too small to slow a program down.
	spacedUnknown = 16
)

type auto struct{}

func (auto) New(max int) (Decoder, Encoder) {
	d := &autoDecoder{max: limitOf(max)}
	return d, &d.encoder
}

func (auto) String() string { return "auto" }

// Kinds of peers, for the decoder.
const (
	unknownPeer uint8 = iota
	linePeer
	barePeer
)

// Styles of sending, for the encoder. The first line end decides, because an answer may leave before the burst has ended.
const (
	sendUnknown uint32 = iota
	sendLF
	sendCRLF
	sendBare
)

type autoDecoder struct {
	buffer
	max      int
	encoding Encoding // nil: UTF-8
	shown    uint32   // length of buf when it was shown last, at most maxPartial
	encoder  autoEncoder
	burst    burst // unused for a line peer
	peer     uint8
	tooLong  bool
}

var _ TimedDecoder = (*autoDecoder)(nil)

func (d *autoDecoder) SetEncoding(e Encoding) {
	d.encoding, d.burst = e, burst{}
	d.burst.add(e, d.buf)
}

func (d *autoDecoder) Feed(dst []Message, b []byte) ([]Message, error) {
	if d.tooLong {
		return dst, ErrTooLong
	}
	if d.peer != linePeer {
		d.burst.add(d.encoding, b)
	}
	for len(b) > 0 && d.peer != barePeer {
		end, next := lf.cut(d.buf, b)
		size := len(d.buf) + end
		if next == 0 {
			size = lf.minBody(d.buf, b)
		}
		switch {
		case size > d.max && d.peer == linePeer:
			d.release()
			d.tooLong = true
			return dst, ErrTooLong
		case size > d.max:
			d.learn(barePeer, sendBare) // no line so far, and no room to wait for its end [F-8]
		case next == 0:
			d.buf = extend(d.buf, b, d.max+1)
			return dst, nil
		default:
			d.learnEnd(next - end)
			dst = append(dst, Message{Body: join(lf.body(d.buf, b, end)), Mark: lf.mark(next - end)})
			d.release()
			b = b[next:]
		}
	}
	if d.peer == barePeer {
		dst, d.buf = cutPieces(dst, d.buf, b, min(d.max, MaxBare), d.encoding)
	}
	return dst, nil
}

// learnEnd learns from a line end of size bytes.
func (d *autoDecoder) learnEnd(size int) {
	style := sendLF
	if size == len("\r\n") {
		style = sendCRLF
	}
	if d.encoder.style.Load() != style {
		d.encoder.style.Store(style)
	}
}

func (d *autoDecoder) learn(peer uint8, style uint32) {
	d.peer = peer
	d.encoder.style.Store(style)
}

// hasUnknownLines reports whether the peer has sent lines, and it is not known whether they were a whole burst.
func (d *autoDecoder) hasUnknownLines() bool {
	return d.peer == unknownPeer && d.encoder.style.Load() != sendUnknown
}

func (d *autoDecoder) Patience() (quiet, age time.Duration) {
	switch {
	case d.buf == nil && d.hasUnknownLines():
		return Quiet, 0 // does this burst end with its line? [F-7]
	case d.buf == nil:
		return 0, 0
	case d.peer != linePeer:
		return barePatience(d.buf, d.burst.inCharacter())
	case d.canShow():
		return Quiet, 0
	}
	return LineQuiet, 0
}

// canShow reports whether the unfinished line has something that was not shown.
func (d *autoDecoder) canShow() bool {
	return len(d.buf) != int(d.shown) && len(d.buf) <= maxPartial && lf.minBody(d.buf, nil) > 0
}

func (d *autoDecoder) Pause(dst []Message, quiet, age time.Duration) []Message {
	switch {
	case quiet >= Quiet && d.peer == linePeer:
		return d.pauseLine(dst, quiet)
	case quiet >= Quiet && (d.buf == nil || !d.burst.inCharacter()):
		return d.endBurst(dst, quiet)
	case age >= MaxAge && d.peer != linePeer && d.buf != nil:
		d.learn(barePeer, sendBare)
		if quiet >= Quiet {
			d.burst = burst{} // age ends a message, but not the burst
		}
		return d.bare(dst)
	}
	return dst
}

// pauseLine is Pause for a line peer.
func (d *autoDecoder) pauseLine(dst []Message, quiet time.Duration) []Message {
	switch {
	case d.buf == nil:
	case quiet >= LineQuiet:
		dst = append(dst, unfinishedLine(d.Rest(), d.max))
	case d.canShow():
		// A CR at the end may be half a line end, and is not shown.
		dst = append(dst, Message{Body: join(d.buf[:lf.minBody(d.buf, nil)], nil), Partial: true})
		d.shown = uint32(len(d.buf))
	}
	return dst
}

// endBurst is Pause for a peer that is no line peer.
func (d *autoDecoder) endBurst(dst []Message, quiet time.Duration) []Message {
	d.burst = burst{}
	switch {
	case d.buf == nil:
		if d.hasUnknownLines() {
			d.peer = linePeer
		}
	case d.peer == unknownPeer && d.encoder.style.Load() == sendCRLF:
		// "Welcome CRLF login: ": a peer that writes CRLF speaks a line protocol, and this is its prompt. [F-7]
		d.peer = linePeer
		return d.pauseLine(dst, quiet)
	case d.buf[len(d.buf)-1] == '\n': // of a bare peer: the lines of others were cut off before [F-10]
		d.peer = linePeer
		for b := d.Rest(); len(b) > 0; {
			end, next := lf.cut(nil, b)
			d.learnEnd(next - end)
			dst = append(dst, Message{Body: join(lf.body(nil, b, end)), Mark: lf.mark(next - end)})
			b = b[next:]
		}
	default:
		d.learn(barePeer, sendBare)
		return d.bare(dst)
	}
	return dst
}

// bare appends the pending bytes as one message, or as two if one would exceed the limit.
func (d *autoDecoder) bare(dst []Message) []Message {
	b := d.release()
	if len(b) > d.max {
		dst = append(dst, Message{Body: join(b[:d.max], nil)})
		b = join(b[d.max:], nil)
	}
	return append(dst, Message{Body: exact(b)})
}

func (d *autoDecoder) End(dst []Message) ([]Message, error) {
	switch {
	case d.tooLong:
		return dst, ErrTooLong
	case d.peer == linePeer:
		return d.pauseLine(dst, LineQuiet), nil
	}
	return d.endBurst(dst, LineQuiet), nil
}

func (d *autoDecoder) Rest() []byte {
	d.burst = burst{}
	return d.release()
}

// release returns the bytes of the unfinished message and forgets them. The burst goes on.
func (d *autoDecoder) release() []byte {
	d.shown = 0
	return d.buffer.Rest()
}

// An autoEncoder is the half of a conversation that sends. The decoder writes what it has learned.
type autoEncoder struct {
	style atomic.Uint32
}

var _ Learner = (*autoEncoder)(nil)

// WireEncoding returns the bare farewell to a peer that has sent nothing. A plain peer compares it as it is; for others the
// half-close that follows ends it.
func (e *autoEncoder) WireEncoding(farewell bool) WireEncoding {
	switch style := e.style.Load(); {
	case style == sendBare, style == sendUnknown && farewell:
		return bare
	case style == sendCRLF:
		return crlfLines{}
	}
	return &endings[lf]
}

func (e *autoEncoder) Gap(sent int) time.Duration {
	switch style := e.style.Load(); {
	case style == sendBare, style == sendUnknown && sent < spacedUnknown:
		return BareGap
	}
	return 0
}

func (e *autoEncoder) Learned() string {
	switch e.style.Load() {
	case sendLF:
		return "lines (LF)"
	case sendCRLF:
		return "lines (CRLF)"
	case sendBare:
		return "bare (no line end)"
	}
	return ""
}

// A crlfLines is the wire encoding of CRLF for a peer that takes LF alone for a line end, too.
type crlfLines struct{}

func (crlfLines) String() string { return endings[crlf].name }

func (crlfLines) Append(dst, body []byte) ([]byte, error) {
	if bytes.IndexByte(body, '\n') >= 0 {
		return dst, ErrDelimiter
	}
	return endings[crlf].Append(dst, body)
}
