package duet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/duettest"
	"duet.example/duet/framing"
)

// failing is a listener that fails before it works.
type failing struct {
	net.Listener
	left int
	err  error
}

func (f *failing) Accept() (net.Conn, error) {
	if f.left > 0 {
		f.left--
		return nil, &net.OpError{Op: "accept", Err: f.err}
	}
	return f.Listener.Accept()
}

// Accepting pauses while there are no descriptors, and goes on. The log has one line.
func TestAccept_Pauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		var pauses []time.Duration
		s := &duet.Server{Logger: log.logger(), Greeting: "hi", Options: duet.Options{Trace: &duet.Trace{
			AcceptPaused: func(err error, d time.Duration) {
				wantErr(t, "paused", err, syscall.EMFILE)
				pauses = append(pauses, d)
			},
		}}}
		l := duettest.NewListener()
		served := make(chan error, 1)
		go func() { served <- s.Serve(&failing{l, 10, syscall.EMFILE}) }()
		nc, err := l.Dial(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		p := newPeer(t, nc)
		p.want("hi\n")
		p.Close()
		s.Shutdown(context.Background())
		wantErr(t, "Serve", <-served, duet.ErrServerClosed)
		if len(pauses) != 10 || pauses[0] != 5*time.Millisecond || pauses[1] != 10*time.Millisecond || pauses[9] != time.Second {
			t.Errorf("pauses %v", pauses)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "too many open files") {
			t.Errorf("%d log lines:\n%s", n, log.String())
		}
	})
}

// overloaded is a temporary error of a listener.
type overloaded struct{}

func (overloaded) Error() string   { return "overloaded" }
func (overloaded) Temporary() bool { return true }

// After an error that is temporary by its own method, accepting goes on, as after one of the system.
func TestAccept_Temporary(t *testing.T) {
	for _, err := range []error{overloaded{}, syscall.EAGAIN, syscall.ETIMEDOUT} {
		synctest.Test(t, func(t *testing.T) {
			var log logBuffer
			s := &duet.Server{Logger: log.logger(), Greeting: "hi"}
			l := duettest.NewListener()
			served := make(chan error, 1)
			go func() { served <- s.Serve(&failing{l, 1, err}) }()
			nc, derr := l.Dial(context.Background())
			if derr != nil {
				t.Fatalf("%v: %v", err, derr)
			}
			p := newPeer(t, nc)
			p.want("hi\n")
			p.Close()
			s.Shutdown(context.Background())
			wantErr(t, "Serve", <-served, duet.ErrServerClosed)
		})
	}
}

func TestAccept_Fails(t *testing.T) {
	var s duet.Server
	l := duettest.NewListener()
	err := s.Serve(&failing{l, 1, syscall.EBADF})
	var de *duet.Error
	if !errors.As(err, &de) || de.Op != "accept" || !errors.Is(err, syscall.EBADF) {
		t.Errorf("Serve: %v", err)
	}
}

func TestShutdown_WhileAcceptPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		s := &duet.Server{Logger: log.logger()}
		l := duettest.NewListener()
		served := make(chan error, 1)
		go func() { served <- s.Serve(&failing{l, 1 << 30, syscall.EMFILE}) }()
		time.Sleep(time.Minute)
		if n := strings.Count(log.String(), "\n"); n > 7 {
			t.Errorf("%d log lines in a minute", n)
		}
		time.Sleep(time.Millisecond) // it pauses for a second, and has just begun to
		began := time.Now()
		s.Close()
		wantErr(t, "Serve", <-served, duet.ErrServerClosed)
		if d := time.Since(began); d != 0 {
			t.Errorf("the pause held it for %v", d)
		}
	})
}

// A script is a listener whose next Accept fails or returns a connection, as its steps say.
type script struct {
	net.Listener
	fails []bool
}

func (s *script) Accept() (net.Conn, error) {
	if len(s.fails) > 0 {
		fails := s.fails[0]
		s.fails = s.fails[1:]
		if fails {
			return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
		}
	}
	return s.Listener.Accept()
}

