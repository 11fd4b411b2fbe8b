package duet

import (
	"time"

	"duet.example/duet/framing"
)

// Defaults of fields of [Options] that are zero.
const (
	// DefaultSendTimeout is how long a peer may take nothing before it is a slow peer.
	DefaultSendTimeout = 10 * time.Second
	// DefaultCloseTimeout is how long an ending conversation waits for the peer's end.
	DefaultCloseTimeout = 2 * time.Second
	// DefaultQueueSize is the number of bytes that may be queued for a peer.
	DefaultQueueSize = 4 << 20
)

// Options hold for each conversation of a [Server] or a [Dialer]. The zero Options work: messages are lines (LF), there is no farewell, and
// the defaults above hold.
type Options struct {
	// Framing turns bytes into messages and back. Nil is framing.LF.
	Framing framing.Framing
	// MaxMessage is the length of the longest message in bytes. Zero is framing.DefaultMaxMessage.
	MaxMessage int
	// Farewell is the word that ends a conversation, such as `bye`. Empty: no word does.
	Farewell string
	// ShowFarewell has Receive return the peer's farewell as a message, with Farewell set, before io.EOF. It is for a [Handler] that shows
	// messages to people. Other handlers need not know the farewell: it is answered anyway.
	ShowFarewell bool
	// IdleTimeout ends a conversation as `idle` after nothing was received for this time. Zero: never.
	IdleTimeout time.Duration
	// SendTimeout ends a conversation as `slow-peer` if the peer takes nothing of what is sent for this time. Zero is DefaultSendTimeout.
	// Below zero: never.
	SendTimeout time.Duration
	// CloseTimeout is how long an ending conversation waits for the peer's end. Zero is DefaultCloseTimeout. Below zero: it does not wait.
	CloseTimeout time.Duration
	// QueueSize is the number of bytes that may be queued for a peer that does not read. Zero is DefaultQueueSize.
	QueueSize int
	// Trace has functions that are called when something happens. Nil: none.
	Trace *Trace
}

// withDefaults returns o with each field that is zero set to its default. A timeout below zero becomes zero: there is none.
func (o Options) withDefaults() Options {
	if o.Framing == nil {
		o.Framing = framing.LF
	}
	if o.MaxMessage <= 0 {
		o.MaxMessage = framing.DefaultMaxMessage
	}
	o.IdleTimeout = max(o.IdleTimeout, 0)
	o.SendTimeout = orDefault(o.SendTimeout, DefaultSendTimeout)
	o.CloseTimeout = orDefault(o.CloseTimeout, DefaultCloseTimeout)
	if o.QueueSize <= 0 {
		o.QueueSize = DefaultQueueSize
	}
	return o
}

// orDefault returns d; def if d is zero, and zero if d is below zero.
func orDefault(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return max(d, 0)
}

// settings hold for all conversations of one server, which share them, or for one that was dialled.
type settings struct {
	Options        // with defaults
	trace    Trace // Options.Trace, guarded against panics; its funcs may be nil
	greeting string
	throttle func(c *Conn, n int) (time.Duration, error)
	budget   *Budget // nil: none
	server   *Server // nil for a conversation that was dialled
}
