package console

import (
	"fmt"
	"strings"

	"duet.example/duet/internal/screen"
)

// A View is what the full-screen view shows beside the line that is being typed. All of it is safe text.
type View struct {
	// Peers are the live conversations, in the order of their numbers.
	Peers []ViewPeer
	// Title names the conversation whose words are shown.
	Title string
	// Lines are those words, and what duet itself has said, oldest first.
	Lines []ViewLine
	// Partial is a line that the peer has begun.
	Partial string
}

// A ViewPeer is one live conversation in the roster, or, with the number 0, the room in which the operator speaks.
type ViewPeer struct {
	Number uint64
	// Name is its name, or the peer's address, or the room's name.
	Name   string
	Unread int
	// Chosen: it is answered. Waits: it waits for an answer. Typing: it has begun a line.
	Chosen, Waits, Typing bool
}

// A ViewLine is one line, which may hold styles. Seq goes up from line to line.
type ViewLine struct {
	Seq  uint64
	Text string
}

// A mark is a row of the words: row Row of line Seq. The zero mark is the end.
type mark struct {
	seq uint64
	row int
}

const (
	// sideAt is the width from which on the roster stands at the side; below it is one line at the top.
	sideAt           = 60
	sideMin, sideMax = 20, 28
)

// A plan says where things stand on a screen.
type plan struct {
	side          int // columns of the roster at the side; 0: it is a line at the top
	width, height int // of the words
	body          int // rows above the rule
}

// planView divides a screen of w columns and h rows of which the input takes some.
func planView(w, h, input int) plan {
	p := plan{body: max(2, h-input-1)}
	p.width, p.height = max(2, w-1), p.body-1
	if w >= sideAt {
		p.side = min(max(w/3, sideMin), sideMax)
		p.width = w - 1 - p.side - 2
	}
	return p
}

// rows draws the view on w columns and h rows, with input at the bottom; the words end at to. No row is wider than w-1.
func (v View) rows(w, h int, input []string, to mark, color bool) []string {
	p := planView(w, h, len(input))
	words := v.words(p.width, p.height, to, color)
	all := make([]string, 0, h)
	below := v.below(to)
	if p.side == 0 {
		all = append(append(all, screen.Cut(v.line(), w-1)), words...)
		all = append(all, rule(w-1, -1, below))
	} else {
		words = append([]string{screen.Cut(v.Title, p.width)}, words...)
		for i, side := range v.side(p.side, p.body) {
			all = append(all, side+"│ "+words[i])
		}
		all = append(all, rule(w-1, p.side, below))
	}
	all = append(all, input...)
	return all[max(0, len(all)-h):]
}

// words are the last rows of what was said up to to, height of them.
func (v View) words(width, height int, to mark, color bool) []string {
	var rows []string // the last first
	add := func(wrapped []string) {
		for i := len(wrapped) - 1; i >= 0 && len(rows) < height; i-- {
			rows = append(rows, wrapped[i])
		}
	}
	if to == (mark{}) && v.Partial != "" {
		add(screen.Wrap(v.Partial, width, color))
	}
	for i := len(v.Lines) - 1; i >= 0 && len(rows) < height; i-- {
		l := v.Lines[i]
		if to != (mark{}) && l.Seq > to.seq {
			continue
		}
		wrapped := screen.Wrap(l.Text, width, color)
		if l.Seq == to.seq {
			wrapped = wrapped[:min(to.row+1, len(wrapped))]
		}
		add(wrapped)
	}
	all := make([]string, height)
	for i, r := range rows {
		all[len(rows)-1-i] = r
	}
	return all
}

// scroll moves the end of the words by rows, up where it is negative. It stops where the first row is the top one, and at the end.
func (v View) scroll(to mark, by int, p plan, color bool) mark {
	var marks []mark
	at := -1
	for _, l := range v.Lines {
		for row := range screen.Wrap(l.Text, p.width, color) {
			marks = append(marks, mark{l.Seq, row})
			if l.Seq < to.seq || l.Seq == to.seq && row <= to.row {
				at = len(marks) - 1
			}
		}
	}
	last := len(marks) - 1
	if to == (mark{}) {
		at = last
	}
	at = max(at+by, min(p.height-1, last))
	if at >= last {
		return mark{}
	}
	return marks[at]
}