// After accepting has worked, the next pause is short again.
func TestAccept_PausesAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		var pauses []time.Duration
		s := &duet.Server{Logger: log.logger(), Options: duet.Options{Trace: &duet.Trace{
			AcceptPaused: func(_ error, d time.Duration) { pauses = append(pauses, d) },
		}}}
		l := duettest.NewListener()
		nc, err := l.Dial(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- s.Serve(&script{l, []bool{true, true, true, false, true}}) }()
		time.Sleep(time.Second)
		nc.Close()
		s.Close()
		wantErr(t, "Serve", <-served, duet.ErrServerClosed)
		if len(pauses) != 4 || pauses[2] != 20*time.Millisecond || pauses[3] != 5*time.Millisecond {
			t.Errorf("pauses %v", pauses)
		}
	})
}

// deserted is a listener that fails, and has no peer for a server that gives up a descriptor to accept one.
type deserted struct {
	net.Listener
	fails    bool
	deadline time.Time
	once     sync.Once
	closed   chan struct{}
}

func (d *deserted) SetDeadline(t time.Time) error {
	d.deadline = t
	return nil
}

func (d *deserted) Accept() (net.Conn, error) {
	if d.fails = !d.fails; d.fails {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	var over <-chan time.Time
	if !d.deadline.IsZero() {
		over = time.After(time.Until(d.deadline))
	}
	select {
	case <-over:
		return nil, os.ErrDeadlineExceeded
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

func (d *deserted) Close() error {
	d.once.Do(func() { close(d.closed) })
	return d.Listener.Close()
}

// A peer that waited when descriptors ran out may be gone when one is given up for it.
func TestAccept_SpareForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		var pauses atomic.Int64
		s := &duet.Server{Logger: log.logger(), Busy: "no room", Options: duet.Options{Trace: &duet.Trace{
			AcceptPaused: func(error, time.Duration) { pauses.Add(1) },
		}}}
		served := make(chan error, 1)
		l := &deserted{Listener: duettest.NewListener(), closed: make(chan struct{})}
		go func() { served <- s.Serve(l) }()
		time.Sleep(time.Minute)
		if n := pauses.Load(); n < 60 {
			t.Errorf("in a minute it paused %d times", n)
		}
		s.Close()
		wantErr(t, "Serve", <-served, duet.ErrServerClosed)
	})
}

// A refused peer receives one message, in the server's framing, and an orderly end.
func TestBusy_C16(t *testing.T) {
	full := func(_ context.Context, _ net.Addr) error { return errors.New("not today") }
	for _, test := range []struct {
		name    string
		framing framing.Framing
		busy    string
		want    string
	}{
		{"lines", nil, "try later", "try later\n"},
		{"auto", framing.Auto, "try later", "try later\n"},
		{"crlf", framing.CRLF, "try later", "try later\r\n"},
		{"length", framing.Length, "no", "\x00\x00\x00\x02no"},
		{"nothing", nil, "", ""},
		{"nothing that can be said", nil, "two\nlines", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			overEach(t, func(t *testing.T, n network) {
				refused := make(chan error, 1)
				st := start(t, n, &duet.Server{
					Options: duet.Options{Framing: test.framing, Trace: &duet.Trace{
						Refused:   func(_ net.Addr, err error) { refused <- err },
						ConnStart: func(*duet.Conn) { t.Error("a conversation began") },
					}},
					Busy: test.busy, Admit: full, Greeting: "hi",
				})
				p := st.peer(t)
				if test.want != "" {
					p.say("hello\n") // unread, it must not become a reset that destroys the words
				}
				p.want(test.want)
				p.wantEOF()
				if err := <-refused; err.Error() != "not today" {
					t.Errorf("refused because of %v", err)
				}
			})
		})
	}
}

