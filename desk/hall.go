package desk

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"time"

	"duet.example/duet"
	"duet.example/duet/event"
)

// ErrNoHall means that the desk has no rooms, because its Next is no Hall.
var ErrNoHall = errors.New("there are no rooms here")

// A Hall is a handler with rooms, in which conversations get each other's lines. Operators are members without a
// conversation. If the Next of a desk is a Hall, the Hall calls Heard, Spoke, NameConn and Notice of the desk. The
// desk's Trace then reports only messages of an operator to one conversation, and refused peers.
//
// The slow screen of an operator must not delay a room. So a desk around a Hall waits for no subscriber. Events for
// which a subscriber has no room are left out for it, and an event of the kind Missed counts them. Conversations may
// have begun and ended unseen then; Roster returns the present ones.
type Hall interface {
	duet.Handler
	// Speak sends a line of an operator to its room. A line that begins with a slash is a command. The answer is
	// lines for this operator alone.
	Speak(ctx context.Context, operator, line string) (answer []string, err error)
	// Room returns the name of the room in which an operator speaks.
	Room(operator string) string
	// Rename gives the member c a name. The Hall then calls NameConn.
	Rename(c *duet.Conn, name string) error
	// Commands returns the commands that Speak knows: the usage and the help of each.
	Commands() iter.Seq2[string, string]
}

// A Reframer is a Hall that learns when an operator has changed the framing of a member. The next line then uses the
// new framing.
type Reframer interface {
	Reframed(c *duet.Conn)
}

// hall is Next where that is one, or nil.
func (d *Desk) hall() Hall {
	h, _ := d.Next.(Hall)
	return h
}

// Heard gives the subscribers a line of the member c in a room. It does not wait. The line does not count as unread.
// text is copied.
func (d *Desk) Heard(c *duet.Conn, room string, text []byte) {
	d.mu.Lock()
	s := d.byConn[c]
	if s == nil {
		d.mu.Unlock()
		return
	}
	e := s.event(Said)
	s.look(text)
	watched := len(d.watchers) > 0
	d.mu.Unlock()
	if !watched {
		return
	}
	e.Room, e.Body = room, bytes.Clone(text)
	e.Text = e.Body
	d.tellNow(e)
}

// Spoke gives the subscribers a line of an operator in a room. It does not wait. text is copied.
func (d *Desk) Spoke(operator, room string, text []byte) {
	body := bytes.Clone(text)
	d.tellNow(&Event{Kind: Spoke, Time: time.Now(), Operator: operator, Room: room, Body: body, Text: body})
}

// NameConn changes the name of the member c, for this event and all later ones. It does not wait.
func (d *Desk) NameConn(c *duet.Conn, name string) {
	d.mu.Lock()
	s := d.byConn[c]
	if s == nil {
		d.mu.Unlock()
		return
	}
	s.name = name
	e := s.event(Named)
	e.Operator, s.namedBy = s.namedBy, ""
	d.mu.Unlock()
	d.tellNow(e)
}

// Speak sends a line to the room in which this operator speaks. The Hall executes a line that begins with a slash.
// ErrNoHall: there are no rooms.
func (o *Operator) Speak(ctx context.Context, line string) (answer []string, err error) {
	h := o.desk.hall()
	if h == nil {
		return nil, ErrNoHall
	}
	return h.Speak(ctx, o.name, line)
}

// Hall returns the room in which this operator speaks, and the commands that Speak knows. If there is no Hall, ok is
// false.
func (o *Operator) Hall() (room string, commands iter.Seq2[string, string], ok bool) {
	h := o.desk.hall()
	if h == nil {
		return "", nil, false
	}
	return h.Room(o.name), h.Commands(), true
}

// rename has the hall give a conversation a name.
func (o *Operator) rename(h Hall, s *seat, name string) error {
	by := func(operator string) {
		o.desk.mu.Lock()
		defer o.desk.mu.Unlock()
		s.namedBy = operator
	}
	by(o.name)
	defer by("")
	return h.Rename(s.conn, name)
}

// Speak sends a line to the room in which this operator speaks. ErrNoHall: there are no rooms.
func (r *Remote) Speak(ctx context.Context, line string) (answer []string, err error) {
	req := event.Request{Do: event.DoSpeak, Text: line}
	if err := req.Check(); err != nil {
		return nil, err
	}
	reply, err := r.call(ctx, req)
	return reply.Answer, err
}

// Hall returns the room in which this operator speaks, and the commands that Speak knows. Until Speak or Roster is
// called, the room is the first one of the Hall.
func (r *Remote) Hall() (room string, commands iter.Seq2[string, string], ok bool) {
	if r.hello.Hall == "" {
		return "", nil, false
	}
	return *r.room.Load(), func(yield func(string, string) bool) {
		for _, c := range r.hello.Commands {
			if !yield(c.Usage, c.Help) {
				return
			}
		}
	}, true
}

// atHall notes the room that a reply tells of.
func (r *Remote) atHall(reply event.Reply) {
	if reply.Room != "" {
		r.room.Store(&reply.Room)
	}
}

// hello is the first line of a control socket.
func (k *Control) hello() event.Hello {
	hello := event.Hello{Program: "duet", Version: k.Version, Time: time.Now()}
	if h := k.Desk.hall(); h != nil {
		hello.Hall = h.Room("")
		for usage, help := range h.Commands() {
			hello.Commands = append(hello.Commands, event.HallCommand{Usage: usage, Help: help})
		}
	}
	return hello
}

// speak has the operator speak.
func (c *controlled) speak(ctx context.Context, o *Operator, r event.Request) []event.Reply {
	answer, err := o.Speak(ctx, r.Text)
	reply := event.Reply{ID: r.ID, OK: err == nil, Answer: answer, Room: o.room()}
	if err != nil {
		reply.Error = err.Error()
	}
	return reply.Parts()
}

// room is where this operator speaks; empty where there is no hall.
func (o *Operator) room() string {
	room, _, _ := o.Hall()
	return room
}
