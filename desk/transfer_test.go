package desk_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/desk"
	"duet.example/duet/duettest"
	"duet.example/duet/framing"
)

// random gives n bytes with line ends, farewells and zeros among them.
func random(n int) []byte {
	all := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{7})
	_, _ = rng.Read(all)
	for at := 0; at+16 < n; at += 1000 {
		copy(all[at:], "\r\nbye\r\n\x00bye\n")
	}
	return all
}

// rawPeer is a peer that sees the bytes. The queue for it holds 64 KiB.
func rawPeer(t *testing.T, d *desk.Desk, f framing.Framing, opts ...func(*duet.Server)) (nc net.Conn, served <-chan struct{}) {
	t.Helper()
	opts = append(opts, func(s *duet.Server) { s.Framing, s.QueueSize = f, 64<<10 }, farewell)
	peer, served := pair(t, d, opts...)
	nc, err := peer.Raw(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return nc, served
}

// overTables runs a test at a desk here and at one that is far.
func overTables(t *testing.T, test func(t *testing.T, d *desk.Desk, at desk.Table)) {
	t.Run("near", func(t *testing.T) {
		d := &desk.Desk{}
		test(t, d, d.Operator("anna"))
	})
	t.Run("far", func(t *testing.T) {
		d := &desk.Desk{}
		test(t, d, attach(t, d, "anna"))
	})
}

// transfer begins a transfer; what it returns waits for its end.
func transfer(t *testing.T, at desk.Table, ctx context.Context, from io.Reader) (end func() (int64, error)) {
	t.Helper()
	send, err := at.Transfer(ctx, 1, from)
	if err != nil {
		t.Fatal(err)
	}
	var size int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		size, err = send()
	}()
	return func() (int64, error) { <-ended; return size, err }
}

