package room

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"duet.example/duet"
	"duet.example/duet/internal/nickname"
)

// sayAt is from how many bytes on lines are told to the others, and not collected any longer.
const sayAt = 64 << 10

// A talk is what one member says in one go. Its lines are told together, those before a command before it is done.
type talk struct {
	member *member
	batch  batch
	said   [][]byte // the lines as they came, for Watch.Said

	// As they were when it began:
	room  *room
	name  string
	muted bool
}

// begin looks who speaks, and where.
func (t *talk) begin(m *member) {
	m.hall.mu.Lock()
	defer m.hall.mu.Unlock()
	t.member, t.room, t.name, t.muted = m, m.room, m.name, m.muted
}

// hear takes a message, line by line.
func (t *talk) hear(ctx context.Context, body []byte) error {
	text := body
	if e := t.member.hall.Encoding; e != nil {
		text = e.Decode(body)
	}
	some := false
	for len(text) > 0 {
		var line []byte
		if line, text = nextLine(text); len(line) == 0 {
			continue
		}
		some = true
		if err := t.line(ctx, line); err != nil {
			return err
		}
	}
	if some {
		return nil
	}
	return t.line(ctx, nil)
}

// line takes one line: words, or a command.
func (t *talk) line(ctx context.Context, line []byte) error {
	m := t.member
	if len(line) > 0 && line[0] == '/' && !m.hall.NoCommands {
		word, args, said, isCommand := parse(string(line))
		if isCommand {
			return t.command(ctx, word, args)
		}
		line = []byte(said)
	}
	return t.words(ctx, t.name+": ", safe(line), line)
}

// words says something: the label and the safe form are what others get, raw is for operators.
func (t *talk) words(ctx context.Context, label, text string, raw []byte) error {
	m := t.member
	if t.muted {
		return m.answer(ctx, "you are muted: nobody hears you")
	}
	t.batch.add(m.hall.Encoding, label, text)
	if m.hall.Watch.Said != nil {
		t.said = append(t.said, raw)
	}
	if len(t.batch.buf) >= sayAt {
		return t.say(ctx)
	}
	return nil
}

// say tells the others what was collected.
func (t *talk) say(ctx context.Context) error {
	if t.batch.empty() {
		return nil
	}
	m := t.member
	err := t.room.said(ctx, m.id, t.batch.bodies()...)
	t.batch = batch{}
	if f := m.hall.Watch.Said; f != nil && err == nil {
		for _, line := range t.said {
			f(m.conn, t.room.name, line)
		}
	}
	t.said = nil
	return err
}

// command does what a member asks for, after what it said before.
func (t *talk) command(ctx context.Context, word, args string) error {
	if err := t.say(ctx); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return nil // the conversation is to end: words are still told, but nothing else is done
	}
	m := t.member
	c, ok := find(word, members)
	switch {
	case !ok:
		return m.answer(ctx, "no command /"+short(word)+"; /help shows them")
	case t.muted && c.who&muted == 0:
		return m.answer(ctx, "you are muted: you may only listen")
	case !c.enough(args):
		return m.answer(ctx, "it is "+c.usage()+": "+c.help)
	}
	err := t.do(ctx, c.verb, args)
	t.begin(m) // the name, or the room, may be another now
	return err
}

func (t *talk) do(ctx context.Context, v verb, args string) error {
	m := t.member
	h := m.hall
	switch v {
	case verbHelp:
		return m.answer(ctx, help(members)...)
	case verbWho:
		return m.answer(ctx, h.who(t.room))
	case verbRooms:
		return m.answer(ctx, h.roomList())
	case verbNick:
		if err := m.rename(ctx, args); err != nil {
			return m.answer(ctx, sentence(err))
		}
	case verbMe:
		said := safe([]byte(args))
		return t.words(ctx, "* "+t.name+" ", said, []byte("* "+t.name+" "+args))
	case verbMsg:
		return t.msg(ctx, args)
	case verbJoin:
		return m.move(ctx, args)
	case verbPart:
		return m.move(ctx, "")
	case verbTopic:
		if args != "" {
			return m.answer(ctx, "only operators say what a room is about")
		}
		return m.answer(ctx, h.topic(t.room))
	case verbQuit:
		return t.quit(ctx, args)
	}
	return nil
}

