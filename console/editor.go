package console

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"duet.example/duet/internal/screen"
)

const (
	maxRows    = 6 // of what is being typed, on the screen
	maxPartial = 3 // rows of an unfinished line
	maxView    = maxRows + maxPartial + 1

	// maxText bounds what is being typed, in bytes: it is the largest message.
	maxText = 1 << 20
)

// An editor is the line that is being typed, a bubbletea model. Only bubbletea's event loop uses it.
//
// It is not the textarea of bubbles, which edits code points and not characters, turns tabs into blanks, and measures
// widths differently from the renderer, so that the cursor goes astray after an emoji.
type editor struct {
	t             *Terminal
	width, height int
	method        ansi.Method // how the renderer measures

	prompt, partial, title string
	open                   bool
	why                    string // why the prompt is closed
	hint                   string // until the next key

	text   text
	killed string // what Ctrl-Y brings back
	walk   *walk
	search *search // nil: none goes on

	full     func() View // nil: the lines are shown
	whole    bool        // the whole screen is given to it; before, the line that is typed is taken away
	scrolled mark

	sized  bool // bubbletea has told the size
	hidden bool // the screen is given away
	prints uint // see View
}

type (
	leave   struct{} // the last frame shows nothing
	resumed struct{} // the screen is ours again
	cleared struct{} // the line has been taken away, for the full view
	redraw  struct{} // the full view has changed
)

func newEditor(t *Terminal, width, height int) *editor {
	e := &editor{t: t, prompt: t.opts.Prompt, open: true, walk: newWalk(t.opts.History)}
	e.resize(width, height)
	return e
}

func (e *editor) resize(width, height int) {
	if width <= 0 || height <= 0 {
		width, height = 80, 24
	}
	e.width, e.height = width, height
	e.t.width.Store(int64(width))
	e.t.height.Store(int64(height))
}

// filter sees each message before bubbletea acts on it.
func (e *editor) filter(_ tea.Model, msg tea.Msg) tea.Msg {
	// A print before the first frame would take the whole screen for ours.
	select {
	case <-e.t.out.ready():
	default:
		wait(e.t.out.ready(), 200*time.Millisecond)
	}
	if size, ok := msg.(tea.WindowSizeMsg); ok {
		first := !e.sized
		e.sized = true
		if first && size.Width == e.width && size.Height == e.height {
			return nil // tells nothing new, and would have all drawn again
		}
		e.t.out.reflow(size.Width)
		e.resize(size.Width, size.Height)
	}
	return msg
}

// Init implements [tea.Model].
func (e *editor) Init() tea.Cmd { return nil }

// Update implements [tea.Model].
func (e *editor) Update(msg tea.Msg) (same tea.Model, cmd tea.Cmd) {
	defer func() {
		if r := recover(); r != nil {
			e.hidden, same, cmd = true, e, tea.Quit
			e.t.fail(fmt.Errorf("console: panic: %v", r))
		}
	}()
	switch msg := msg.(type) {
	case tea.WindowSizeMsg: // see filter
	case tea.ModeReportMsg:
		if msg.Mode == ansi.ModeUnicodeCore &&
			(msg.Value == ansi.ModeReset || msg.Value == ansi.ModeSet || msg.Value == ansi.ModePermanentlySet) {
			e.method = ansi.GraphemeWidth
		}
	case tea.PasteMsg:
		e.accept()
		e.hint = ""
		e.insert(cleanPaste(msg.Content))
	case tea.KeyPressMsg:
		e.hint = ""
		cmd = e.key(msg)
	case change:
		cmd = e.change(msg)
	case leave:
		e.hidden = true
	case resumed:
		e.hidden = false
	case cleared:
		e.whole = e.full != nil
	case redraw: // see View
	default:
		// What was printed comes through here too; see View.
		e.prints++
	}
	return e, cmd
}

func (e *editor) change(c change) tea.Cmd {
	if c.prompt != nil {
		e.prompt = plain(*c.prompt)
	}
	if c.partial != nil {
		e.partial = *c.partial
	}
	if c.input != nil && e.text.s == "" && e.search == nil {
		e.text.set(cleanPaste(*c.input))
	}
	if c.open != nil {
		e.open, e.why = *c.open, plain(c.why)
	}
	if c.title != nil {
		e.title = plain(*c.title)
	}
	if c.bell {
		return tea.Batch(tea.Raw("\a"), e.changeFull(c))
	}
	return e.changeFull(c)
}

// plain leaves text without styles, on one line.
func plain(s string) string {
	return strings.Join(screen.Wrap(strings.ReplaceAll(s, "\n", " "), 1<<20, false), "")
}

// cleanPaste makes a message of what a terminal pastes: a line ends with \n, and nothing controls the terminal.
func cleanPaste(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.ReplaceAll(s, "\r", "\n")
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, s)
}

func (e *editor) insert(s string) {
	if len(e.text.s)+len(s) > maxText {
		e.hint = fmt.Sprintf("too long: a message has at most %d bytes", maxText)
		return
	}
	e.text.insert(s)
}

