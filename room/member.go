package room

import (
	"context"
	"errors"
	"time"

	"duet.example/duet"
	"duet.example/duet/internal/nickname"
	"duet.example/duet/internal/ring"
)

// A member is a conversation in the hall.
type member struct {
	hall *Hall
	conn *duet.Conn
	id   uint64
	out  outlet
	feed *duet.Feed // of out

	received [1]duet.Message // room for the messages that arrive together, which are seldom more; empty while m waits

	// Under Hall.mu:
	name  string
	room  *room
	place int // among the room's members
	muted bool
}

// errQuit ends the conversation of one who asked for it.
var errQuit = errors.New("left")

// ServeConn makes c a member of the first room, until the conversation ends.
func (h *Hall) ServeConn(ctx context.Context, c *duet.Conn) error {
	m := &member{hall: h, conn: c}
	returned := false
	defer m.leaveUnless(ctx, &returned)
	err := m.enter(ctx)
	if err == nil {
		err = m.stay(ctx)
	}
	returned = true
	return m.leave(ctx, err)
}

// stay receives until the end, and returns why it has come.
func (m *member) stay(ctx context.Context) error {
	for {
		batch, err := m.conn.ReceiveBatch(ctx, m.received[:0])
		if n := len(batch); n > 0 && batch[n-1].Farewell {
			batch = batch[:n-1] // it is not said
		}
		if len(batch) > 0 {
			err = m.take(ctx, batch)
			clear(m.received[:])
		}
		if err != nil {
			return err
		}
	}
}

// leaveUnless takes m out of the hall, unless its goroutine has returned: after a panic in Receive, or runtime.Goexit. The server
// has the stack of a panic.
//
//go:noinline
func (m *member) leaveUnless(ctx context.Context, returned *bool) {
	if !*returned {
		_ = m.leave(ctx, errNoReturn)
	}
}

//go:noinline
func (m *member) enter(ctx context.Context) error {
	if err := m.hall.entrance.begin(ctx); err != nil {
		return err
	}
	return apart(func() error {
		defer m.hall.entrance.end()
		m.hall.enter(ctx, m)
		return nil
	})
}

// take takes messages that have arrived together, and tells the others at once.
//
//go:noinline
func (m *member) take(ctx context.Context, batch []duet.Message) error {
	return apart(func() error {
		if m.hall.Relay {
			return relayed(ctx, m, batch)
		}
		return heard(ctx, m, batch)
	})
}

// enter lets m in.
func (h *Hall) enter(ctx context.Context, m *member) {
	c := m.conn
	h.budget.CompareAndSwap(nil, c.Budget()) // nothing is held before the first member
	if h.Relay {
		c.SetFraming(chunks{})
	} else if !h.Encoding.IsUTF8() {
		c.SetEncoding(h.Encoding)
	}
	m.feed = c.Attach(&m.out)

	h.mu.Lock()
	h.open()
	h.last++
	m.id = h.last
	if !h.Relay {
		m.name = h.guest(c.ID())
		h.members[nickname.Skeleton(m.name)] = m
	}
	h.byConn[c] = m
	r, name := h.first, m.name
	r.enter(m)
	var parts [welcomeParts]string
	welcome, topic := r.welcome(parts[:0], m), r.topic
	h.mu.Unlock()
	if !h.NoCommands {
		welcome = append(welcome, "; /help shows the commands")
	}

	m.join(ctx, r, name, welcome, topic)
}

// join has m, called so, hear what is said in r from now on, after a welcome and the room's history. When it is welcome the
// others have been told.
func (m *member) join(ctx context.Context, r *room, called string, welcome []string, topic string) {
	h := m.hall
	if h.Relay {
		rd := r.ring.Join(m.id, plain, m.wakeRelay)
		m.out.add(rd)
		_ = rd.Tell()
		return
	}
	b := batches.Get().(*batch)
	defer b.spare()
	b.add(h.Encoding, welcome...)
	if topic != "" {
		b.add(h.Encoding, "-- the topic is ", topic)
	}
	e := m.out.join(m.conn)

	// Until rd is added, the conversation gets nothing from it: the welcome goes before what is said meanwhile.
	rd, _ := r.ring.Enter(ctx, m.id, e, m.wake, h.announcement(called+" has joined"))
	if r.past != nil {
		r.past.tell(b, rd)
	}
	_ = rd.Tell(b.bodies()...)
	m.out.add(rd)
	_ = rd.Tell() // wakes m, which did nothing before
}

