package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
)

const (
	// maxHeld and maxHeldBytes bound what is printed while the full view is open, and shown when it is closed.
	maxHeld, maxHeldBytes = 1000, 1 << 20

	// drawEvery is how often the full view is drawn again at the most.
	drawEvery = 20 * time.Millisecond

	// clearTime is more than it takes to draw a frame, at 60 a second.
	clearTime = 50 * time.Millisecond
)

// SetFull implements [FullFace].
func (t *Terminal) SetFull(view func() View) {
	t.queue.amend(func(c *change) { c.full = &view })
}

// Redraw implements [FullFace].
func (t *Terminal) Redraw() {
	select {
	case t.redraws <- struct{}{}:
	default:
	}
}

// redraw has the view drawn, but not more often than one can see.
func (t *Terminal) redraw() {
	defer close(t.drawn)
	for {
		select {
		case <-t.redraws:
			t.prog.Send(redraw{})
		case <-t.ctx.Done():
			return
		}
		if wait(t.ctx.Done(), drawEvery) {
			return
		}
	}
}

// heldLines are the last lines that were printed while the full view was open.
type heldLines struct {
	lines          []string
	bytes, dropped int
}

func (h *heldLines) add(lines []string) {
	for _, l := range lines {
		h.lines = append(h.lines, l)
		h.bytes += len(l)
	}
	for len(h.lines) > maxHeld || h.bytes > maxHeldBytes && len(h.lines) > 1 {
		h.bytes -= len(h.lines[0])
		h.lines[0] = ""
		h.lines = h.lines[1:]
		h.dropped++
	}
}

// close waits until the lines are shown again, and gives those to be printed.
func (h *heldLines) close(t *Terminal) []string {
	for range 100 {
		if !t.out.alt.Load() || wait(t.ctx.Done(), 5*time.Millisecond) {
			break
		}
	}
	if h.dropped == 0 {
		return h.lines
	}
	return append([]string{fmt.Sprintf("… %s before these", count(h.dropped, "line", "lines"))}, h.lines...)
}

// changeFull opens or closes the full view. The line that is typed is taken away before: the terminal puts the lines
// back as they were, whatever its size is then, and there must be nothing among them that we would have to find again.
func (e *editor) changeFull(c change) tea.Cmd {
	if c.full == nil {
		return nil
	}
	e.full, e.scrolled = *c.full, mark{}
	if e.full == nil {
		e.whole = false
		return nil
	}
	return tea.Tick(clearTime, func(time.Time) tea.Msg { return cleared{} })
}

// drawFull draws the full view.
func (e *editor) drawFull() frame {
	hint := e.hintRows()
	f := e.drawLine(max(1, e.height-4-len(hint)))
	input := append(f.rows, hint...)
	v := e.view()
	rows := v.rows(e.width, e.height, input, e.scrolled, e.t.opts.Color)
	return frame{rows: rows, x: f.x, y: max(0, len(rows)-len(input)) + f.y, full: true}
}

// view is the view as this terminal draws it.
func (e *editor) view() View {
	v := e.full()
	v.Title, v.Partial = drawable(v.Title, e.method), drawable(v.Partial, e.method)
	for i := range v.Lines {
		v.Lines[i].Text = drawable(v.Lines[i].Text, e.method)
	}
	for i := range v.Peers {
		v.Peers[i].Name = drawable(v.Peers[i].Name, e.method)
	}
	return v
}

// fullKey does what a key asks for that means another conversation, or other words of it.
func (e *editor) fullKey(name string) bool {
	if digit, ok := strings.CutPrefix(name, "alt+"); ok {
		if n, err := strconv.Atoi(digit); err == nil && n >= 0 {
			e.choose(digit)
			return true
		}
	}
	if e.full == nil {
		return false
	}
	switch name {
	case "ctrl+n":
		e.choose("+")
	case "ctrl+p":
		e.choose("-")
	case "pgup":
		e.scroll(-1)
	case "pgdown":
		e.scroll(1)
	default:
		return false
	}
	return true
}

func (e *editor) choose(key string) {
	e.scrolled = mark{}
	e.deliver(Input{Kind: Choose, Text: key}, maxInputs-reservedInputs)
}

// scroll moves by pages, which overlap by a row.
func (e *editor) scroll(pages int) {
	p := planView(e.width, e.height, 1)
	e.scrolled = e.view().scroll(e.scrolled, pages*max(1, p.height-1), p, e.t.opts.Color)
}