// below is how many lines stand below the end of the words.
func (v View) below(to mark) int {
	n := 0
	for i := len(v.Lines) - 1; i >= 0 && to != (mark{}) && v.Lines[i].Seq > to.seq; i-- {
		n++
	}
	return n
}

// rule is the line above the input. It tells of what is below the words that are shown.
func rule(width, cross, below int) string {
	r := []rune(strings.Repeat("─", width))
	if cross >= 0 && cross < width {
		r[cross] = '┴'
	}
	if below > 0 {
		words := []rune(fmt.Sprintf(" ↓ %d more ", below))
		if at := width - len(words) - 2; at > cross {
			copy(r[at:], words)
		}
	}
	return string(r)
}

// side is the roster in a column of width columns and height rows. Where it has no room for all, those around the chosen one are shown.
func (v View) side(width, height int) []string {
	chosen, unread, clients := 0, 0, 0
	for i, p := range v.Peers {
		if p.Chosen {
			chosen = i
		}
		unread += p.Unread
		if p.Number != 0 {
			clients++
		}
	}
	head := count(clients, "client", "clients")
	if unread > 0 {
		head += fmt.Sprintf(", %d unread", unread)
	}
	rows := []string{pad(head, width)}
	room := height - 1
	from, to := 0, len(v.Peers)
	if to > room {
		room = max(room-1, 0)
		from = min(max(chosen-room/2, 0), to-room)
		to = from + room
	}
	for _, p := range v.Peers[from:to] {
		rows = append(rows, p.row(width))
	}
	if more := len(v.Peers) - (to - from); more > 0 && len(rows) < height {
		rows = append(rows, pad(fmt.Sprintf("  … %d more", more), width))
	}
	for len(rows) < height {
		rows = append(rows, strings.Repeat(" ", width))
	}
	return rows[:height]
}

// row shows one conversation: who, and at the right how much of it is unread.
func (p ViewPeer) row(width int) string {
	who := "  "
	if p.Chosen {
		who = "→ "
	}
	right := p.state()
	if p.Unread > 0 {
		right += fmt.Sprintf(" %d", p.Unread)
	}
	right += " "
	room := width - screen.Width(right) - 1
	return pad(screen.Cut(who+p.who(), room), width-screen.Width(right)) + right
}

// who is its number and its name.
func (p ViewPeer) who() string {
	if p.Number == 0 {
		return p.Name
	}
	return fmt.Sprintf("%d %s", p.Number, p.Name)
}

// state is … while the peer types, as far as is known, and ? while it waits for an answer.
func (p ViewPeer) state() string {
	switch {
	case p.Typing:
		return "…"
	case p.Waits:
		return "?"
	}
	return ""
}

// line is the roster in one line: the chosen one first, then those with something unread, then the others.
func (v View) line() string {
	var parts [3][]string
	for _, p := range v.Peers {
		words := p.who() + p.state()
		at := 2
		switch {
		case p.Chosen:
			words, at = "→ "+words, 0
		case p.Unread > 0:
			words, at = words+fmt.Sprintf(" (%d)", p.Unread), 1
		}
		if len(parts[at]) < 50 { // more than a line shows
			parts[at] = append(parts[at], words)
		}
	}
	var all []string
	for _, some := range parts {
		all = append(all, some...)
	}
	if len(all) == 0 {
		return v.Title
	}
	if len(parts[0]) == 0 {
		all = append([]string{"?"}, all...)
	}
	return strings.Join(all, " │ ")
}

// pad fills or cuts s to width columns.
func pad(s string, width int) string {
	s = screen.Cut(s, width)
	return s + strings.Repeat(" ", max(0, width-screen.Width(s)))
}
