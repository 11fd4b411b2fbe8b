package console

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"

	"github.com/charmbracelet/x/ansi"
)

// An output is the terminal as bubbletea writes to it. It notices what bubbletea does not tell: that a write has
// failed, and that a first frame is on the screen.
type output struct {
	f      *os.File
	failed func(error) // called once

	mu     sync.Mutex
	err    error
	first  string        // goes before the next write
	framed chan struct{} // closed once a frame has been drawn
}

func newOutput(f *os.File, failed func(error)) *output {
	return &output{f: f, failed: failed, framed: make(chan struct{})}
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	if o.first != "" {
		b = append([]byte(o.first), b...)
	}
	n, err := o.f.Write(b)
	n = max(0, n-len(o.first))
	o.first = ""
	if err != nil {
		o.err = err
		o.failed(err)
		return n, err
	}
	// The first frame after each start switches bracketed paste on.
	if bytes.Contains(b, []byte(ansi.SetModeBracketedPaste)) {
		select {
		case <-o.framed:
		default:
			close(o.framed)
		}
	}
	return n, nil
}

func (o *output) Read(b []byte) (int, error) { return o.f.Read(b) }
func (o *output) Fd() uintptr                { return o.f.Fd() }

// Close leaves the file alone: it is the caller's.
func (o *output) Close() error { return nil }

// before has seq written in front of the next frame.
func (o *output) before(seq string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.first = seq
}

// frame is closed when a frame is on the screen.
func (o *output) frame() <-chan struct{} {
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