// prompts returns what stands before the first row and before each other one, of the same width.
func (e *editor) prompts() (first, other string) {
	first = e.prompt
	if e.search != nil {
		first = plain(e.search.prompt())
	}
	first = e.shorten(drawable(first, e.method), max(e.width/2, 1))
	w := e.method.StringWidth(first)
	const dots = "... "
	if w < len(dots) {
		return first, strings.Repeat(" ", w)
	}
	return first, strings.Repeat(" ", w-len(dots)) + dots
}

// shorten cuts a prompt to width columns. Its end stays, so that it looks like one.
func (e *editor) shorten(prompt string, width int) string {
	who, ok := strings.CutSuffix(prompt, " "+defaultPrompt)
	if !ok || e.method.StringWidth(prompt) <= width || width < 2*len(defaultPrompt) {
		return e.method.Truncate(prompt, width, "")
	}
	return e.method.Truncate(who, width-1-len(defaultPrompt), "…") + " " + defaultPrompt
}

// room is the width of a row without its prompt. The last column is left to the cursor: a row that fills the screen
// makes terminals differ.
func (e *editor) room() int {
	first, _ := e.prompts()
	return e.width - 1 - e.method.StringWidth(first)
}

func (e *editor) lay() layout { return lay(e.text.s, e.text.at, e.room(), e.method) }

// View implements [tea.Model].
func (e *editor) View() (v tea.View) {
	defer func() {
		if r := recover(); r != nil {
			e.t.fail(fmt.Errorf("console: panic: %v", r))
			e.t.leave()
			v = tea.NewView("")
		}
	}()
	var f frame
	switch {
	case e.hidden, e.full != nil && !e.whole:
	case e.full != nil:
		f = e.drawFull()
	default:
		f = e.draw()
	}
	e.t.out.latest.Store(&f)
	content := strings.Join(f.rows, "\n")
	// After a print bubbletea leaves the cursor at the start of the line, unless the view has changed since the last
	// frame: so resets that show nothing count the prints, of which one frame may see many.
	for bit := range 16 {
		if e.prints>>bit&1 == 1 {
			content += "\x1b[m"
		} else {
			content += "\x1b[0m"
		}
	}
	v = tea.NewView(content)
	v.AltScreen = f.full
	v.WindowTitle = e.title
	v.Cursor = &tea.Cursor{Position: tea.Position{X: f.x, Y: f.y}, Shape: asItIs}
	return v
}

// asItIs is no shape but what makes bubbletea leave the cursor's shape, which is the user's choice, as it is.
const asItIs tea.CursorShape = -1

func (e *editor) draw() (f frame) {
	room := max(1, e.height-1)
	line := e.drawLine(room)
	room -= len(line.rows)

	if e.partial != "" && room > 0 {
		rows := screen.Wrap(drawable(e.partial, e.method), e.width-1, e.t.opts.Color)
		rows = rows[max(0, len(rows)-min(maxPartial, room)):]
		room -= len(rows)
		f.rows = append(f.rows, rows...)
	}
	f.x, f.y = line.x, len(f.rows)+line.y
	f.rows = append(f.rows, line.rows...)
	if room > 0 {
		f.rows = append(f.rows, e.hintRows()...)
	}
	return f
}

// drawLine draws what is being typed, in at most room rows.
func (e *editor) drawLine(room int) (f frame) {
	l := e.lay()
	shown := min(len(l.rows), maxRows, room)
	from := max(0, min(l.y-shown/2, len(l.rows)-shown))
	first, other := e.prompts()
	f.x, f.y = e.method.StringWidth(first)+l.x, l.y-from
	for i := from; i < from+shown; i++ {
		p := other
		if i == 0 {
			p = first
		}
		f.rows = append(f.rows, p+l.rows[i].shown)
	}
	return f
}

// hintRows is the row of the hint, if there is one.
func (e *editor) hintRows() []string {
	hint := e.hintShown()
	if hint == "" {
		return nil
	}
	hint = e.method.Truncate(drawable(hint, e.method), e.width-1, "…")
	if e.t.opts.Color {
		hint = "\x1b[2m" + hint + "\x1b[m"
	}
	return []string{hint}
}

func (e *editor) hintShown() string {
	if e.hint == "" && !e.open && e.why != "" {
		return "(" + e.why + ")"
	}
	if e.hint != "" {
		return "(" + e.hint + ")"
	}
	return ""
}

// echo is how what was sent stands in the scrollback.
func (e *editor) echo(s string) []string {
	first, other := e.prompts()
	var lines []string
	for i, line := range strings.Split(s, "\n") {
		var b strings.Builder
		for j := 0; j < len(line); {
			next := nextCluster(line, j)
			b.WriteString(shown(line[j:next], ansi.GraphemeWidth)) // no renderer measures it
			j = next
		}
		p := other
		if i == 0 {
			p = first
		}
		lines = append(lines, p+b.String())
	}
	return lines
}
