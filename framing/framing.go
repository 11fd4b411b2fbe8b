// Package framing cuts messages out of a stream of bytes and writes messages into one.
//
// A [Framing] makes a [Decoder] and an [Encoder] for each conversation. The package knows no sockets and no clock:
// duet.Conn owns the clock, and tells a [TimedDecoder] how long the peer has been silent. Read [Framing] first.
package framing

import (
	"errors"
	"time"
)

// DefaultMaxMessage is the limit of a message's length, in bytes, if no other is given.
const DefaultMaxMessage = 1 << 20

// Errors of decoders and encodings.
var (
	// ErrTooLong says that a message is longer than the limit.
	ErrTooLong = errors.New("message too long")
	// ErrDelimiter says that a body holds the delimiter of its framing. It would arrive as several messages.
	ErrDelimiter = errors.New("message holds the delimiter")
	// ErrCut says that the stream ended inside a message that announced its length.
	ErrCut = errors.New("stream ended inside a message")
)

// A Message is one message that was received.
type Message struct {
	// Body is the message without its delimiter or length. It belongs to the receiver: the decoder keeps no reference.
	Body []byte
	// Partial reports whether the message is unfinished, such as a prompt. The next message repeats and continues it.
	// Only Auto makes partial messages.
	Partial bool
	// Mark tells which bytes stood around the body: see [Around].
	Mark Mark
}

// A Framing says how messages are cut out of a stream and written into one. Its values are immutable. Several goroutines may use one
// at the same time.
//
// The framings of this package are [Auto], [Raw], [LF], [CRLF], [CR], [NUL] and [Length]; [WithEOL] changes what one of them sends.
// A program may implement its own.
type Framing interface {
	// New returns the two halves of one conversation. The decoder refuses messages longer than max bytes; zero or less means
	// [DefaultMaxMessage].
	New(max int) (Decoder, Encoder)
	// String returns the framing's name, as [Parse] takes it.
	String() string
}

// A Decoder cuts messages out of the bytes that arrive in one conversation. One goroutine at a time uses it.
//
// If messages depend on pauses between the bytes, the decoder is a [TimedDecoder].
type Decoder interface {
	// Feed takes bytes that have arrived and appends the messages that they complete to dst. It keeps no reference to b.
	// If it returns an error, such as [ErrTooLong], it also returns the messages before the error. Later calls return
	// the error again.
	Feed(dst []Message, b []byte) ([]Message, error)
	// End appends the message that the end of the stream completes to dst. It returns [ErrCut] if the stream ended inside
	// a message that has a length.
	End(dst []Message) ([]Message, error)
	// Rest returns the bytes that were fed and belong to no message yet, and forgets them.
	Rest() []byte
	// Held returns the number of bytes of memory that the unfinished message takes, with the spare room of its buffer. It is
	// called often.
	Held() int
	// Shrink frees that spare room.
	Shrink()
}

// A TimedDecoder is a [Decoder] for which a pause can end a message. All decoders of this package have its methods, but only those of
// [Raw] and [Auto] wait for pauses.
type TimedDecoder interface {
	Decoder
	// Patience returns what the decoder waits for: silence of the length quiet, or the time at which the unfinished message is age old.
	// The caller calls Pause at the earlier of the two. Zero means never.
	Patience() (quiet, age time.Duration)
	// Pause tells the decoder how long the peer has been silent and how old the unfinished message is. It appends the
	// message that this completes, or a partial one, to dst. It may also be called if no message is unfinished.
	Pause(dst []Message, quiet, age time.Duration) []Message
	// SetEncoding changes the encoding of the peer's text, in which a pause inside a character ends no message. Nil is UTF-8,
	// with which a decoder begins.
	SetEncoding(e Encoding)
}

// An Encoder tells how the messages of one conversation go over the wire. To ask it changes nothing. Several goroutines may use it at
// the same time.
type Encoder interface {
	// WireEncoding returns the encoding of the next message, or of the farewell. The encoding of a later message may be another
	// one, because [Auto] learns.
	WireEncoding(farewell bool) WireEncoding
	// Gap returns the least time between the next message and the messages beside it, so that a peer that takes one read
	// for one message sees them apart. The argument is the number of messages that were sent before; from 255 on, it is 255. Zero: a
	// delimiter or a length keeps messages apart.
	Gap(sent int) time.Duration
}

// A WireEncoding turns the body of a message into bytes on the wire. It never changes. Several goroutines may use it at the same time.
//
// Encodings with equal names append equal bytes, or refuse the body. To send a message to many peers, encode it once for each name.
type WireEncoding interface {
	// String returns the name of the encoding. An encoding that only puts bytes around the body has the name that [Around] takes:
	// "lf", "length", "0x0d0a0a", or "" if it adds nothing.
	String() string
	// Append appends body to dst as it goes over the wire. It returns dst and an error if the body would not arrive as it is in one
	// message: [ErrDelimiter], or [ErrTooLong] from [Length].
	Append(dst, body []byte) ([]byte, error)
}

// A Learner is an [Encoder] that depends on what the peer sends. That of [Auto] does.
type Learner interface {
	Encoder
	// Learned says what the peer sends: "lines (LF)", "lines (CRLF)" or "bare (no line end)". It is empty while that is
	// not known.
	Learned() string
}