// leave takes m out of the hall, and tells the others why: with the name of the ending that err stands for.
//
//go:noinline
func (m *member) leave(ctx context.Context, err error) error {
	h, c := m.hall, m.conn
	h.mu.Lock()
	r, name := m.room, m.name
	h.mu.Unlock()
	if r == nil {
		return err // it was not in yet
	}

	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		err = &duet.Error{Op: "converse", Addr: addr(c), Reason: duet.EndClosed, Err: err}
	}
	if reason, _ := duet.EndingOf(c, err); reason != duet.EndShutdown && !h.Relay {
		_ = r.said(ctx, m.id, h.announcement(name+" has left: "+reason.String()))
	}
	m.out.leave()

	h.mu.Lock()
	r.leave(h, m)
	delete(h.byConn, c)
	if !h.Relay {
		delete(h.members, nickname.Skeleton(m.name))
		h.names.Free(m.name)
	}
	h.mu.Unlock()

	if errors.Is(err, errQuit) && c.Farewell() != "" {
		_ = c.PostBye()
	}
	return err
}

func addr(c *duet.Conn) string {
	if a := c.RemoteAddr(); a != nil {
		return a.String()
	}
	return ""
}

// heard tells the others what messages say.
func heard(ctx context.Context, m *member, batch []duet.Message) error {
	m.out.retune(m.conn)
	var b talk
	b.begin(m)
	var err error
	for _, msg := range batch {
		if err = b.hear(ctx, msg.Body); err != nil {
			break
		}
	}
	if said := b.say(ctx); err == nil {
		err = said
	}
	return err
}

// tell tells m alone.
func (m *member) tell(b *batch) error {
	return m.out.tell(b.bodies())
}

// answer tells m what it has asked for.
func (m *member) answer(ctx context.Context, lines ...string) error {
	var b batch
	for _, line := range lines {
		b.add(m.hall.Encoding, announced, line)
	}
	return m.answered(ctx, &b)
}

// One who asks for more than it reads is kept from asking, for a while; then the answer is left out, as the queue is bounded. It
// is not ended here: others may have filled the queue with what they say to it alone.
const (
	answerPause = 5 * time.Millisecond
	answerWait  = 10 * time.Second
)

func (m *member) answered(ctx context.Context, b *batch) error {
	for until := time.Now().Add(answerWait); ; {
		err := m.tell(b)
		if !errors.Is(err, ring.ErrFull) || time.Now().After(until) {
			return nil // one that is lapped learns it when it takes what is there
		}
		if end, _ := m.conn.Result(); end != duet.EndNone || ctx.Err() != nil {
			return nil // Receive says it
		}
		pause := time.NewTimer(answerPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
	}
}

// wake is called by the ring of a room when there is something for m. Bytes of a room that m has left go first.
func (m *member) wake() (busy bool) {
	if !m.out.joined() {
		return false
	}
	for {
		if busy = m.feed.Wake(); busy || !m.out.between() {
			return busy
		}
	}
}

// guest takes the name of one who has not chosen any: guest-N, of conversation N, or of the next that is free where several servers have
// one hall. h.mu is held.
func (h *Hall) guest(n uint64) string {
	for h.members[nickname.Skeleton(nickname.GuestName(n))] != nil {
		n++
	}
	return h.names.TakeGuest(n)
}

// rename gives m another name, and tells all who hear it. An empty one is the name it came with.
func (m *member) rename(ctx context.Context, name string) error {
	h := m.hall
	name = nickname.Clean(name)
	h.mu.Lock()
	if h.byConn[m.conn] != m {
		h.mu.Unlock()
		return ErrNobody
	}
	old, r := m.name, m.room
	if name == old {
		h.mu.Unlock()
		return nil
	}
	if name == "" {
		h.names.Free(old)
		name = h.guest(m.conn.ID())
	} else if err := h.names.Change(old, name); err != nil {
		h.mu.Unlock()
		return err
	}
	delete(h.members, nickname.Skeleton(old))
	h.members[nickname.Skeleton(name)] = m
	m.name = name
	h.mu.Unlock()
	if f := h.Watch.Named; f != nil {
		f(m.conn, name)
	}
	h.announce(ctx, r, 0, old+" is "+name+" from now on")
	return nil
}
