package console_test

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"duet.example/duet"
	"duet.example/duet/console"
	"duet.example/duet/desk"
	"duet.example/duet/duettest"
	"duet.example/duet/framing"
)

// A fakeFace remembers what it is told to show.
type fakeFace struct {
	inputs chan console.Input

	mu                          sync.Mutex
	lines                       []string
	prompt, partial, text, name string
	why                         string
	open                        bool
	held                        chan struct{} // Print waits until it is closed; nil: it does not
	bells                       int
}

func (f *fakeFace) Print(ctx context.Context, lines ...string) error {
	f.mu.Lock()
	held := f.held
	f.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lines = append(f.lines, lines...)
	return nil
}

func (f *fakeFace) set(p *string, v string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*p = v
}

func (f *fakeFace) SetPrompt(s string)  { f.set(&f.prompt, s) }
func (f *fakeFace) SetPartial(s string) { f.set(&f.partial, s) }
func (f *fakeFace) SetInput(s string)   { f.set(&f.text, s) }
func (f *fakeFace) Title(s string)      { f.set(&f.name, s) }

func (f *fakeFace) SetOpen(open bool, why string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open, f.why = open, why
}

func (f *fakeFace) Bell() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bells++
}

func (f *fakeFace) Inputs() <-chan console.Input { return f.inputs }
func (f *fakeFace) Close() error                 { return nil }

func (f *fakeFace) get(p *string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return *p
}

// hold has nothing printed until free is called.
func (f *fakeFace) hold() (free func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = make(chan struct{})
	return sync.OnceFunc(func() { close(f.held) })
}

// take gives the lines shown since the last take.
func (f *fakeFace) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	lines := f.lines
	f.lines = nil
	return lines
}

// A fakePeer is the other side of one conversation, which hears all that it is told.
type fakePeer struct {
	*duet.Conn
	mu  sync.Mutex
	got []string
}

func (p *fakePeer) listen() {
	for m, err := range p.Messages(context.Background()) {
		if err != nil {
			break
		}
		p.mu.Lock()
		p.got = append(p.got, string(m.Body))
		p.mu.Unlock()
	}
	_ = p.Conn.Close()
}

// take gives what the peer was told since the last take.
func (p *fakePeer) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	got := p.got
	p.got = nil
	return got
}

// A booth is a session at a fakeFace, in a synctest bubble.
type booth struct {
	*console.Session
	t    *testing.T
	desk *desk.Desk
	face *fakeFace
	out  chan console.Outcome
	stop context.CancelFunc
	wg   sync.WaitGroup
	ctx  context.Context
}

// open begins a session and runs it. The farewell is bye.
func open(t *testing.T, o console.Options) *booth {
	t.Helper()
	return openAt(t, &desk.Desk{}, o)
}

// openAt is open at a desk of one's own.
func openAt(t *testing.T, d *desk.Desk, o console.Options) *booth {
	t.Helper()
	b := &booth{t: t, desk: d, face: &fakeFace{inputs: make(chan console.Input)}, out: make(chan console.Outcome, 1)}
	if o.Table == nil {
		o.Table = d.Operator("console")
	}
	o.Operator, o.Farewell = cmp.Or(o.Operator, "console"), "bye"
	switch f := o.Face.(type) {
	case nil:
		o.Face = b.face
	case *fakeFull:
		b.face = f.fakeFace
	}
	b.Session = console.NewSession(o)
	b.ctx, b.stop = context.WithCancel(context.Background())
	b.wg.Go(func() { b.out <- b.Run(b.ctx) })
	t.Cleanup(b.end)
	synctest.Wait()
	return b
}

func (b *booth) end() {
	b.stop()
	b.Session.Close()
	b.wg.Wait()
}

func (b *booth) converse(c *duet.Conn) {
	b.wg.Go(func() { _ = duet.Serve(b.ctx, c, b.desk) })
	synctest.Wait()
}

// connect has somebody arrive.
func (b *booth) connect(opts ...func(*duet.Server)) *fakePeer {
	b.t.Helper()
	opts = append([]func(*duet.Server){func(s *duet.Server) { s.Farewell, s.ShowFarewell = "bye", true }}, opts...)
	peer, c := duettest.ConnPair(b.t, opts...)
	p := &fakePeer{Conn: peer}
	b.wg.Go(p.listen)
	b.converse(c)
	return p
}

// connectBytes has somebody arrive who sends bytes, not messages; the framing is auto.
func (b *booth) connectBytes() net.Conn {
	b.t.Helper()
	peer, c := duettest.ConnPair(b.t, with(framing.Auto))
	nc, err := peer.Raw(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	b.converse(c)
	return nc
}

// says has the peer say something.
func (b *booth) says(p *fakePeer, text string) {
	b.t.Helper()
	if err := p.Send(context.Background(), []byte(text)); err != nil {
		b.t.Fatal(err)
	}
	synctest.Wait()
}

func (b *booth) leaves(p *fakePeer) {
	_ = p.Conn.Close()
	synctest.Wait()
}

// types has the operator type lines.
func (b *booth) types(lines ...string) {
	for _, l := range lines {
		b.face.inputs <- console.Input{Kind: console.Submit, Text: l}
		synctest.Wait()
	}
}

func (b *booth) does(k console.InputKind) {
	b.face.inputs <- console.Input{Kind: k}
	synctest.Wait()
}

// outcome is how Run has ended; it must have.
func (b *booth) outcome() console.Outcome {
	b.t.Helper()
	synctest.Wait()
	select {
	case out := <-b.out:
		return out
	default:
		b.t.Fatal("the session goes on")
		return 0
	}
}

func (b *booth) goesOn() {
	b.t.Helper()
	synctest.Wait()
	select {
	case out := <-b.out:
		b.t.Fatalf("the session has ended: %d", out)
	default:
	}
}

func (b *booth) prompts(want string) {
	b.t.Helper()
	if got := b.face.get(&b.face.prompt); got != want {
		b.t.Errorf("prompt %q, want %q", got, want)
	}
}

func (b *booth) shows(want ...string) {
	b.t.Helper()
	if got := b.face.take(); !slices.Equal(got, want) {
		b.t.Errorf("shown:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// shown fails unless one of the lines shown since the last look has each of words in it.
func (b *booth) shown(words ...string) {
	b.t.Helper()
	all := strings.Join(b.face.take(), "\n")
	for _, w := range words {
		if !strings.Contains(all, w) {
			b.t.Errorf("nothing shown has %q in it:\n%s", w, all)
		}
	}
}

func heard(t *testing.T, p *fakePeer, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := p.take(); !slices.Equal(got, want) {
		t.Errorf("the peer got %q, want %q", got, want)
	}
}

// inBubble runs f in a synctest bubble.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func with(f framing.Framing) func(*duet.Server) {
	return func(s *duet.Server) { s.Framing = f }
}

var errBroken = errors.New("broken\x1b[2J")
