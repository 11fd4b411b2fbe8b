package console

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/term"

	"duet.example/duet/internal/screen"
)

// ErrClosed is what Print returns once a face is closed or its terminal has gone.
var ErrClosed = errors.New("console closed")

// ErrTerminalLost is in the error of [Face.Close] where the face has ended because its terminal is not there any more:
// the window was closed, the line was cut.
var ErrTerminalLost = errors.New("the terminal has gone")

// A Face is where a console prints and from where it reads: the terminal's editor (Terminal), or plain lines.
// All methods may be called at the same time.
type Face interface {
	// Print puts lines, which are safe text and may hold styles (SGR sequences), above the input line, in order. It
	// waits while much is still to be printed, and returns the cause when ctx ends, ErrClosed when the face has.
	Print(ctx context.Context, lines ...string) error
	// SetPrompt changes the prompt (`>>> `).
	SetPrompt(prompt string)
	// SetPartial shows an unfinished line of a peer between the scrollback and the prompt, where it is continued in
	// place; "" takes it away. It happens after what was printed before.
	SetPartial(line string)
	// SetInput puts text on the input line, unless something is being typed there.
	SetInput(text string)
	// SetOpen closes or opens the prompt: while it is closed, Enter sends nothing and why is shown; one can still type.
	SetOpen(open bool, why string)
	// Bell rings.
	Bell()
	// Title sets the title of the window.
	Title(s string)
	// Inputs delivers what the user does. It is closed when the face ends.
	Inputs() <-chan Input
	// Close prints what is still to be printed, restores the terminal and waits for all that, a few seconds at most.
	// It may be called again, and after a panic elsewhere. The error is why the face has ended, if it was not by Close.
	Close() error
}

// An Input is one thing that the user did.
type Input struct {
	Kind InputKind
	Text string // of Submit, where it may hold several lines, and of Choose
}

// An InputKind says what the user did.
type InputKind int

// What the user did.
const (
	Submit     InputKind = iota // sent a message, or gave a command
	EndOfInput                  // Ctrl-D on an empty line, or the end of the file
	Interrupt                   // Ctrl-C: stop
	Choose                      // chose another conversation by a key: Text is its number, or + and - for the next and the one before
)

func (k InputKind) String() string {
	switch k {
	case Submit:
		return "submit"
	case EndOfInput:
		return "end of input"
	case Interrupt:
		return "interrupt"
	case Choose:
		return "choose"
	}
	return fmt.Sprintf("InputKind(%d)", int(k))
}

// TerminalOptions are what a Terminal is made of.
type TerminalOptions struct {
	In, Out *os.File // a terminal each; nil: stdin, stdout. They stay open
	Prompt  string   // "": `>>> `
	History *History // nil: none
	// Complete is asked at Tab: candidates take the place of line[from:cursor], in bytes. It must not wait, nor call
	// the Terminal. It may be called before NewTerminal has returned. nil: Tab types a tab.
	Complete func(line string, cursor int) (from int, candidates []string)
	Color    bool // whether styles may be printed
}

const (
	defaultPrompt = ">>> "

	// maxInputs bounds what the user did and nobody has taken yet. The last few places are for Ctrl-C and Ctrl-D.
	maxInputs, reservedInputs = 64, 4

	// drainTime is how long Close waits for what is still to be printed, and closeTime for the terminal after that.
	drainTime, closeTime = 2 * time.Second, 2 * time.Second

	// restoreTime is how long Restore waits for the editor, and then for the terminal.
	restoreTime = 400 * time.Millisecond
)