// msg tells one member, or an operator, alone.
func (t *talk) msg(ctx context.Context, args string) error {
	m := t.member
	h := m.hall
	to, words := cutWord(args)
	text := safe([]byte(words))
	if operator, ok := strings.CutPrefix(to, "@"); ok {
		name, known := h.operatorCalled(operator)
		if !known {
			return m.answer(ctx, "no operator is called @"+short(operator))
		}
		h.notice("%s -> %s: %s", t.name, name, text)
		return m.toldAlone(ctx, name, text)
	}
	other, err := h.find(to)
	if err != nil {
		return m.answer(ctx, "nobody is called "+short(to))
	}
	var b batch
	b.add(h.Encoding, t.name, " -> you: ", text)
	name := other.called()
	if other.tell(&b) != nil {
		return m.answer(ctx, name+" does not take it: this was not told")
	}
	return m.toldAlone(ctx, name, text)
}

// toldAlone shows m what it has said to one alone.
func (m *member) toldAlone(ctx context.Context, name, text string) error {
	var b batch
	b.add(m.hall.Encoding, "you -> ", name, ": ", text)
	return m.answered(ctx, &b)
}

// quit says the words, and leaves.
func (t *talk) quit(ctx context.Context, words string) error {
	m := t.member
	if words != "" && !t.muted {
		if err := t.words(ctx, t.name+": ", safe([]byte(words)), []byte(words)); err != nil {
			return err
		}
		if err := t.say(ctx); err != nil {
			return err
		}
	}
	return &duet.Error{Op: "quit", Addr: addr(m.conn), Reason: duet.EndFarewell, Err: errQuit}
}

// move has m go to a room; without a name to the first.
func (m *member) move(ctx context.Context, name string) error {
	h := m.hall
	h.mu.Lock()
	from, to := m.room, h.first
	var err error
	if name != "" {
		to, err = h.roomCalled(nickname.Clean(name))
	}
	if err != nil || to == from {
		h.mu.Unlock()
		if err != nil {
			return m.answer(ctx, sentence(err))
		}
		return m.answer(ctx, "you are in "+to.name)
	}
	from.leave(h, m)
	to.enter(m)
	called := m.name
	var parts [welcomeParts]string
	welcome, topic := to.welcome(parts[:0], m), to.topic
	h.mu.Unlock()

	h.announce(ctx, from, m.id, called+" has gone to "+to.name)
	m.out.leave()
	m.join(ctx, to, called, welcome, topic)
	h.notice("%s has gone from %s to %s", called, from.name, to.name)
	return nil
}

// called is m's name.
func (m *member) called() string {
	m.hall.mu.Lock()
	defer m.hall.mu.Unlock()
	return m.name
}

// sentence is an error as a line for the one who brought it about.
func sentence(err error) string {
	var taken *nickname.TakenError
	if errors.As(err, &taken) {
		return taken.Error()
	}
	return safe([]byte(err.Error()))
}

// help is the commands that who may use.
func help(who audience) []string {
	var lines []string
	for usage, what := range usages(who) {
		lines = append(lines, usage+" "+what)
	}
	return lines
}

// who says who is in r.
func (h *Hall) who(r *room) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	names, n := r.who(nil, nil)
	is := " are in "
	if n == 1 {
		is = " is in "
	}
	return strconv.Itoa(n) + is + r.name + ": " + listed(names, n)
}

// topic says what r is about.
func (h *Hall) topic(r *room) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.topic == "" {
		return r.name + " has no topic"
	}
	return "the topic is " + r.topic
}
