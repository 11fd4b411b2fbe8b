package room

import (
	"context"
	"fmt"
	"strings"

	"duet.example/duet/internal/nickname"
)

// maxOperators is how many operators are remembered; one more speaks in the first room.
const maxOperators = 1000

// An operator is a member without a conversation.
type operator struct {
	name string
	room *room // under Hall.mu
}

// label is how members see it.
func (o *operator) label() string { return "@" + o.name }

// operatorName is the safe form of what an operator is called.
func operatorName(name string) string {
	if name == "" {
		return "operator"
	}
	return strings.ReplaceAll(safe([]byte(name)), " ", "_")
}

// operator finds or makes the operator of that name, who has said something. h.mu is held.
func (h *Hall) operator(name string) *operator {
	name = operatorName(name)
	o := h.operators[name]
	if o == nil {
		o = &operator{name: name, room: h.first}
		if len(h.operators) < maxOperators {
			h.operators[name] = o
			h.place(o, h.first)
		}
	}
	return o
}

// place puts o into r. h.mu is held.
func (h *Hall) place(o *operator, r *room) {
	from := o.room
	delete(from.operators, o)
	if r.operators == nil {
		r.operators = make(map[*operator]struct{})
	}
	o.room = r
	r.operators[o] = struct{}{}
	h.tidy(from)
}

// operatorCalled gives the label of an operator who has spoken.
func (h *Hall) operatorCalled(name string) (label string, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if o := h.operators[name]; o != nil {
		return o.label(), true
	}
	return "", false
}

// Room returns the name of the room in which an operator speaks.
func (h *Hall) Room(name string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open()
	if o := h.operators[operatorName(name)]; o != nil {
		return o.room.name
	}
	return h.first.name
}

// Enter lets an operator enter the first room, so that members see it before it speaks.
func (h *Hall) Enter(operator string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open()
	h.operator(operator)
}

// Speak sends a line of an operator to its room. A line that begins with one slash is a command. The answer is lines
// for this operator alone. Members see the name of the operator: `@ops: hello`; without a name it is `@operator`. A
// relay has no commands: there the line goes out without a name, followed by LF.
//
// Errors: ErrNoCommand, ErrNobody, ErrTooMany, those of names, and that of ctx.
func (h *Hall) Speak(ctx context.Context, operator, line string) (answer []string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.open()
	o := h.operator(operator)
	r := o.room
	h.mu.Unlock()
	s := speech{hall: h, operator: o, name: operator}
	if h.Relay {
		if err := r.ring.Append(ctx, 0, appendText(nil, h.Encoding, line+"\n")); err != nil {
			return nil, err
		}
		h.spoke(operator, r, []byte(line))
		return nil, nil
	}
	word, args, said, isCommand := parse(line)
	if isCommand {
		return s.command(ctx, r, word, args)
	}
	return nil, s.words(ctx, r, o.label()+": ", said, "")
}

// A speech is what one operator says.
type speech struct {
	hall     *Hall
	operator *operator
	name     string // as the operator was given to Speak
}

// words says text, each line labelled; Watch gets it after act.
func (s speech) words(ctx context.Context, r *room, label, text, act string) error {
	h := s.hall
	var b batch
	var lines []string
	for rest := []byte(text); len(rest) > 0; {
		var line []byte
		if line, rest = nextLine(rest); len(line) > 0 {
			lines = append(lines, string(line))
		}
	}
	if len(lines) == 0 {
		lines = []string{""}
	}
	for _, line := range lines {
		b.add(h.Encoding, label, safe([]byte(line)))
	}
	if err := r.ring.Append(ctx, 0, b.bodies()...); err != nil {
		return err
	}
	for _, line := range lines {
		h.spoke(s.name, r, []byte(act+line))
	}
	return nil
}

func (h *Hall) spoke(operator string, r *room, text []byte) {
	if f := h.Watch.Spoke; f != nil {
		f(operator, r.name, text)
	}
}

// command does what an operator asks for.
func (s speech) command(ctx context.Context, r *room, word, args string) ([]string, error) {
	c, ok := find(word, operators)
	switch {
	case !ok:
		return nil, fmt.Errorf("%w: /%s", ErrNoCommand, short(word))
	case !c.enough(args):
		return nil, fmt.Errorf("%w as this: it is %s", ErrNoCommand, c.usage())
	}
	h := s.hall
	switch c.verb {
	case verbHelp:
		return help(operators), nil
	case verbWho:
		return []string{h.who(r)}, nil
	case verbRooms:
		return []string{h.roomList()}, nil
	case verbMe:
		label := "* " + s.operator.label() + " "
		return nil, s.words(ctx, r, label, args, label)
	case verbMsg:
		return s.msg(args)
	case verbJoin:
		return s.move(args)
	case verbPart:
		return s.move("")
	case verbTopic:
		return s.topic(ctx, r, args)
	case verbMute, verbUnmute:
		return s.mute(ctx, args, c.verb == verbMute)
	case verbKick:
		return s.kick(args)
	}
	return nil, nil
}

// msg tells one member alone.
func (s speech) msg(args string) ([]string, error) {
	h := s.hall
	to, words := cutWord(args)
	m, err := h.find(to)
	if err != nil {
		return nil, err
	}
	text := safe([]byte(words))
	var b batch
	b.add(h.Encoding, s.operator.label(), " -> you: ", text)
	if err := m.tell(&b); err != nil {
		return nil, fmt.Errorf("%s does not take it: %w", m.called(), err)
	}
	return []string{"you -> " + m.called() + ": " + text}, nil
}

// move has the operator speak in another room; without a name in the first.
func (s speech) move(name string) ([]string, error) {
	h := s.hall
	h.mu.Lock()
	defer h.mu.Unlock()
	to := h.first
	if name != "" {
		var err error
		if to, err = h.roomCalled(nickname.Clean(name)); err != nil {
			return nil, err
		}
	}
	if h.operators[s.operator.name] != s.operator {
		h.tidy(to)
		return nil, fmt.Errorf("there are %d operators, and no more may choose a room", maxOperators)
	}
	h.place(s.operator, to)
	names, n := to.who(nil, nil)
	return []string{"you are in " + to.name + ": " + listed(names, n)}, nil
}

// topic shows what r is about, or says it.
func (s speech) topic(ctx context.Context, r *room, text string) ([]string, error) {
	h := s.hall
	if text == "" {
		return []string{h.topic(r)}, nil
	}
	text = safe([]byte(text))
	h.mu.Lock()
	r.topic = text
	h.mu.Unlock()
	h.announce(ctx, r, 0, s.operator.label()+" says what this is about: "+text)
	h.notice("the topic of %s is %s", r.name, text)
	return nil, nil
}

// mute has a member listen only, or lets it speak again.
func (s speech) mute(ctx context.Context, name string, on bool) ([]string, error) {
	h := s.hall
	m, err := h.find(name)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	r, called, was := m.room, m.name, m.muted
	m.muted = on
	h.mu.Unlock()
	what := " may speak again"
	if on {
		what = " is muted"
	}
	if was == on {
		return []string{called + what}, nil
	}
	h.announce(ctx, r, 0, called+what)
	h.notice("%s%s", called, what)
	return nil, nil
}

// kick ends a member's conversation.
func (s speech) kick(args string) ([]string, error) {
	name, why := cutWord(args)
	m, err := s.hall.find(name)
	if err != nil {
		return nil, err
	}
	called := m.called()
	m.conn.Kick(string(appendText(nil, s.hall.Encoding, safe([]byte(why)))))
	return []string{called + " is kicked"}, nil
}
