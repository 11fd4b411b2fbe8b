package console_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"duet.example/duet"
	"duet.example/duet/console"
	"duet.example/duet/desk"
)

// A fakeHall is a desk's Next in which the members of a room hear each other. A member's `/nick NAME` and `/join ROOM` do as they say.
type fakeHall struct {
	desk *desk.Desk

	mu        sync.Mutex
	members   map[*duet.Conn]*fakeMember
	operators map[string]string // their rooms
	last      int
	topic     string
	asked     []string // commands of operators
}

type fakeMember struct{ name, room string }

// newHall gives a desk with a hall.
func newHall() (*desk.Desk, *fakeHall) {
	h := &fakeHall{members: map[*duet.Conn]*fakeMember{}, operators: map[string]string{}, topic: "tea\x1b"}
	h.desk = &desk.Desk{Next: h}
	return h.desk, h
}

func (h *fakeHall) ServeConn(ctx context.Context, c *duet.Conn) error {
	h.mu.Lock()
	h.last++
	me := &fakeMember{fmt.Sprint("guest-", h.last), "lobby"}
	h.members[c] = me
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.members, c)
	}()
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		if name, ok := strings.CutPrefix(string(m.Body), "/nick "); ok {
			_ = h.Rename(c, name)
			continue
		}
		h.mu.Lock()
		if room, ok := strings.CutPrefix(string(m.Body), "/join "); ok {
			from := me.room
			me.room = room
			h.mu.Unlock()
			h.desk.Notice(me.name + " has gone from " + from + " to " + room)
			continue
		}
		room := me.room
		h.tell(room, c, me.name+": "+string(m.Body))
		h.mu.Unlock()
		h.desk.Heard(c, room, m.Body)
	}
	return nil
}

// tell gives a line to the others in a room. h.mu is held.
func (h *fakeHall) tell(room string, but *duet.Conn, line string) {
	for c, m := range h.members {
		if m.room == room && c != but {
			_ = c.Post([]byte(line))
		}
	}
}

func (h *fakeHall) Speak(_ context.Context, operator, line string) ([]string, error) {
	word, rest, _ := strings.Cut(line, " ")
	room := h.Room(operator)
	h.mu.Lock()
	defer h.mu.Unlock()
	if strings.HasPrefix(line, "/") && !strings.HasPrefix(line, "//") {
		h.asked = append(h.asked, line)
	}
	switch word {
	case "/join":
		h.operators[operator] = rest
		names := []string{"@" + operator}
		for _, m := range h.members {
			if m.room == rest {
				names = append(names, m.name)
			}
		}
		slices.Sort(names)
		return []string{"you are in " + rest + ": " + strings.Join(names, ", ")}, nil
	case "/rooms":
		return []string{"lobby: 2", "tech: 1\x1b[2J"}, nil
	case "/topic":
		if rest != "" {
			h.topic = rest
			h.desk.Notice("the topic of " + room + " is " + rest)
			return nil, nil
		}
		return []string{"the topic is " + h.topic}, nil
	case "/mute":
		return nil, errors.New("no member is called " + rest)
	case "/who", "/kick":
		return nil, errors.New("the console does that itself")
	case "/msg":
		return slices.Repeat([]string{strings.Repeat("x", 10_000)}, 1000), nil
	case "fail":
		return nil, fmt.Errorf("the room is closed: %w", errBroken)
	}
	text := strings.TrimPrefix(line, "/")
	h.tell(room, nil, "@"+operator+": "+text)
	h.desk.Spoke(operator, room, []byte(text))
	return nil, nil
}

func (h *fakeHall) Room(operator string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if room := h.operators[operator]; room != "" {
		return room
	}
	return "lobby"
}

func (h *fakeHall) Rename(c *duet.Conn, name string) error {
	if name == "taken" {
		return errors.New("not a name: taken is taken")
	}
	h.mu.Lock()
	h.members[c].name = name
	h.mu.Unlock()
	h.desk.NameConn(c, name)
	return nil
}

func (h *fakeHall) Commands() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, c := range [][2]string{
			{"/who", "shows who is here"},
			{"/me TEXT", "says what you do"},
			{"/msg NAME TEXT", "says something to one member only"},
			{"/join ROOM", "goes to another room"},
			{"/rooms", "shows the rooms"},
			{"/topic [TEXT]", "shows or says what the room is about"},
			{"/mute NAME", "lets a member listen only"},
			{"/kick NAME [WHY]", "ends a member's conversation"},
		} {
			if !yield(c[0], c[1]) {
				return
			}
		}
	}
}

// openHall is open in a hall.
func openHall(t *testing.T, o console.Options) (*booth, *fakeHall) {
	t.Helper()
	d, h := newHall()
	o.Server = true
	return openAt(t, d, o), h
}

// joins has somebody arrive in the hall.
func (b *booth) joins() *fakePeer {
	b.t.Helper()
	return b.connect(func(s *duet.Server) { s.Trace = b.desk.Trace() })
}

// A lockedBuffer is what a script's console has written.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// take gives what was written since the last take.
func (l *lockedBuffer) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.b.Reset()
	return l.b.String()
}