// Refused peers that do not leave delay neither each other nor admitted peers. After a second they are
// closed. Of many, only some are sent Busy. Shutdown waits for that.
func TestBusy_Bounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &duet.Server{MaxConns: 1, Busy: "try later", Greeting: "hi"}
		l := duettest.NewListener()
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		dial := func() *peer {
			nc, err := l.Dial(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			return newPeer(t, nc)
		}
		first := dial()
		first.want("hi\n")
		began := time.Now()
		var told []*peer
		for range 64 {
			told = append(told, dial())
		}
		synctest.Wait()
		late := dial()
		late.wantEOF()
		for _, p := range told {
			p.want("try later\n")
			p.wantEOF()
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("Busy came after %v", d)
		}
		closed := make(chan error, 1)
		go func() {
			_, err := told[0].Write(make([]byte, 2<<20))
			closed <- err
		}()
		if err := <-closed; err == nil {
			t.Error("2 MiB were read from a refused peer")
		}
		if d := time.Since(began); d > time.Second {
			t.Errorf("closed after %v", d)
		}
		time.Sleep(time.Second - time.Since(began) + time.Millisecond)
		for _, p := range told[1:] {
			if _, err := p.Write([]byte("x")); err == nil {
				t.Error("a connection is open after a second")
			}
		}
		p := dial()
		p.want("try later\n")
		began = time.Now()
		first.Close()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if d := time.Since(began); d < 900*time.Millisecond || d > time.Second {
			t.Errorf("Shutdown waited %v for a refused peer", d)
		}
		wantErr(t, "Serve", <-served, duet.ErrServerClosed)
	})
}

// Without a half-close, a peer that was sent Busy is read until its end or until it is silent. In memory it is closed at once.
func TestBusy_C16_WithoutHalfClose(t *testing.T) {
	far := func(nc net.Conn) net.Conn { return distant{wrapped{nc}} }
	for name, test := range map[string]struct {
		wrap func(net.Conn) net.Conn
		peer func(p *peer)
		want time.Duration
	}{
		"silent":    {far, func(*peer) {}, silence},
		"has ended": {far, func(p *peer) { p.Close() }, 0},
		"says some words": {far, func(p *peer) {
			for range 3 {
				time.Sleep(silence / 2)
				io.WriteString(p, "still here\n")
			}
		}, 5 * silence / 2},
		"talks on": {far, func(p *peer) {
			for {
				if _, err := p.Write([]byte("x")); err != nil {
					return
				}
				time.Sleep(silence / 2)
			}
		}, time.Second},
		"in memory": {wrap, func(*peer) {}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &duet.Server{Busy: "try later", Admit: func(context.Context, net.Addr) error { return io.EOF }}
				x, y := duettest.Pipe()
				began := time.Now()
				refused := make(chan error, 1)
				go func() { refused <- s.ServeNetConn(test.wrap(x)) }()
				p := newPeer(t, y)
				p.want("try later\n")
				done := make(chan struct{})
				go func() { defer close(done); test.peer(p) }()
				wantErr(t, "ServeNetConn", <-refused, io.EOF)
				if took := time.Since(began); !about(took, test.want) {
					t.Errorf("it took %v, want %v", took, test.want)
				}
				<-done
			})
		})
	}
}

// Close does not leave a refused peer behind.
func TestBusy_Close(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &duet.Server{Busy: "try later", Admit: func(context.Context, net.Addr) error { return io.EOF }}
		x, y := duettest.Pipe()
		refused := make(chan error, 1)
		go func() { refused <- s.ServeNetConn(x) }()
		newPeer(t, y).want("try later\n")
		synctest.Wait()
		began := time.Now()
		s.Close()
		err := <-refused
		var de *duet.Error
		if !errors.As(err, &de) || de.Reason != duet.EndRefused || !errors.Is(err, io.EOF) {
			t.Errorf("ServeNetConn: %v", err)
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("ServeNetConn came back after %v", d)
		}
	})
}

