package desk

import (
	"context"
	"io"
	"iter"
)

// A Table is a desk as one operator sits at it: what a face watches and does. [*Operator] is
// one in this process, [*Remote] one at the other end of a control socket.
//
// Its methods may be called by several goroutines at the same time. Those that act on a conversation that is not
// there fail with ErrNobody.
type Table interface {
	// Watch begins to watch: first an Arrived for each live conversation, then what happens.
	Watch() Watcher
	// Numbers are those of the live conversations, in order.
	Numbers() []uint64
	// Roster gives the live conversations in that order, Left the last that ended, Entry one that is live.
	Roster() []Entry
	Left() []Entry
	Entry(n uint64) (Entry, error)

	// Say, SayRaw, DeliverAll, Transfer and Bye send, as those of [Operator].
	Say(ctx context.Context, n uint64, text string) error
	SayRaw(ctx context.Context, n uint64, b []byte) error
	Transfer(ctx context.Context, n uint64, from io.Reader) (send func() (int64, error), err error)
	DeliverAll(ctx context.Context, n uint64, bodies iter.Seq2[[]byte, error]) (messages, bytes int, err error)
	Bye(ctx context.Context, n uint64) error
	// Speak says line to the room in which this operator speaks, or has the Hall do what it asks, as a line with a slash; the
	// answer is lines for this operator alone. ErrNoHall where there is no Hall. Hall tells whether there is one, in which room
	// this operator speaks now, and what Speak takes as commands: how each is written, and what it does.
	Speak(ctx context.Context, line string) (answer []string, err error)
	Hall() (room string, commands iter.Seq2[string, string], ok bool)

	// SetFraming and SetEncoding change how a conversation is read and written, by the names that framing.Parse and ParseEncoding take.
	SetFraming(ctx context.Context, n uint64, name string) error
	SetEncoding(ctx context.Context, n uint64, name string) error
	// Name gives a conversation a name, Note a note; empty takes it away.
	Name(ctx context.Context, n uint64, name string) error
	Note(ctx context.Context, n uint64, note string) error
	// Kick ends a conversation as `kicked`; the peer is told reason, if there is one.
	Kick(ctx context.Context, n uint64, reason string) error
	// Ban keeps an address or a network out from now on, and kicks its peers. The other operators see the reason, if there
	// is one.
	Ban(ctx context.Context, rule, reason string) error
	// Reload reads the lists of addresses again. Those who are in stay.
	Reload(ctx context.Context) error
}

// A Watcher is one who watches: Next gives what happens, in order, until Stop.
type Watcher interface {
	Next(ctx context.Context) (Event, error)
	Told() uint64
	Stop()
}

var (
	_ Table   = (*Operator)(nil)
	_ Watcher = (*Watch)(nil)
)