// A Terminal is a Face on a terminal: messages appear above the line that is being typed and never disturb it.
//
// Signals are the caller's: it closes the Terminal, which then leaves the terminal as it was.
type Terminal struct {
	opts   TerminalOptions
	queue  *queue
	inputs chan Input
	out    *output
	prog   *tea.Program
	state  *term.State

	width, height atomic.Int64 // of the screen, as the editor last heard

	ctx       context.Context
	cancel    context.CancelFunc // when the editor has ended
	leaveOnce sync.Once
	leaving   chan struct{} // closed: the editor is to end
	told      chan struct{} // closed when it has been told
	redraws   chan struct{} // holds one: the full view is to be drawn
	drawn     chan struct{} // closed when nothing redraws any more
	feeding   chan struct{} // closed when nothing more is printed
	done      chan struct{} // closed when the terminal is restored

	mu  sync.Mutex
	err error // why it ended, other than by Close

	closing sync.Once
}

var _ Face = (*Terminal)(nil)

// NewTerminal takes over the terminal until Close. It fails where In or Out is no terminal.
func NewTerminal(opts TerminalOptions) (*Terminal, error) {
	if opts.In == nil {
		opts.In = os.Stdin
	}
	if opts.Out == nil {
		opts.Out = os.Stdout
	}
	if opts.Prompt == "" {
		opts.Prompt = defaultPrompt
	}
	state, err := term.GetState(int(opts.In.Fd()))
	if err != nil {
		return nil, fmt.Errorf("console: %s is no terminal: %w", opts.In.Name(), err)
	}
	width, height, err := term.GetSize(int(opts.Out.Fd()))
	if err != nil {
		return nil, fmt.Errorf("console: %s is no terminal: %w", opts.Out.Name(), err)
	}
	t := &Terminal{
		opts:    opts,
		queue:   newQueue(),
		inputs:  make(chan Input, maxInputs),
		state:   state,
		leaving: make(chan struct{}),
		told:    make(chan struct{}),
		redraws: make(chan struct{}, 1),
		drawn:   make(chan struct{}),
		feeding: make(chan struct{}),
		done:    make(chan struct{}),
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.out = newOutput(opts.Out, func() int { return int(t.width.Load()) }, t.lost)
	e := newEditor(t, width, height)
	t.prog = tea.NewProgram(e,
		tea.WithContext(t.ctx), // so that Send ends with it
		tea.WithInput(&input{File: opts.In, ended: t.lost}),
		tea.WithOutput(t.out),
		tea.WithFilter(e.filter),
		tea.WithoutSignalHandler(),
	)
	go t.run()
	go t.feed()
	go t.tell()
	go t.redraw()
	return t, nil
}

// lost ends the face since the terminal has gone.
func (t *Terminal) lost(err error) {
	t.fail(fmt.Errorf("console: %w: %w", ErrTerminalLost, err))
	t.leave()
}

// leave asks the editor to end, and never waits.
func (t *Terminal) leave() { t.leaveOnce.Do(func() { close(t.leaving) }) }

// tell tells the editor that it is to end, in the order that lets it wait for its reader; where its context is
// cancelled it leaves that behind.
func (t *Terminal) tell() {
	defer close(t.told)
	select {
	case <-t.leaving:
		t.prog.Send(leave{})
		t.prog.Quit()
	case <-t.ctx.Done():
	}
}

// fail remembers the first error.
func (t *Terminal) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
	}
}

func (t *Terminal) run() {
	defer func() {
		if r := recover(); r != nil {
			t.fail(fmt.Errorf("console: panic: %v", r))
		}
		t.cancel()
		_ = term.Restore(int(t.opts.In.Fd()), t.state)
		t.queue.close()
		<-t.feeding
		<-t.told
		<-t.drawn
		close(t.inputs)
		close(t.done)
	}()
	if _, err := t.prog.Run(); err != nil {
		t.fail(fmt.Errorf("console: %w", err))
	}
}

