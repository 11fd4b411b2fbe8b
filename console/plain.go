package console

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"sync"

	"duet.example/duet/framing"
)

// Plain is the Face of scripts: a line in is a message, a line out is a line; no
// prompt, no editing. The reader of its input is the caller's: closing it, or Close, ends reading.
type Plain struct {
	mu     sync.Mutex // out
	out    io.Writer
	err    error
	inputs chan Input
	gone   chan struct{}
	once   sync.Once
	wg     sync.WaitGroup
}

var _ Face = (*Plain)(nil)

// NewPlain begins to read lines. The end of in is no end of the session: a script
// that has said all it has to say still hears the answers. Where in cannot be interrupted, Close does not wait for it.
func NewPlain(in io.Reader, out io.Writer) *Plain {
	p := &Plain{out: out, inputs: make(chan Input), gone: make(chan struct{})}
	_, interruptible := in.(interface{ Cancel() })
	if interruptible {
		p.wg.Add(1)
	}
	go func() {
		if interruptible {
			defer p.wg.Done()
		}
		p.read(in)
	}()
	if interruptible {
		p.wg.Go(func() {
			<-p.gone
			in.(interface{ Cancel() }).Cancel()
		})
	}
	return p
}

func (p *Plain) read(in io.Reader) {
	r := bufio.NewReaderSize(in, 64<<10)
	for {
		line, err := readTyped(r)
		if err == nil || line != "" {
			if !p.deliver(Input{Kind: Submit, Text: line}) {
				return
			}
		}
		if err != nil {
			p.deliver(Input{Kind: EndOfInput})
			return
		}
	}
}

// readTyped reads one line of any length up to the longest message; a longer one comes in pieces.
func readTyped(r *bufio.Reader) (string, error) {
	var line strings.Builder
	for {
		part, err := r.ReadSlice('\n')
		line.Write(part)
		if errors.Is(err, bufio.ErrBufferFull) && line.Len() < framing.DefaultMaxMessage {
			continue
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			err = nil
		}
		return strings.TrimSuffix(strings.TrimSuffix(line.String(), "\n"), "\r"), err
	}
}

func (p *Plain) deliver(in Input) bool {
	select {
	case p.inputs <- in:
		return true
	case <-p.gone:
		return false
	}
}

// Print writes lines.
func (p *Plain) Print(_ context.Context, lines ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil && len(lines) > 0 {
		_, p.err = io.WriteString(p.out, strings.Join(lines, "\n")+"\n")
	}
	return p.err
}

// Inputs has a Submit for each line, and one EndOfInput.
func (p *Plain) Inputs() <-chan Input { return p.inputs }

// Close ends reading.
func (p *Plain) Close() error {
	p.once.Do(func() { close(p.gone) })
	p.wg.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// SetPrompt, SetPartial, SetInput, SetOpen, Bell and Title do nothing: a script has no use for them.
func (p *Plain) SetPrompt(string)     {}
func (p *Plain) SetPartial(string)    {}
func (p *Plain) SetInput(string)      {}
func (p *Plain) SetOpen(bool, string) {}
func (p *Plain) Bell()                {}
func (p *Plain) Title(string)         {}
