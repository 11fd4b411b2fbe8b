// Package framing cuts messages out of a stream of bytes and writes messages
// into one. It is pure: it knows no sockets and no clock. Whoever owns the
// clock (duet.Conn) tells a [Codec] how long the peer has been quiet.
package framing

import (
	"errors"
	"time"
)

// DefaultMaxMessage is the longest message, in bytes, where no other limit is given.
const DefaultMaxMessage = 1 << 20

// Errors of a [Codec].
var (
	// ErrTooLong: the peer's message is longer than the limit. The conversation cannot go on.
	ErrTooLong = errors.New("message too long")
	// ErrDelimiter: a body to be sent holds its framing's own delimiter, so that it would arrive as several messages.
	ErrDelimiter = errors.New("message holds the delimiter")
	// ErrCut: the stream ended inside a message that says how long it is.
	ErrCut = errors.New("stream ended inside a message")
)

// A Message is one thing said.
type Message struct {
	// Body is the message without its delimiter. It belongs to whoever
	// receives it: a codec keeps no reference to it.
	Body []byte
	// Partial says that the message is unfinished: it is shown, and the next
	// Message repeats and continues it. Only Auto gives partial messages.
	Partial bool
	// Mark is what stood around the body on the wire. It tells the bytes that were received: see [Around].
	Mark Mark
}

// A Framing makes codecs. Its values are immutable and may be used by several
// goroutines at the same time.
type Framing interface {
	// New returns a Codec for one conversation. It refuses messages longer than
	// max bytes; zero or less means DefaultMaxMessage.
	New(max int) Codec
	// String is the framing's name, as [Parse] takes it.
	String() string
}

// A Codec turns one conversation's bytes into messages and back. Both
// directions share it, because Auto sends what it has learned from receiving.
//
// Two goroutines may use a Codec at the same time: one calls Feed, Patience,
// Pause, End, Rest, Held and Shrink; the other Append, AppendFarewell, Sent and Gap.
type Codec interface {
	// Feed takes bytes that have arrived and appends the messages they
	// complete to dst. It does not keep b. With an error (ErrTooLong) the messages before
	// it are returned too.
	Feed(dst []Message, b []byte) ([]Message, error)
	// Patience says what Pause is waiting for: quiet is how long the peer
	// must send nothing, age how long ago the unfinished message began.
	// Whichever comes first is reason to call Pause. Zero means never.
	Patience() (quiet, age time.Duration)
	// Pause tells how long the peer has been quiet and how old the
	// unfinished message is, and appends what that completes (or, for a
	// partial message, shows) to dst. With nothing unfinished it may be called too.
	Pause(dst []Message, quiet, age time.Duration) []Message
	// End appends what the peer's close completes to dst. ErrCut where the
	// close came inside a message.
	End(dst []Message) ([]Message, error)
	// Rest takes out the bytes that were fed and belong to no message yet.
	Rest() []byte
	// Held is how many bytes of memory the unfinished message takes: the
	// room of its buffer, not only the part that is filled. It is cheap.
	Held() int
	// Shrink gives up the spare room of that buffer.
	Shrink()

	// Append appends body to dst as it goes over the wire. ErrDelimiter
	// where the body would arrive as several messages. It changes nothing in
	// the codec: what it returns need not be sent.
	Append(dst, body []byte) ([]byte, error)
	// AppendFarewell is Append for the last message of a conversation.
	AppendFarewell(dst, body []byte) ([]byte, error)
	// Sent notes that a message, which Append or AppendFarewell has made, is
	// sent now. What follows may depend on how many were.
	Sent()
	// Gap is the least time between two messages that are sent, so that
	// a peer that takes one read for one message sees them apart. Zero where a
	// delimiter or a length keeps them apart.
	Gap() time.Duration
}
