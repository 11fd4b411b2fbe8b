package console

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"

	"duet.example/duet/internal/screen"
)

// An output is the terminal as bubbletea writes to it. It notices what bubbletea does not tell: that a write has
// failed, that a first frame is on the screen, and which.
type output struct {
	f      *os.File
	failed func(error)           // called once
	width  func() int            // for which frames are made
	latest atomic.Pointer[frame] // the view that the next frame is made from

	mu       sync.Mutex
	err      error
	first    string        // goes before the next frame
	framed   chan struct{} // closed once a frame has been drawn
	onScreen frame
	alt      atomic.Bool // the whole screen is ours: the alternate one is shown
	believed int         // the row of the cursor in the frame, as the renderer believes
}

// A frame is what the editor draws: rows, and the cursor.
type frame struct {
	rows []string
	x, y int
	full bool // it is the whole screen
}

func newOutput(f *os.File, width func() int, failed func(error)) *output {
	o := &output{f: f, width: width, failed: failed, framed: make(chan struct{})}
	o.latest.Store(&frame{})
	return o
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	n := len(b)
	o.switched(b)
	switch {
	case bytes.Contains(b, []byte(ansi.SetModeBracketedPaste)):
		// The first frame after each start switches that on.
		o.onScreen = *o.latest.Load()
		o.believed = o.onScreen.y
		defer o.drawn()
	case bytes.Contains(b, []byte(ansi.ResetModeBracketedPaste)):
		// The last one, which must get through.
	case bytes.HasPrefix(b, []byte(ansi.ResetModeTextCursorEnable)), bytes.HasPrefix(b, []byte(ansi.SetModeSynchronizedOutput)):
		latest := o.latest.Load()
		o.believed = latest.y
		if w, _, err := term.GetSize(int(o.f.Fd())); err == nil && w < o.width() && !latest.full && !o.onScreen.full {
			// The terminal has become narrower and bubbletea does not know yet. What is on the screen can still
			// be found; this frame could not. Another follows.
			return n, nil
		}
		o.onScreen = *latest
		b = append([]byte(o.first), b...)
		o.first = ""
	case bytes.HasPrefix(b, []byte("\r")):
		// A print leaves the cursor at the start of the frame.
		o.onScreen.x, o.onScreen.y, o.believed = 0, 0, 0
		b = append([]byte(o.first), b...)
		o.first = ""
	}
	if _, err := o.f.Write(bytes.ReplaceAll(b, eraseBelow, eraseBelowInPlace)); err != nil {
		o.err = err
		o.failed(err)
		return 0, err
	}
	return n, nil
}

// switched notes which of the two screens b leaves shown.
func (o *output) switched(b []byte) {
	on := bytes.LastIndex(b, []byte(ansi.SetModeAltScreenSaveCursor))
	off := bytes.LastIndex(b, []byte(ansi.ResetModeAltScreenSaveCursor))
	if on != off {
		o.alt.Store(on > off)
	}
}

// drawn is called with mu held.
func (o *output) drawn() {
	select {
	case <-o.framed:
	default:
		close(o.framed)
	}
}

// eraseBelow is how bubbletea starts to draw a frame anew. tmux puts what is erased that way from the top row of the
// screen on into its scrollback, where it would stand twice: so the top row goes by itself.
var (
	eraseBelow        = []byte("\r\x1b[J")
	eraseBelowInPlace = []byte("\r\x1b7\x1b[K\x1b[B\x1b[J\x1b8")
)

// reflow sees to it that the next frame goes where the last one stands, on a terminal that has become width columns
// wide and has broken the rows of that frame to fit: the renderer counts whole rows.
func (o *output) reflow(width int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.onScreen.full {
		o.first = "" // what is drawn there has its place
		return
	}
	width = max(width, 1)
	y := o.onScreen.y + o.onScreen.x/width
	for _, r := range o.onScreen.rows[:min(o.onScreen.y, len(o.onScreen.rows))] {
		y += max(0, screen.Width(r)-1) / width
	}
	switch up := y - o.believed; {
	case up > 0:
		o.first = ansi.CursorUp(up)
	case up < 0:
		o.first = ansi.CursorDown(-up)
	default:
		o.first = ""
	}
}

// reset leaves the modes that the editor has set, and the alternate screen, where the editor itself does not any more.
// What the editor still writes is dropped.
func (o *output) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return
	}
	o.err = ErrClosed
	modes := ansi.ResetModifyOtherKeys + ansi.PopKittyKeyboard(1)
	if o.alt.Load() {
		modes += ansi.ResetModeAltScreenSaveCursor
	}
	modes += ansi.ResetStyle + ansi.ResetModeSynchronizedOutput + ansi.ResetModeBracketedPaste + ansi.SetModeTextCursorEnable
	_, _ = o.f.WriteString(modes + "\r\n")
}

func (o *output) Read(b []byte) (int, error) { return o.f.Read(b) }
func (o *output) Fd() uintptr                { return o.f.Fd() }

// Close leaves the file alone: it is the caller's.
func (o *output) Close() error { return nil }

// ready is closed when a frame is on the screen.
func (o *output) ready() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.framed
}

// unframe forgets the frame: the screen has been given to another program.
func (o *output) unframe() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.framed = make(chan struct{})
}

// An input is the terminal as bubbletea reads from it, which does not tell that it has come to its end either.
type input struct {
	*os.File
	ended func(error)
}

func (i *input) Read(b []byte) (int, error) {
	n, err := i.File.Read(b)
	if err != nil {
		if !errors.Is(err, io.EOF) {
			i.ended(err)
		} else {
			i.ended(errors.New("end of the terminal's input"))
		}
	}
	return n, err
}

// Close leaves the file alone: it is the caller's.
func (i *input) Close() error { return nil }

// stopping is the suspended process as a command that bubbletea waits for.
type stopping struct{ out *output }

func (s *stopping) Run() error {
	s.out.unframe()
	return stop()
}
func (*stopping) SetStdin(io.Reader)  {}
func (*stopping) SetStdout(io.Writer) {}
func (*stopping) SetStderr(io.Writer) {}
