package console

import (
	"strings"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"duet.example/duet/internal/screen"
)

// key does what a key asks for.
func (e *editor) key(k tea.KeyPressMsg) tea.Cmd {
	name := k.String()
	if e.search != nil && e.searchKey(name, k.Text) {
		return nil
	}
	if e.fullKey(name) {
		return nil
	}
	t := &e.text
	switch name {
	case "enter":
		e.submit()
	case "alt+enter", "shift+enter", "ctrl+j":
		e.insert("\n")
	case "ctrl+c":
		e.deliver(Input{Kind: Interrupt}, maxInputs)
	case "ctrl+d":
		if t.s == "" {
			e.deliver(Input{Kind: EndOfInput}, maxInputs)
			break
		}
		t.cut(t.right())
	case "ctrl+z":
		return e.suspend()
	case "ctrl+l":
		return tea.ClearScreen
	case "ctrl+r":
		e.search = newSearch(e.t.opts.History, *t)
	case "tab":
		e.complete()
	case "left", "ctrl+b":
		t.move(t.left())
	case "right", "ctrl+f":
		t.move(t.right())
	case "home", "ctrl+a":
		t.move(t.home())
	case "end", "ctrl+e":
		t.move(t.end())
	case "ctrl+home", "alt+<":
		t.move(0)
	case "ctrl+end", "alt+>":
		t.move(len(t.s))
	case "alt+b", "alt+left", "ctrl+left":
		t.move(t.wordLeft(inWord))
	case "alt+f", "alt+right", "ctrl+right":
		t.move(t.wordRight(inWord))
	case "up", "ctrl+p":
		e.vertical(-1)
	case "down", "ctrl+n":
		e.vertical(1)
	case "backspace", "ctrl+h", "shift+backspace":
		t.cut(t.left())
	case "delete":
		t.cut(t.right())
	case "ctrl+k":
		if to := t.end(); to != t.at {
			e.killed = t.cut(to)
		} else {
			t.cut(t.right()) // the line break
		}
	case "ctrl+u":
		if to := t.home(); to != t.at {
			e.killed = t.cut(to)
		} else {
			t.cut(t.left())
		}
	case "ctrl+w":
		e.killed = t.cut(t.wordLeft(notBlank))
	case "alt+backspace", "ctrl+backspace":
		e.killed = t.cut(t.wordLeft(inWord))
	case "alt+d", "ctrl+delete", "alt+delete":
		e.killed = t.cut(t.wordRight(inWord))
	case "ctrl+y":
		e.insert(e.killed)
	default:
		if k.Text != "" {
			e.insert(cleanPaste(k.Text))
		}
	}
	return nil
}

// searchKey reports whether the key was one of the search; every other key takes what was found and acts on it.
func (e *editor) searchKey(name, typed string) bool {
	s := e.search
	switch name {
	case "ctrl+r":
		s.older()
	case "backspace", "ctrl+h":
		_, n := utf8.DecodeLastRuneInString(s.query)
		query := s.query[:len(s.query)-n]
		s.at = len(s.entries)
		s.find(query)
	case "esc", "ctrl+g", "ctrl+c":
		e.text, e.search = s.draft, nil
		return name != "ctrl+c"
	case "enter":
		// Nothing is sent that was found by chance: a second Enter sends it.
		e.accept()
		return true
	default:
		if typed == "" {
			e.accept()
			return false
		}
		s.find(s.query + cleanPaste(typed))
	}
	e.text = s.found()
	return true
}

// accept ends a search with what it has found.
func (e *editor) accept() { e.search = nil }

func (e *editor) submit() {
	if !e.open {
		e.hint = "not sent"
		if e.why != "" {
			e.hint += ": " + e.why
		}
		return
	}
	s := e.text.s
	if len(e.t.inputs) >= maxInputs-reservedInputs {
		e.hint = "not sent: what was sent before is still on its way"
		return
	}
	e.t.queue.force(e.echo(s)) // before whatever is printed in answer
	e.deliver(Input{Kind: Submit, Text: s}, maxInputs-reservedInputs)
	e.text.set("")
	e.scrolled = mark{}
	if h := e.t.opts.History; h != nil {
		if err := h.Add(s); err != nil {
			e.hint = plain(err.Error())
		}
	}
	e.walk = newWalk(e.t.opts.History)
}

// deliver never waits: only this goroutine sends, and what finds no room is one more Ctrl-C after many.
func (e *editor) deliver(in Input, room int) {
	if len(e.t.inputs) < room {
		e.t.inputs <- in
	}
}

// vertical moves by rows, and through the history beyond the first and the last.
func (e *editor) vertical(by int) {
	l := e.lay()
	goal := l.x
	if e.text.goal > 0 {
		goal = e.text.goal - 1
	}
	if at, ok := l.vertical(e.text.s, by, goal, e.room(), e.method); ok {
		e.text.move(at)
		e.text.goal = goal + 1
		return
	}
	if s, ok := e.walk.move(by, e.text.s); ok {
		e.text.set(s)
	}
}

func (e *editor) complete() {
	t := &e.text
	if e.t.opts.Complete == nil {
		e.insert("\t")
		return
	}
	from, candidates := e.t.opts.Complete(t.s, t.at)
	if from < 0 || from > t.at || len(candidates) == 0 {
		return
	}
	common := commonPrefix(candidates)
	if len(candidates) == 1 || len(common) > t.at-from && strings.HasPrefix(common, t.s[from:t.at]) {
		t.replace(from, cleanPaste(common))
		return
	}
	if e.full != nil {
		e.hint = plain(strings.Join(candidates, "  "))
		return
	}
	e.t.queue.force(columns(candidates, e.width-1))
}

// commonPrefix returns the longest prefix of all, in whole code points.
func commonPrefix(all []string) string {
	p := all[0]
	for _, s := range all[1:] {
		for !strings.HasPrefix(s, p) {
			_, n := utf8.DecodeLastRuneInString(p)
			p = p[:len(p)-n]
		}
	}
	return p
}

// columns lists candidates in lines of at most width columns.
func columns(all []string, width int) []string {
	const most = 100
	cell := 0
	for _, s := range all {
		cell = max(cell, screen.MaxWidth(s)+2)
	}
	per := max(1, width/max(cell, 1))
	var lines []string
	for i := 0; i < min(len(all), most); i += per {
		var b strings.Builder
		for _, s := range all[i:min(i+per, len(all), most)] {
			b.WriteString(s + strings.Repeat(" ", cell-screen.MaxWidth(s)))
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	if len(all) > most {
		lines = append(lines, "…")
	}
	return lines
}

// suspend gives the screen to the shell until it gives it back.
func (e *editor) suspend() tea.Cmd {
	if !canSuspend {
		return nil
	}
	e.hidden = true
	return tea.Exec(&stopping{e.t.out}, func(error) tea.Msg { return resumed{} })
}