// feed prints what is queued, one batch at a time: prints that overlap come out of order, and one that is too high for
// the screen pushes the input line into the scrollback.
func (t *Terminal) feed() {
	defer close(t.feeding)
	defer func() {
		if r := recover(); r != nil {
			t.fail(fmt.Errorf("console: panic: %v", r))
			t.leave()
		}
	}()
	var held *heldLines // while the full view is open
	for {
		lines, c, ok := t.queue.take()
		switch {
		case !ok && held != nil:
			t.prog.Send(change{full: new(func() View)})
			t.printRows(held.close(t))
			return
		case !ok:
			return
		case held != nil:
			held.add(lines)
		default:
			t.printRows(lines)
		}
		if c == nil {
			continue
		}
		t.prog.Send(*c)
		switch {
		case c.full == nil:
		case *c.full != nil && held == nil:
			held = &heldLines{}
		case *c.full == nil && held != nil:
			t.printRows(held.close(t))
			held = nil
		}
	}
}

// printRows prints lines, wrapped.
func (t *Terminal) printRows(lines []string) {
	t.settle()
	var rows []string
	for _, l := range lines {
		rows = append(rows, screen.Wrap(l, int(t.width.Load())-1, t.opts.Color)...)
		for height := t.batch(); len(rows) >= height; rows = rows[height:] {
			t.print(rows[:height])
		}
	}
	if len(rows) > 0 {
		t.print(rows)
	}
}

// settle waits a moment for the editor to hear that the terminal has another width: what is printed before goes astray.
func (t *Terminal) settle() {
	for range 20 {
		w, _, err := term.GetSize(int(t.opts.Out.Fd()))
		if err != nil || w <= 0 || w == int(t.width.Load()) || wait(t.ctx.Done(), 5*time.Millisecond) {
			return
		}
	}
}

// batch is how many rows may be printed at once: as many as the highest view leaves.
func (t *Terminal) batch() int { return max(1, int(t.height.Load())-maxView) }

func (t *Terminal) print(rows []string) {
	s := strings.Join(rows, "\n")
	if s == "" {
		s = " " // an empty print is none
	}
	t.prog.Send(tea.Println(s)())
}

// Print implements [Face].
func (t *Terminal) Print(ctx context.Context, lines ...string) error {
	if len(lines) == 0 {
		return nil
	}
	return t.queue.put(ctx, lines)
}

// SetPrompt implements [Face].
func (t *Terminal) SetPrompt(prompt string) { t.queue.amend(func(c *change) { c.prompt = &prompt }) }

// SetPartial implements [Face].
func (t *Terminal) SetPartial(line string) { t.queue.amend(func(c *change) { c.partial = &line }) }

// SetInput implements [Face].
func (t *Terminal) SetInput(text string) { t.queue.amend(func(c *change) { c.input = &text }) }

// SetOpen implements [Face].
func (t *Terminal) SetOpen(open bool, why string) {
	t.queue.amend(func(c *change) { c.open, c.why = &open, why })
}

// Columns is how wide the terminal is.
func (t *Terminal) Columns() int { return int(t.width.Load()) }

// Bell implements [Face].
func (t *Terminal) Bell() { t.queue.amend(func(c *change) { c.bell = true }) }

// Title implements [Face].
func (t *Terminal) Title(s string) { t.queue.amend(func(c *change) { c.title = &s }) }

// Inputs implements [Face].
func (t *Terminal) Inputs() <-chan Input { return t.inputs }

// Close implements [Face].
func (t *Terminal) Close() error {
	t.closing.Do(func() {
		t.queue.close()
		wait(t.feeding, drainTime)
		t.leave()
		if !wait(t.done, closeTime) {
			// Somebody has stopped reading what we write. Give the terminal back all the same.
			t.fail(errors.New("console: the terminal does not take what is written to it"))
			_ = term.Restore(int(t.opts.In.Fd()), t.state)
		}
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Restore gives the terminal back within a second, for a process that a signal is about to end. It does not need the
// editor, which may hang, and prints nothing that is queued. Close may be called before and after.
func (t *Terminal) Restore() {
	t.leave()
	if wait(t.done, restoreTime) {
		return
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		t.out.reset()
	}()
	wait(written, restoreTime)
	_ = term.Restore(int(t.opts.In.Fd()), t.state)
}

// wait reports whether done was closed in time.
func wait(done <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
