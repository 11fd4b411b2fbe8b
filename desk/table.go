package desk

import (
	"context"
	"io"
	"iter"
)

// A Table is the desk of one operator: what a face watches and does. [*Operator] is the Table of an operator in this
// process, [*Remote] of one at the other end of a control socket.
//
// Several goroutines may call its methods at the same time. If there is no conversation n, methods fail with
// ErrNobody.
type Table interface {
	// Watch subscribes to events: first an Arrived for each live conversation, then all that happens.
	Watch() Watcher
	// Numbers returns the numbers of the live conversations, in ascending order.
	Numbers() []uint64
	// Roster returns the live conversations in that order, Left those that ended last, Entry one live conversation.
	Roster() []Entry
	Left() []Entry
	Entry(n uint64) (Entry, error)

	// Say, SayRaw, DeliverAll, Transfer and Bye send as those of [Operator].
	Say(ctx context.Context, n uint64, text string) error
	SayRaw(ctx context.Context, n uint64, b []byte) error
	Transfer(ctx context.Context, n uint64, from io.Reader) (send func() (int64, error), err error)
	DeliverAll(ctx context.Context, n uint64, bodies iter.Seq2[[]byte, error]) (messages, bytes int, err error)
	Bye(ctx context.Context, n uint64) error
	// Speak sends a line to the room in which this operator speaks. The Hall executes a line that begins with a
	// slash. The answer is lines for this operator alone. ErrNoHall: there are no rooms. Hall returns the room in
	// which this operator speaks, and the usage and help of each command. If there is no Hall, ok is false.
	Speak(ctx context.Context, line string) (answer []string, err error)
	Hall() (room string, commands iter.Seq2[string, string], ok bool)

	// SetFraming and SetEncoding change the framing and the text encoding of a conversation, by the names that
	// framing.Parse and ParseEncoding know.
	SetFraming(ctx context.Context, n uint64, name string) error
	SetEncoding(ctx context.Context, n uint64, name string) error
	// Name gives a conversation a name, Note a note. An empty one takes it away.
	Name(ctx context.Context, n uint64, name string) error
	Note(ctx context.Context, n uint64, note string) error
	// Kick ends a conversation as `kicked`. The peer gets the reason as a message, if it is not empty.
	Kick(ctx context.Context, n uint64, reason string) error
	// Ban keeps an address or a network out from now on, and kicks its peers. The other operators see the reason, if
	// it is not empty.
	Ban(ctx context.Context, rule, reason string) error
	// Reload reads the lists of addresses again. Live conversations go on.
	Reload(ctx context.Context) error
}

// A Watcher is a subscriber to the events of a desk. [Watch] describes its methods.
type Watcher interface {
	Next(ctx context.Context) (Event, error)
	Told() uint64
	Stop()
}

var (
	_ Table   = (*Operator)(nil)
	_ Watcher = (*Watch)(nil)
)