// The server reserves a place before it calls Admit, and it calls Admit last.
func TestAdmit_Last(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		asked := make(chan func(error), 1)
		refused := make(chan error, 2)
		s := &duet.Server{
			MaxConns: 1, Greeting: "hi",
			Admit: func(context.Context, net.Addr) error {
				answer := make(chan error)
				asked <- func(err error) { answer <- err }
				return <-answer
			},
			Options: duet.Options{
				Trace: &duet.Trace{Refused: func(_ net.Addr, err error) { refused <- err }},
				// The connections are closed one after another below.
				CloseTimeout: -1,
			},
		}
		var wg sync.WaitGroup
		defer wg.Wait()
		serve := func() *peer {
			x, y := connect(t, n)
			wg.Go(func() { s.ServeNetConn(x) })
			return newPeer(t, y)
		}
		serve()
		yes := <-asked
		x, y := connect(t, n)
		wantErr(t, "ServeNetConn beside one that is at the door", s.ServeNetConn(x), duet.ErrFull)
		newPeer(t, y).wantEOF()
		wantErr(t, "refused", <-refused, duet.ErrFull)
		yes(io.ErrNoProgress)
		wantErr(t, "refused", <-refused, io.ErrNoProgress)
		p := serve() // its place was given back
		(<-asked)(nil)
		p.want("hi\n")
		p.Close()
	})
}

// An admitted peer has a conversation, also if the server is closed at that moment.
func TestAdmit_ThenClosed(t *testing.T) {
	for name, end := range map[string]func(*duet.Server){
		"Close":    func(s *duet.Server) { s.Close() },
		"Shutdown": func(s *duet.Server) { go s.Shutdown(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told heard
				s := &duet.Server{Greeting: "hi"}
				s.Trace = &duet.Trace{
					ConnStart: func(*duet.Conn) { told.add("start") },
					ConnEnd:   func(_ *duet.Conn, r duet.EndReason, _ error) { told.add(r.String()) },
					Refused:   func(net.Addr, error) { told.add("refused") },
				}
				s.Admit = func(context.Context, net.Addr) error {
					end(s)
					synctest.Wait()
					return nil
				}
				x, y := duettest.Pipe()
				done := make(chan struct{})
				go func() { defer close(done); s.ServeNetConn(x) }()
				newPeer(t, y).wantEOF()
				<-done
				if got := told.all(); got != "start|shutdown" {
					t.Errorf("told %s", got)
				}
				if len(slices.Collect(s.Conns())) != 0 {
					t.Error("it is still there")
				}
			})
		})
	}
}

func TestAcceptTimeout_C14(t *testing.T) {
	serve := func(s *duet.Server) (*duettest.Listener, <-chan error) {
		l, served := duettest.NewListener(), make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		return l, served
	}
	wantNobody := func(t *testing.T, err error, began time.Time, after time.Duration) {
		t.Helper()
		wantErr(t, "Serve", err, duet.ErrNobodyCame)
		var de *duet.Error
		if !errors.As(err, &de) || de.Reason != duet.EndTimeout || !de.Timeout() {
			t.Errorf("error %#v", err)
		}
		if d := time.Since(began); d != after {
			t.Errorf("gave up after %v, want %v", d, after)
		}
	}
	t.Run("nobody", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			s := &duet.Server{AcceptTimeout: time.Minute}
			_, first := serve(s)
			l, second := serve(s)
			wantNobody(t, <-first, began, time.Minute)
			wantNobody(t, <-second, began, time.Minute)
			if _, err := l.Dial(context.Background()); err == nil {
				t.Error("a peer was admitted")
			}
		})
	})
	t.Run("refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			l, served := serve(&duet.Server{AcceptTimeout: time.Minute, Admit: func(context.Context, net.Addr) error { return io.EOF }})
			time.Sleep(time.Second)
			nc, err := l.Dial(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			newPeer(t, nc).wantEOF()
			wantNobody(t, <-served, began, time.Minute)
		})
	})
	for name, wait := range map[string]time.Duration{"in time": 0, "at the door in time": 2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &duet.Server{AcceptTimeout: time.Minute, Greeting: "hi", Admit: func(context.Context, net.Addr) error {
					time.Sleep(wait)
					return nil
				}}
				l, served := serve(s)
				for range 2 {
					nc, err := l.Dial(context.Background())
					if err != nil {
						t.Fatal(err)
					}
					nc.SetDeadline(time.Now().Add(time.Hour))
					if _, err := io.ReadFull(nc, make([]byte, 3)); err != nil {
						t.Fatal(err)
					}
					nc.Close()
					time.Sleep(time.Hour)
				}
				s.Shutdown(context.Background())
				wantErr(t, "Serve", <-served, duet.ErrServerClosed)
			})
		})
	}
}
