package room

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"duet.example/duet"
	"duet.example/duet/internal/charset"
	"duet.example/duet/internal/nickname"
	"duet.example/duet/internal/ring"
)

// What holds where a field of a [Hall] is zero.
const (
	// DefaultName is the name of the first room.
	DefaultName = "lobby"
	// DefaultMaxRooms is how many rooms there may be at the same time.
	DefaultMaxRooms = 1000
	// DefaultTotalLimit is how many bytes all rooms hold together.
	DefaultTotalLimit = 256 << 20
)

// Errors of what operators do.
var (
	// ErrNobody says that no member has that name, or is in that conversation.
	ErrNobody = errors.New("no such member")
	// ErrNoCommand says that there is no such command, or that it was given too little.
	ErrNoCommand = errors.New("no such command")
	// ErrRelay says that a relay has no names.
	ErrRelay = errors.New("a relay has no names")
	// ErrTooMany says that there may be no more rooms.
	ErrTooMany = errors.New("too many rooms")
)

// A Policy is what happens to a member that falls behind by more than the limit.
type Policy uint8

const (
	// Skip leaves out what it could not take, and tells it how many messages that were.
	Skip Policy = iota
	// End ends its conversation as `slow-peer`.
	End
)

// String is `skip` or `end`.
func (p Policy) String() string {
	if p == End {
		return "end"
	}
	return "skip"
}

// A Watch is told what happens in the rooms. Each of its functions may be nil. They are called by the conversations' own goroutines, several
// at the same time, and must not wait.
type Watch struct {
	// Said: a member says a line in a room. The text, in UTF-8, is as it came and not safe for a terminal; what somebody does is `* NAME TEXT`.
	// In a relay it is the chunk. It must not be changed.
	Said func(c *duet.Conn, room string, text []byte)
	// Named: a member has another name than the guest-N it came with, or than before.
	Named func(c *duet.Conn, name string)
	// Notice: something that operators should know. The text is safe for a terminal.
	Notice func(text string)
	// Spoke: an operator says a line in a room.
	Spoke func(operator, room string, text []byte)
}

// A Hall is a handler whose conversations hear each other, in rooms. The zero Hall is one room called lobby. Its methods may be
// called by several goroutines at the same time; its fields must not be changed once it serves.
//
// Endings are those of the conversation; `farewell` also after /quit; `slow-peer` where a member falls behind (Slow), or takes nothing for the send timeout.
type Hall struct {
	// Name is the name of the room that everybody enters first. Empty is DefaultName.
	Name string
	// Relay passes chunks on as they come, exact, without names, announcements, history and commands; a conversation's framing is
	// of no account. A member that falls behind is ended, because nobody would notice missing bytes. The others wait for it
	// for at most 5 s in all if it goes on reading.
	Relay bool
	// NoCommands makes members' lines with a slash text like any other. Operators keep their commands.
	NoCommands bool
	// History is how many lines, the last that were said in its room, one who joins gets, with their times; 900 lines and 256 KiB at the most. Zero: none.
	History int
	// Slow is what happens to one who falls behind.
	Slow Policy
	// Encoding is what members' text is in, on the wire; the same for all. What it does not have is spelled out. nil is UTF-8.
	Encoding *charset.Encoding
	// Limit is how many bytes a member may be behind, in all rooms together that it has not read to the end. If it has left some of them
	// and there is more, it misses what the oldest still have for it. Zero is 16 MiB.
	Limit int
	// TotalLimit is how many bytes all rooms hold together for members that have not read them yet. If there is more, the room that holds most
	// drops what is oldest, and members that have not read it are behind by too much. Zero is DefaultTotalLimit.
	TotalLimit int64
	// Held is told how many bytes the rooms hold: each change of their total, in steps of 64 KiB or more, and the rest when it is zero. It is called
	// by several goroutines at the same time, and must neither wait nor call the Hall. Nil: nobody is told.
	Held func(difference int64)
	// MaxRooms is how many rooms there may be. Zero is DefaultMaxRooms.
	MaxRooms int
	// Watch is told what happens.
	Watch Watch

	mu        sync.Mutex
	rooms     map[string]*room // by the skeletons of their names
	first     *room
	names     *nickname.Set
	members   map[string]*member // by the skeletons of their names
	byConn    map[*duet.Conn]*member
	operators map[string]*operator
	quota     *ring.Quota
	budget    atomic.Pointer[duet.Budget] // of the server whose conversation came first; nil before
	last      uint64                      // number of a member given last
	door      chan struct{}               // holds as many as are entering
}

var _ duet.Handler = (*Hall)(nil)

// reserved are names that nobody may have: others would take their words for the hall's or an operator's, or for their own.
var reserved = []string{"you", "server", "operator", "system", "admin", "root"}

// open makes the hall ready to be used. h.mu is held.
func (h *Hall) open() {
	if h.first != nil {
		return
	}
	name := h.Name
	if name == "" {
		name = DefaultName
	}
	h.door = make(chan struct{}, entering)
	total := h.TotalLimit
	if total <= 0 {
		total = DefaultTotalLimit
	}
	h.quota = ring.NewQuota(total, h.held)
	h.names = nickname.NewSet(reserved...)
	h.members = make(map[string]*member)
	h.byConn = make(map[*duet.Conn]*member)
	h.operators = make(map[string]*operator)
	h.rooms = make(map[string]*room)
	h.first = h.newRoom(safe([]byte(name)))
}

// held counts what the rooms hold: in the server's budget, and for Held. Locks of a ring are held.
func (h *Hall) held(difference int64) {
	h.budget.Load().Hold(difference)
	if h.Held != nil {
		h.Held(difference)
	}
}

// entering is how many enter at the same time: each takes a deep stack for it, and where thousands come at once these would lie between
// the small ones that stay.
const entering = 16

// entrance is the door, for who holds a place in it while it enters.
//
//go:noinline
func (h *Hall) entrance() chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open()
	return h.door
}

// renameWait is how long the others may keep a new name from being announced to them, because they do not read.
const renameWait = 5 * time.Second

// Rename gives the member in conversation c another name, as an operator wants it. Errors: the name is none, or taken; ErrNobody; ErrRelay.
func (h *Hall) Rename(c *duet.Conn, name string) error {
	if h.Relay {
		return ErrRelay
	}
	h.mu.Lock()
	h.open()
	m := h.byConn[c]
	h.mu.Unlock()
	if m == nil {
		return ErrNobody
	}
	ctx, cancel := context.WithTimeout(context.Background(), renameWait)
	defer cancel()
	return m.rename(ctx, name)
}

// Reframed says that the framing of conversation c has been changed, by somebody else than the hall: what is said next goes out in it. Where nobody
// says so, the hall sees it at the member's next message.
func (h *Hall) Reframed(c *duet.Conn) {
	if h.Relay {
		return
	}
	h.mu.Lock()
	m := h.byConn[c]
	h.mu.Unlock()
	if m != nil {
		m.out.retune(c)
	}
}

// Commands gives the commands that an operator may use in Speak: how, and what for.
func (h *Hall) Commands() iter.Seq2[string, string] {
	if h.Relay {
		return func(func(string, string) bool) {}
	}
	return usages(operators)
}

// find finds a member by its name.
func (h *Hall) find(name string) (*member, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m := h.members[nickname.Skeleton(name)]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrNobody, short(name))
}

func (h *Hall) notice(format string, args ...any) {
	if f := h.Watch.Notice; f != nil {
		f(fmt.Sprintf(format, args...))
	}
}
