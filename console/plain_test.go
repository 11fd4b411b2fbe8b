package console_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/console"
	"duet.example/duet/desk"
	"duet.example/duet/duettest"
	"duet.example/duet/framing"
)

// A buffer is what a script has been told.
type buffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// inputs are those of p until it says nothing more.
func inputs(p *console.Plain, n int) (all []string) {
	for range n {
		in, ok := <-p.Inputs()
		if !ok {
			return append(all, "closed")
		}
		all = append(all, in.Kind.String()+" "+in.Text)
	}
	return all
}

func TestPlainReads(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for _, tt := range []struct {
		in   string
		want []string
	}{
		{"one\ntwo\r\n\nthree", []string{"submit one", "submit two", "submit ", "submit three", "end of input "}},
		{"", []string{"end of input "}},
		{long + "\n", []string{"submit " + long, "end of input "}},
		{strings.Repeat(long, 17) + "/quit\nnext\n", []string{"submit next", "end of input "}},
		{strings.Repeat(long, 17), []string{"end of input "}},
	} {
		var out buffer
		p := console.NewPlain(strings.NewReader(tt.in), &out)
		if got := inputs(p, len(tt.want)); !slices.Equal(got, tt.want) {
			t.Errorf("%.20q: got %.80q", tt.in, got)
		}
		if refused := strings.Contains(out.String(), "not sent: the line is longer than 16 MiB\n"); refused != (len(tt.in) > 16<<20) {
			t.Errorf("%.20q: told %q", tt.in, out.String())
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if got := inputs(p, 1); got[0] != "closed" {
			t.Errorf("after Close: %q", got)
		}
		if err := p.Print(t.Context(), "x"); !errors.Is(err, console.ErrClosed) {
			t.Errorf("Print after Close: %v", err)
		}
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errBroken }

func TestPlainTellsWhyReadingEnded(t *testing.T) {
	var out buffer
	p := console.NewPlain(brokenReader{}, &out)
	if got := inputs(p, 1); got[0] != "end of input " {
		t.Errorf("got %q", got)
	}
	if got := out.String(); got != `the input cannot be read any more: broken\x1b[2J`+"\n" {
		t.Errorf("told %q", got)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

// Output that is lost ends the session, though nothing comes from the input and its reader cannot be ended.
func TestPlainOutputLost(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		in, w := io.Pipe()
		defer w.Close()
		p := console.NewPlain(in, brokenWriter{})
		s := console.NewSession(console.Options{Table: (&desk.Desk{}).Operator(""), Face: p, HoldInput: true})
		out := make(chan console.Outcome, 1)
		go func() { out <- s.Run(context.Background()) }()
		synctest.Wait()
		s.Notice("x")
		if got := <-out; got != console.FaceLost {
			t.Errorf("outcome %d", got)
		}
		s.Close()
		if err := p.Close(); !errors.Is(err, errBroken) {
			t.Errorf("Close: %v", err)
		}
		if err := p.Print(t.Context(), "x"); !errors.Is(err, errBroken) {
			t.Errorf("Print: %v", err)
		}
	})
}

type stuckWriter struct{ free chan struct{} }

func (w stuckWriter) Write(p []byte) (int, error) {
	<-w.free
	return len(p), nil
}

// Neither an output that takes nothing nor an input that cannot be ended keeps Close.
func TestPlainCloseIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		in, w := io.Pipe()
		defer w.Close()
		out := stuckWriter{make(chan struct{})}
		defer close(out.free)
		p := console.NewPlain(in, out)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for range 2 { // the one that is being written, and one that waits
			if err := p.Print(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Print: %v", err)
			}
		}
		began := time.Now()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if d := time.Since(began); d > 3*time.Second {
			t.Errorf("Close took %v", d)
		}
	})
}

// A cancelReader is as bulk.Stdin is.
type cancelReader struct {
	*io.PipeReader
	ended chan struct{}
}

func (r *cancelReader) Read(p []byte) (int, error) {
	n, err := r.PipeReader.Read(p)
	if err != nil {
		close(r.ended)
	}
	return n, err
}
func (r *cancelReader) Cancel() { _ = r.CloseWithError(errBroken) }

func TestPlainCancelsReader(t *testing.T) {
	in, w := io.Pipe()
	defer w.Close()
	r := &cancelReader{in, make(chan struct{})}
	var out buffer
	p := console.NewPlain(r, &out)
	_ = p.Close()
	select {
	case <-r.ended:
	default:
		t.Error("Close did not wait for the reader")
	}
	if out.String() != "" {
		t.Errorf("told %q", out.String())
	}
}

// A script: what it says goes in order, the farewell too, and its end ends nothing.
func TestPlainScript(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var out buffer
		p := console.NewPlain(strings.NewReader("one\n/hex 7477 6f0a\n\nbye\nafter\n"), &out)
		d := &desk.Desk{}
		s := console.NewSession(console.Options{Table: d.Operator(""), Face: p, HoldInput: true, Farewell: "bye"})
		ctx, cancel := context.WithCancel(t.Context())
		outcome := make(chan console.Outcome, 1)
		go func() { outcome <- s.Run(ctx) }()
		time.Sleep(time.Minute) // the end of the input is long past
		peer, c := duettest.ConnPair(t, func(s *duet.Server) { s.Farewell, s.ShowFarewell, s.Framing = "bye", true, framing.LF })
		go func() {
			_ = duet.Serve(context.Background(), c, d)
			cancel()
		}()
		var got []string
		for m, err := range peer.Messages(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(m.Body))
			switch len(got) {
			case 1:
				if err := peer.Send(t.Context(), []byte("answer\x1b")); err != nil {
					t.Fatal(err)
				}
			case 3:
				synctest.Wait() // what follows the farewell is tried before the farewell is answered
			}
		}
		_ = peer.Close()
		if want := []string{"one", "two", "", "bye"}; !slices.Equal(got, want) {
			t.Errorf("the peer got %q, want %q", got, want)
		}
		if o := <-outcome; o != console.Stopped {
			t.Errorf("outcome %d", o)
		}
		s.Close()
		_ = p.Close()
		for _, want := range []string{"【Server】 answer\\x1b\n", "not sent: the farewell has been said", "【Server】 Bye\n", " has ended: farewell\n"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in\n%s", want, out.String())
			}
		}
	})
}
