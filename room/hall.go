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

// Defaults of fields of a [Hall] that are zero.
const (
	// DefaultName is the name of the first room.
	DefaultName = "lobby"
	// DefaultMaxRooms is the number of rooms that there may be at the same time.
	DefaultMaxRooms = 1000
	// DefaultTotalLimit is the number of bytes that all rooms together may hold.
	DefaultTotalLimit = 256 << 20
)

// Errors of the methods for operators.
var (
	// ErrNobody: no member has this name or this conversation.
	ErrNobody = errors.New("no such member")
	// ErrNoCommand: there is no such command, or an argument is missing.
	ErrNoCommand = errors.New("no such command")
	// ErrRelay: the members of a relay have no names.
	ErrRelay = errors.New("a relay has no names")
	// ErrTooMany: there are MaxRooms rooms already.
	ErrTooMany = errors.New("too many rooms")
)

// A Policy says what happens to a member that is behind by more than the limit.
type Policy uint8

const (
	// Skip leaves out the messages that it could not take, and tells it their number.
	Skip Policy = iota
	// End ends its conversation as `slow-peer`.
	End
)

// String returns `skip` or `end`.
func (p Policy) String() string {
	if p == End {
		return "end"
	}
	return "skip"
}

// A Watch has functions that are called when something happens in the rooms. Each may be nil. The goroutines of the
// conversations call them, several at the same time. They must not wait.
type Watch struct {
	// Said: a member has spoken in a room. The text is in UTF-8, as it came, and not safe for a terminal. For /me it
	// is `* NAME TEXT`. In a relay it is the chunk. Do not change it.
	Said func(c *duet.Conn, room string, text []byte)
	// Named: a member has a new name, instead of the guest-N that it came with, or of another one.
	Named func(c *duet.Conn, name string)
	// Notice: there is a notice for operators. The text is safe for a terminal.
	Notice func(text string)
	// Spoke: an operator has spoken in a room.
	Spoke func(operator, room string, text []byte)
}

// A Hall is a handler with rooms, in which conversations get each other's lines. The zero Hall has one room, called
// lobby. Several goroutines may call its methods at the same time. Do not change its fields once it serves.
//
// It adds two endings to those of a conversation: `farewell` after /quit, and `slow-peer` if a member is too far
// behind (Slow), or takes nothing for the send timeout.
type Hall struct {
	// Name is the name of the room that each member enters first. Empty: DefaultName.
	Name string
	// Relay passes chunks on exactly as they come, without names, announcements, history and commands. The framing of
	// a conversation is ignored. A member that is too far behind is ended, because it could not notice missing bytes.
	// The others wait for it for at most 5 s in all, if it goes on reading.
	Relay bool
	// NoCommands: a line of a member that begins with a slash is text. Operators keep their commands.
	NoCommands bool
	// History is the number of recent lines of the room, with their times, that a new member receives: at most 900
	// lines and 256 KiB. Zero: none.
	History int
	// Slow says what happens to a member that is behind by more than Limit.
	Slow Policy
	// Encoding is the text encoding of all members. A character that it does not have is spelled out. Nil: UTF-8.
	Encoding *charset.Encoding
	// Limit is the number of bytes by which a member may be behind, in all rooms together from which it still reads.
	// If it is behind by more, and has left some of these rooms, it first loses the rest of the room that it left
	// first. Zero: 16 MiB.
	Limit int
	// TotalLimit is the number of bytes that all rooms together may hold for members that have not read them. If
	// there are more, the room that holds most drops its oldest bytes. Members that have not read these are too far
	// behind. Zero: DefaultTotalLimit.
	TotalLimit int64
	// Held, if set, is called with each change of the number of bytes that the rooms hold, in steps of at least 64
	// KiB, and with the rest when the number is zero. Several goroutines call it at the same time. It must not wait,
	// and must not call the Hall.
	Held func(difference int64)
	// MaxRooms is the number of rooms that there may be. Zero: DefaultMaxRooms.
	MaxRooms int
	// Watch has functions that are called when something happens.
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
	entrance  entrance
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

// renameWait is how long the others may keep a new name from being announced to them, because they do not read.
const renameWait = 5 * time.Second

// Rename gives the member in conversation c another name, for an operator. Errors: the name is not valid, or taken;
// ErrNobody; ErrRelay.
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

// Reframed tells the hall that another part of the program has changed the framing of conversation c. The next line
// then uses it. Without this call, the hall notices it at the member's next message.
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

// Commands returns the commands that an operator may use in Speak: the usage and the help of each.
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
