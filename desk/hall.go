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

// ErrNoHall says that conversations do not hear each other here: the desk's Next is no Hall.
var ErrNoHall = errors.New("there are no rooms here")

// A Hall is a handler in whose rooms conversations hear each other, and operators are members without a conversation. Where
// a desk's Next is one, it tells the desk what is said, through Heard, Spoke, NameConn and Notice: the desk's Trace
// tells only of what an operator says to one conversation alone, and of peers that were refused.
//
// An operator's slow screen must not hold a room, or keep others from entering it. So nobody waits for those who watch: events that one of them has no room for
// are left out for it, and it is told how many (Missed). Conversations may have come and gone unseen then; Roster tells who is here.
type Hall interface {
	duet.Handler
	// Speak says line to the room in which operator speaks, or does what it asks: a command begins with a slash. The answer is lines for operator alone.
	Speak(ctx context.Context, operator, line string) (answer []string, err error)
	// Room names the room in which operator speaks.
	Room(operator string) string
	// Rename gives the member c a name, which NameConn then tells.
	Rename(c *duet.Conn, name string) error
	// Commands are those that Speak takes: how each is written, and what it does.
	Commands() iter.Seq2[string, string]
}

// A Reframer is a Hall that is told when an operator has changed the framing of a member, so that the next line
// goes out in the new one.
type Reframer interface {
	Reframed(c *duet.Conn)
}

// hall is Next where that is one, or nil.
func (d *Desk) hall() Hall {
	h, _ := d.Next.(Hall)
	return h
}

// Heard tells those who watch what the member c said to room. It waits for nobody, and counts as nothing that waits for an answer.
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

// Spoke tells what an operator said to room. It waits for nobody, as Heard, and copies text.
func (d *Desk) Spoke(operator, room string, text []byte) {
	body := bytes.Clone(text)
	d.tellNow(&Event{Kind: Spoke, Time: time.Now(), Operator: operator, Room: room, Body: body, Text: body})
}

// NameConn tells how the member c is called from now on. It waits for nobody, as Heard: events of c that follow
// have the name, too.
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

// Speak says line to the room in which this operator speaks, or has its hall do what it asks. ErrNoHall where there is none.
func (o *Operator) Speak(ctx context.Context, line string) (answer []string, err error) {
	h := o.desk.hall()
	if h == nil {
		return nil, ErrNoHall
	}
	return h.Speak(ctx, o.name, line)
}

// Hall gives the room in which this operator speaks and what Speak takes as commands; false where there is no Hall.
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

// Speak says line to the room in which this operator speaks. ErrNoHall where there is none.
func (r *Remote) Speak(ctx context.Context, line string) (answer []string, err error) {
	req := event.Request{Do: event.DoSpeak, Text: line}
	if err := req.Check(); err != nil {
		return nil, err
	}
	reply, err := r.call(ctx, req)
	return reply.Answer, err
}

// Hall gives the room in which this operator speaks, as far as was told: the one that everybody enters first until Roster
// was asked for or something was spoken.
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
