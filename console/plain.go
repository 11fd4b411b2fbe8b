package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"duet.example/duet/framing"
)

// maxTyped is the longest line that is read; a longer one is refused as a whole.
const maxTyped = 16 * framing.DefaultMaxMessage

// errTypedTooLong: nobody types such a line.
var errTypedTooLong = fmt.Errorf("the line is longer than %d MiB", maxTyped>>20)

// Plain is the Face of scripts: a line in is a message, a line out is a line; no
// prompt, no editing. Output that cannot be written ends it, as a lost terminal does.
//
// Where the reader has a method Cancel, which ends a Read, Close calls it and waits for the reading
// goroutine. Another reader's Read, and a Write, may outlive Close: they cannot be ended.
type Plain struct {
	out    io.Writer
	lines  chan Input // from the reader
	inputs chan Input
	prints chan *printing
	gone   chan struct{} // closed when the face ends
	wrote  chan struct{} // closed when the writer has ended
	cancel func()        // ends reading; nil: cannot be
	wg     sync.WaitGroup

	once sync.Once // closes gone
	mu   sync.Mutex
	err  error // why it ended, other than by Close
}

// A printing is text on its way out.
type printing struct {
	text string
	done chan error // capacity 1
}

var _ Face = (*Plain)(nil)

// NewPlain begins to read lines. The end of in is no end of the face: a script
// that has said all it has to say still hears the answers.
func NewPlain(in io.Reader, out io.Writer) *Plain {
	p := &Plain{
		out: out, lines: make(chan Input), inputs: make(chan Input),
		prints: make(chan *printing), gone: make(chan struct{}), wrote: make(chan struct{}),
	}
	if c, ok := in.(interface{ Cancel() }); ok {
		p.cancel = c.Cancel
		p.wg.Go(func() { p.read(in) })
	} else {
		go p.read(in)
	}
	p.wg.Go(p.handOn)
	go p.write()
	return p
}

// handOn gives inputs to whoever takes them. It closes inputs when the face ends, whether or not reading can be ended.
func (p *Plain) handOn() {
	defer close(p.inputs)
	for {
		select {
		case in := <-p.lines:
			select {
			case p.inputs <- in:
			case <-p.gone:
				return
			}
		case <-p.gone:
			return
		}
	}
}

func (p *Plain) read(in io.Reader) {
	r := bufio.NewReaderSize(in, 64<<10)
	for {
		line, err := readTyped(r)
		switch {
		case errors.Is(err, errTypedTooLong):
			_ = p.Print(context.Background(), "not sent: "+err.Error())
			continue
		case err == nil || line != "":
			if !p.deliver(Input{Kind: Submit, Text: line}) {
				return
			}
		}
		if err == nil {
			continue
		}
		select {
		case <-p.gone:
			return
		default:
		}
		if !errors.Is(err, io.EOF) {
			_ = p.Print(context.Background(), "the input cannot be read any more: "+safe(err.Error()))
		}
		p.deliver(Input{Kind: EndOfInput})
		return
	}
}

// readTyped reads one line. One that is too long is read to its end and refused: a part of it could
// pose as a message, or as a command.
func readTyped(r *bufio.Reader) (string, error) {
	var line strings.Builder
	long := false
	for {
		part, err := r.ReadSlice('\n')
		if long = long || line.Len()+len(part) > maxTyped; !long {
			line.Write(part)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case long && (err == nil || errors.Is(err, io.EOF)):
			return "", errTypedTooLong // and the next read gives io.EOF again
		}
		return strings.TrimSuffix(strings.TrimSuffix(line.String(), "\n"), "\r"), err
	}
}

func (p *Plain) deliver(in Input) bool {
	select {
	case p.lines <- in:
		return true
	case <-p.gone:
		return false
	}
}

// Print implements [Face]: it returns when the lines are written.
func (p *Plain) Print(ctx context.Context, lines ...string) error {
	if len(lines) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	x := &printing{text: strings.Join(lines, "\n") + "\n", done: make(chan error, 1)}
	select {
	case p.prints <- x:
	case <-p.gone:
		return p.closed()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-x.done:
		return err
	case <-p.gone:
		return p.closed()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// write writes what is printed, so that a Print can be given up where the output takes nothing.
func (p *Plain) write() {
	defer close(p.wrote)
	for {
		select {
		case x := <-p.prints:
			_, err := io.WriteString(p.out, x.text)
			if err != nil {
				err = fmt.Errorf("console: output lost: %w", err)
				p.end(err)
			}
			x.done <- err
		case <-p.gone:
			return
		}
	}
}

// end ends the face. The first reason stays.
func (p *Plain) end(why error) {
	p.once.Do(func() {
		p.mu.Lock()
		p.err = why
		p.mu.Unlock()
		close(p.gone)
	})
}

// closed is why nothing can be printed.
func (p *Plain) closed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	return ErrClosed
}

// Inputs has a Submit for each line, and one EndOfInput. It is closed when the face ends.
func (p *Plain) Inputs() <-chan Input { return p.inputs }

// Close implements [Face].
func (p *Plain) Close() error {
	p.end(nil)
	if p.cancel != nil {
		p.cancel()
	}
	p.wg.Wait()
	wait(p.wrote, drainTime)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// SetPrompt implements [Face]; as the other methods that follow, it does nothing: a script has no use for it.
func (p *Plain) SetPrompt(string) {}

// SetPartial implements [Face].
func (p *Plain) SetPartial(string) {}

// SetInput implements [Face].
func (p *Plain) SetInput(string) {}

// SetOpen implements [Face].
func (p *Plain) SetOpen(bool, string) {}

// Bell implements [Face].
func (p *Plain) Bell() {}

// Title implements [Face].
func (p *Plain) Title(string) {}