// Files are exact, one event each, and in order with what is said meanwhile, at each desk and in each framing.
func TestTransfer(t *testing.T) {
	data := random(1_000_000)
	for _, f := range []framing.Framing{framing.Auto, framing.LF, framing.Length, framing.Raw} {
		t.Run(f.String(), func(t *testing.T) {
			overTables(t, func(t *testing.T, d *desk.Desk, at desk.Table) {
				w := watch(t, d)
				nc, served := rawPeer(t, d, f)
				next(t, w, desk.Arrived)
				first := transfer(t, at, t.Context(), bytes.NewReader(data))
				if err := at.SayRaw(t.Context(), 1, []byte("between")); err != nil {
					t.Fatal(err)
				}
				second := transfer(t, at, t.Context(), strings.NewReader("second"))
				if err := at.Bye(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				for _, want := range []string{"between", "bye"} {
					if e := next(t, w, desk.Answered); string(e.Body) != want || e.Raw != (want == "between") || e.Operator != "anna" {
						t.Errorf("answered %+v", e)
					}
				}
				all, err := io.ReadAll(nc)
				if err != nil {
					t.Fatal(err)
				}
				if len(all) < len(data) || sha256.Sum256(all[:len(data)]) != sha256.Sum256(data) {
					t.Fatalf("%d bytes came, and not those of the file", len(all))
				}
				_, encoder := f.New(0)
				bye, _ := encoder.WireEncoding(true).Append(nil, []byte("bye"))
				if rest := string(all[len(data):]); rest != "betweensecond"+string(bye) {
					t.Errorf("then came %q", rest)
				}
				for _, tt := range []struct {
					end  func() (int64, error)
					size int
				}{{first, len(data)}, {second, 6}} {
					if n, err := tt.end(); n != int64(tt.size) || err != nil {
						t.Errorf("sent %d bytes, %v; want %d", n, err, tt.size)
					}
					if e := next(t, w, desk.Transferred); e.Stats.BytesOut != int64(tt.size) || e.Operator != "anna" || e.Err != nil || e.Number != 1 {
						t.Errorf("told %+v", e)
					}
				}
				_ = nc.Close()
				next(t, w, desk.Left)
				<-served
			})
		})
	}
}

// A peer that reads slowly gets all, from a far desk as from one that is here: its queue holds an eighth of it.
func TestSlowReaderGetsAll(t *testing.T) {
	overTables(t, func(t *testing.T, d *desk.Desk, at desk.Table) {
		w := watch(t, d)
		nc, served := rawPeer(t, d, framing.LF)
		next(t, w, desk.Arrived)
		message := bytes.Repeat([]byte("x"), 1023)
		const messages = 512
		ended := make(chan error, 1)
		go func() {
			n, _, err := at.DeliverAll(t.Context(), 1, func(yield func([]byte, error) bool) {
				for range messages {
					if !yield(message, nil) {
						return
					}
				}
			})
			if n != messages {
				err = errors.Join(err, fmt.Errorf("%d of %d messages were sent", n, messages))
			}
			send, terr := at.Transfer(t.Context(), 1, bytes.NewReader(make([]byte, messages<<10)))
			if terr == nil {
				_, terr = send()
			}
			ended <- errors.Join(err, terr)
		}()
		go func() { // somebody watches
			for {
				if _, err := w.Next(t.Context()); err != nil {
					return
				}
			}
		}()
		n, err := io.CopyN(io.Discard, iotest.HalfReader(nc), 2*messages<<10)
		if err != nil {
			t.Errorf("%d bytes came, %v", n, err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = nc.Close()
		<-served
	})
}

// A peer that has finished sending gets the rest of what is under way.
func TestTransferToPeerThatHasFinished(t *testing.T) {
	overTables(t, func(t *testing.T, d *desk.Desk, at desk.Table) {
		finished := make(chan struct{})
		nc, served := rawPeer(t, d, framing.LF, func(s *duet.Server) {
			s.Trace = &duet.Trace{Read: func(_ *duet.Conn, _ int, err error) {
				if errors.Is(err, io.EOF) {
					close(finished)
				}
			}}
		})
		untilThere(t, d)
		r, w := io.Pipe()
		end := transfer(t, at, t.Context(), r)
		if err := nc.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		<-finished
		_, _ = io.WriteString(w, "all of it")
		_ = w.Close()
		if n, err := end(); n != 9 || err != nil {
			t.Errorf("sent %d bytes, %v", n, err)
		}
		if all, err := io.ReadAll(nc); string(all) != "all of it" || err != nil {
			t.Errorf("the peer got %q, %v", all, err)
		}
		_ = nc.Close()
		<-served
	})
}

func untilThere(t *testing.T, d *desk.Desk) {
	t.Helper()
	w := d.Watch()
	defer w.Stop()
	next(t, w, desk.Arrived)
}

// An operator that goes away, or ends a transfer, ends the conversation if a part of it has left, and nothing otherwise.
func TestTransferBrokenOff(t *testing.T) {
	overTables(t, func(t *testing.T, d *desk.Desk, at desk.Table) {
		w := watch(t, d)
		nc, served := rawPeer(t, d, framing.LF)
		next(t, w, desk.Arrived)
		r, pw := io.Pipe()
		began, cancel := context.WithCancel(t.Context())
		first := transfer(t, at, began, r)
		// Bytes of more than two requests, so that some have left whatever was acknowledged.
		piece := make([]byte, 64<<10)
		go func() { _, _ = pw.Write(piece); _, _ = pw.Write(piece); _, _ = pw.Write(piece) }()
		if _, err := io.ReadFull(nc, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		ended, stop := context.WithCancel(t.Context())
		second := transfer(t, at, ended, strings.NewReader("never"))
		stop()
		if n, err := second(); n != 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("one that waited: %d bytes, %v", n, err)
		}
		if e, err := d.Entry(1); err != nil || e.Reason != duet.EndNone {
			t.Errorf("the conversation: %v, %v", e.Reason, err)
		}
		cancel()
		_ = pw.CloseWithError(io.ErrUnexpectedEOF)
		if _, err := first(); err == nil {
			t.Error("one that was broken off was sent")
		}
		for {
			e, err := w.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind == desk.Transferred && (e.Err == nil || e.Stats.BytesOut < 100) {
				t.Errorf("told %+v", e)
			}
			if e.Kind == desk.Left {
				if e.Reason != duet.EndCut {
					t.Errorf("left as %v (%v)", e.Reason, e.Err)
				}
				break
			}
		}
		<-served
	})
}

// A control socket whose client sends no more of a transfer does not keep the peer's queue for ever.
func TestTransferIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk.Desk{}
		p := controlInMemory(t, d, nil)
		w := d.Watch()
		nc, served := rawPeer(t, d, framing.LF)
		next(t, w, desk.Arrived)
		far := p.connect(t)
		in := json.NewDecoder(far)
		ask := func(line string) (reply map[string]any) {
			if _, err := io.WriteString(far, line+"\n"); err != nil {
				t.Fatal(err)
			}
			for reply["type"] != "reply" {
				clear(reply)
				if err := in.Decode(&reply); err != nil {
					t.Fatal(err)
				}
			}
			return reply
		}
		if r := ask(`{"do":"transfer","conn":1,"bytes":"","more":true}`); r["ok"] != true {
			t.Fatalf("%v", r)
		}
		if r := ask(`{"do":"transfer","conn":2,"bytes":""}`); r["ok"] != false {
			t.Errorf("another one: %v", r)
		}
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if r := ask(`{"do":"transfer","conn":1,"bytes":"AP8=","more":true}`); r["ok"] != true {
			t.Fatalf("%v", r)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		began := time.Now()
		if e := next(t, w, desk.Transferred); e.Stats.BytesOut != 2 || e.Err == nil {
			t.Errorf("told %+v", e)
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("the rest was waited for for 5 s and %v", took)
		}
		if e := next(t, w, desk.Left); e.Reason != duet.EndCut {
			t.Errorf("left as %v", e.Reason)
		}
		if r := ask(`{"do":"transfer","conn":1,"bytes":""}`); r["ok"] != false || r["bytes_out"] != 2.0 {
			t.Errorf("the rest: %v", r)
		}
		_ = nc.Close()
		_ = far.Close()
		<-served
		w.Stop()
		p.close(t)
	})
}

// A far operator that goes away while its bytes wait for their turn has sent nothing, though a request of it was read.
func TestSenderGoneBeforeItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk.Desk{}
		p := controlInMemory(t, d, nil)
		nc, served := rawPeer(t, d, framing.LF)
		untilThere(t, d)
		far, err := desk.Attach(t.Context(), p.Dial, "far")
		if err != nil {
			t.Fatal(err)
		}
		r, w := io.Pipe()
		first := transfer(t, d.Operator("near"), t.Context(), r)
		ctx, cancel := context.WithCancel(t.Context())
		second := transfer(t, far, ctx, strings.NewReader("never"))
		synctest.Wait()
		cancel()
		if n, err := second(); n != 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("%d bytes were sent, %v", n, err)
		}
		synctest.Wait()
		_, _ = io.WriteString(w, "first")
		_ = w.Close()
		if n, err := first(); n != 5 || err != nil {
			t.Errorf("the first: %d bytes, %v", n, err)
		}
		if err := d.Say(t.Context(), 1, "after"); err != nil {
			t.Error(err)
		}
		got := make([]byte, len("firstafter\n"))
		if _, err := io.ReadFull(nc, got); err != nil || string(got) != "firstafter\n" {
			t.Errorf("the peer got %q, %v", got, err)
		}
		_ = nc.Close()
		_ = far.Close()
		<-served
		p.close(t)
	})
}

// Where a handler speaks too, raw bytes are told as the operator's.
func TestSayRawBesideHandler(t *testing.T) {
	d := &desk.Desk{Next: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
		_, err := c.Receive(ctx)
		return err
	})}
	w := watch(t, d)
	s := duettest.NewServer(t, d, withTrace(d), farewell)
	c := s.Dial(t)
	next(t, w, desk.Arrived)
	far := attach(t, d, "far")
	if err := far.SayRaw(t.Context(), 1, []byte("\x02A\n")); err != nil {
		t.Fatal(err)
	}
	if e := next(t, w, desk.Answered); !e.Raw || e.Operator != "far" || string(e.Body) != "\x02A\n" {
		t.Errorf("told %+v", e)
	}
	if got := receive(t, c); got != "\x02A" {
		t.Errorf("the peer got %q", got)
	}
}
