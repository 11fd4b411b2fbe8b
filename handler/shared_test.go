//go:build unix

package handler_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"duet.example/duet"
	"duet.example/duet/framing"
	"duet.example/duet/handler"
)

// A host is a server of a Shared.
type host struct {
	*duet.Server
	addr  net.Addr
	began atomic.Int64 // conversations
	ends  chan ending
}

type ending struct {
	id     uint64
	reason duet.EndReason
	err    error
}

// share serves h until the test is over.
func share(t testing.TB, h *handler.Shared, opts ...func(*duet.Server)) *host {
	t.Helper()
	l := get(net.Listen("tcp", "127.0.0.1:0"))(t)
	s := &host{addr: l.Addr(), ends: make(chan ending, 1000)}
	s.Server = &duet.Server{
		Handler: h, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Options: duet.Options{
			CloseTimeout: 100 * time.Millisecond,
			Trace: &duet.Trace{
				ConnStart: func(*duet.Conn) { s.began.Add(1) },
				ConnEnd:   func(c *duet.Conn, r duet.EndReason, err error) { s.ends <- ending{c.ID(), r, err} },
			},
		},
	}
	for _, opt := range opts {
		opt(s.Server)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.Serve(l)
	}()
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		must(t, s.Shutdown(context.Background()))
		<-served
	})
	return s
}

// want waits for the next end.
func (s *host) want(t testing.TB, reason duet.EndReason, cause error) error {
	t.Helper()
	select {
	case e := <-s.ends:
		if e.reason != reason || cause != nil && !errors.Is(e.err, cause) {
			t.Errorf("conversation %d ended as %v (%v), want %v (%v)", e.id, e.reason, e.err, reason, cause)
		}
		return e.err
	case <-time.After(4 * soon):
		t.Fatal("no conversation ends")
		return nil
	}
}

// A talker is a peer that sends and receives lines.
type talker struct {
	net.Conn
	*bufio.Reader
}

func (p talker) Read(b []byte) (int, error) { return p.Reader.Read(b) }

// join connects, and waits until the server has the conversation.
func (s *host) join(t testing.TB) talker {
	t.Helper()
	before := s.began.Load()
	c := get(net.Dial("tcp", s.addr.String()))(t)
	t.Cleanup(func() { c.Close() })
	until(t, "one more conversation", func() bool { return s.began.Load() > before })
	return talker{c, bufio.NewReader(c)}
}

// TestSharedMany: each line of a peer reaches all peers whole, once, and in the same order.
func TestSharedMany(t *testing.T) {
	const peers, each = 10, 60
	s := share(t, &handler.Shared{Args: []string{"cat"}})
	var all []talker
	for range peers {
		p := s.join(t)
		// A peer whose line comes back has joined.
		sendText(t, p, "hello\n")
		for _, q := range append(all, p) {
			wantText(t, q, "hello\n")
		}
		all = append(all, p)
	}
	heard := make([]string, peers)
	var wg sync.WaitGroup
	for i, p := range all {
		wg.Go(func() {
			for n := range each {
				sendText(t, p, fmt.Sprintf("%d %d %s\n", i, n, strings.Repeat("x", i*n)))
			}
		})
		wg.Go(func() {
			var b strings.Builder
			next := make([]int, peers)
			for range peers * each {
				line := get(p.ReadString('\n'))(t)
				b.WriteString(line)
				var who, n int
				var x string
				fmt.Sscanf(line, "%d %d %s", &who, &n, &x)
				if len(x) != who*n || n != next[who] {
					t.Errorf("peer %d heard %.60q where number %d is next", i, line, next[who])
					return
				}
				next[who]++
			}
			heard[i] = b.String()
		})
	}
	wg.Wait()
	for i := range heard {
		if heard[i] != heard[0] {
			t.Errorf("peers 0 and %d heard in another order", i)
		}
	}
}

// TestSharedLines: a message is one line, whatever is in it.
func TestSharedLines(t *testing.T) {
	t.Parallel()
	tests := []struct {
		framing    framing.Framing
		said, want string
	}{
		{framing.LF, "one\ntwo\r\n\nthr\ree\n", "[one]\n[two]\n[]\n[thr ee]\n"},
		{framing.CRLF, "o\nne\r\n", "[o ne]\r\n"},
		{framing.NUL, "a\nb\r\nc\r\n\x00", "[a b  c]\x00"},
		{framing.Length, "\x00\x00\x00\x04a\nb\n", "\x00\x00\x00\x05[a b]"},
	}
	for _, tt := range tests {
		t.Run(tt.framing.String(), func(t *testing.T) {
			s := share(t, &handler.Shared{Shell: `while IFS= read -r line; do printf '[%s]\r\n' "$line"; done`},
				func(s *duet.Server) { s.Framing = tt.framing })
			p := s.join(t)
			sendText(t, p, tt.said)
			wantText(t, p, tt.want)
		})
	}
	t.Run("too long for one message", func(t *testing.T) {
		s := share(t, &handler.Shared{Args: child("print zeros", fmt.Sprint(framing.DefaultMaxMessage*5/2))})
		n := 0
		for p := s.join(t); ; n++ {
			if _, err := p.ReadString('\n'); err != nil {
				break
			}
		}
		if n != 3 {
			t.Errorf("heard %d messages, want 3", n)
		}
	})
	t.Run("what cannot be carried", func(t *testing.T) {
		var log lines
		s := share(t, &handler.Shared{Shell: `read x; printf 'a\0b\nc\n'; read x`, Log: func(l string) { log.add(nil, l) }},
			func(s *duet.Server) { s.Framing = framing.NUL })
		p := s.join(t)
		sendText(t, p, "go\x00")
		wantText(t, p, "c\x00")
		if got := log.get(); len(got) != 1 || !strings.Contains(got[0], "framing") {
			t.Errorf("logged %q", got)
		}
	})
}

// TestSharedNumbers: the program reads the number of the sender, and chooses the receiver.
func TestSharedNumbers(t *testing.T) {
	t.Parallel()
	var log lines
	s := share(t, &handler.Shared{
		Shell:   `while read -r n text; do echo "$n you said $text"; echo "* $n spoke"; echo "99 nobody"; echo "all"; done`,
		Numbers: true, Log: func(l string) { log.add(nil, l) },
	})
	one, two := s.join(t), s.join(t)
	sendText(t, one, "hello\n")
	wantText(t, one, "you said hello\n1 spoke\n")
	sendText(t, two, "1 pretend\n")
	for line := ""; line != "you said 1 pretend\n"; { // it may have heard the first as well
		line = get(two.ReadString('\n'))(t)
	}
	wantText(t, two, "2 spoke\n")
	wantText(t, one, "2 spoke\n")
	sendText(t, one, "hello again\n")
	wantText(t, one, "you said hello again\n1 spoke\n")
	wantText(t, two, "1 spoke\n")
	until(t, "it is told what was left out", func() bool { return len(log.get()) == 3 })
}

// count wants n lines that are all the same.
func count(t testing.TB, p talker, n int, line string) {
	t.Helper()
	for i := range n {
		if got, err := p.ReadSlice('\n'); string(got) != line {
			t.Fatalf("line %d of %d is %.40q, %v", i, n, got, err)
		}
	}
}

// printing is a line for the shell that prints a line n times, when it reads one.
func printing(n int, line string) string {
	return fmt.Sprintf("read x; yes %s | head -n %d; read x", strings.TrimSpace(line), n)
}

// TestSharedSlowPeer: one that does not read ends, and the others lose nothing.
func TestSharedSlowPeer(t *testing.T) {
	t.Parallel()
	const n = 20_000
	line := strings.Repeat("0123456789", 100) + "\n"
	// The slow one ends because of its queue, not because of the time.
	s := share(t, &handler.Shared{Shell: printing(n, line)}, func(s *duet.Server) { s.SendTimeout = time.Hour })
	slow, healthy := s.join(t), s.join(t)
	must(t, slow.Conn.(*net.TCPConn).SetReadBuffer(4<<10))
	sendText(t, healthy, "go\n")
	count(t, healthy, n, line)
	s.want(t, duet.EndSlowPeer, duet.ErrSlowPeer)
	if n := len(s.ends); n > 0 {
		t.Errorf("%d more have ended", n)
	}
}

// TestSharedPace: a program that prints faster than its only peer reads waits for it.
func TestSharedPace(t *testing.T) {
	t.Parallel()
	const n = 20_000
	line := strings.Repeat("0123456789", 50) + "\n"
	s := share(t, &handler.Shared{Shell: printing(n, line)}, func(s *duet.Server) { s.QueueSize = 256 << 10 })
	p := s.join(t)
	sendText(t, p, "go\n")
	for range 10 {
		time.Sleep(10 * time.Millisecond) // slower than it is printed, that is all
		count(t, p, n/10, line)
	}
}

// TestSharedDeaf: while the program does not read, peers with a message wait, and all peers still receive.
func TestSharedDeaf(t *testing.T) {
	t.Parallel()
	s := share(t, &handler.Shared{Shell: "while sleep 0.05; do echo tick; done", Patience: 500 * time.Millisecond})
	speaker, other, listener := s.join(t), s.join(t), s.join(t)
	go io.Copy(speaker, endless("much ado about nothing\n"))
	s.want(t, duet.EndTimeout, handler.ErrProgramDeaf)
	for range 5 {
		wantText(t, listener, "tick\n")
	}
	// A conversation that waits can be kicked.
	go io.Copy(other, endless("nothing\n"))
	for c := range s.Conns() {
		if c.ID() == 2 {
			c.Kick("")
		}
	}
	s.want(t, duet.EndKicked, nil)
	wantText(t, listener, "tick\n")
}

// endless repeats text.
func endless(text string) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		n := 0
		for n+len(text) <= len(p) {
			n += copy(p[n:], text)
		}
		return n, nil
	})
}

// TestSharedEnds: when the program ends all conversations do, and it is started again, but not at once.
func TestSharedEnds(t *testing.T) {
	t.Parallel()
	s := share(t, &handler.Shared{Shell: "while read x; do echo $x; test $x = end && exit 3; done"})
	one, two := s.join(t), s.join(t)
	sendText(t, one, "one\n")
	wantText(t, one, "one\n")
	sendText(t, two, "two\n")
	for line := ""; line != "two\n"; {
		line = get(two.ReadString('\n'))(t)
	}
	wantText(t, one, "two\n")
	began := time.Now()
	sendText(t, two, "end\n")
	for _, p := range []talker{one, two} {
		wantAll(t, p, "end\n")
		p.Close()
		wantExit(t, s.want(t, duet.EndHandlerFailed, nil), 3, "", "program ended with status 3")
	}
	// On a busy machine it may be time for the next start before somebody comes; it is later each time.
	var err error
	until(t, "it is started again, and somebody came too early", func() bool {
		p := talker{Conn: get(net.Dial("tcp", s.addr.String()))(t)}
		defer p.Close()
		sendText(t, p, "end\n")
		heard, _ := io.ReadAll(p.Conn)
		if e := <-s.ends; e.reason == duet.EndRefused {
			err = e.err
		}
		return string(heard) == "end\n" && err != nil
	})
	if !errors.Is(err, handler.ErrRestarting) || !strings.Contains(fmt.Sprint(err), "program ended with status 3") || time.Since(began) < 100*time.Millisecond {
		t.Errorf("the first that came after it was told %v, for %v", err, time.Since(began))
	}
}

func TestSharedEndsWell(t *testing.T) {
	t.Parallel()
	s := share(t, &handler.Shared{Args: []string{"echo", "hello"}})
	p := s.join(t)
	wantAll(t, p, "hello\n")
	p.Close()
	s.want(t, duet.EndClosed, nil)
}

func TestSharedCannotStart(t *testing.T) {
	t.Parallel()
	for _, h := range []*handler.Shared{{Args: []string{"no-such-program-here"}}, {}} {
		s := share(t, h)
		p := get(net.Dial("tcp", s.addr.String()))(t)
		defer p.Close()
		wantAll(t, p, "")
		p.Close()
		s.want(t, duet.EndHandlerFailed, nil)
	}
}

// TestSharedHalfClose: the answer to the last line comes.
func TestSharedHalfClose(t *testing.T) {
	t.Parallel()
	s := share(t, &handler.Shared{Shell: `while read -r x; do sleep 0.2; echo "$x!"; done`})
	p := s.join(t)
	sendText(t, p, "one\ntwo")
	halfClose(t, p.Conn)
	wantAll(t, p, "one!\ntwo!\n")
	s.want(t, duet.EndPeerClosed, nil)
	p = s.join(t)
	sendText(t, p, "three\n")
	wantText(t, p, "three!\n")
	cut(t, p.Conn)
	s.want(t, duet.EndReset, nil)
}

func TestSharedFarewell(t *testing.T) {
	t.Parallel()
	s := share(t, &handler.Shared{Args: []string{"cat"}}, func(s *duet.Server) { s.Farewell = "bye" })
	p := s.join(t)
	sendText(t, p, "one\nbye\n")
	heard := string(get(io.ReadAll(p))(t))
	if heard != "one\nBye\n" && heard != "Bye\n" { // cat answers when it likes
		t.Errorf("heard %q", heard)
	}
	p.Close()
	s.want(t, duet.EndFarewell, nil)
}

// TestSharedClose ends the whole group and all conversations.
func TestSharedClose(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"stubborn", "leaver", "asked flood"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &handler.Shared{Args: child(name)}
			s := share(t, h)
			p := s.join(t)
			group := hearPid(t, p.Reader)
			if name == "leaver" {
				hearPid(t, p.Reader)
			}
			if name == "asked flood" {
				sendText(t, p, "go\n")
				_, _ = p.Read(make([]byte, 1)) // it floods, or has ended the conversation already
			}
			go io.Copy(io.Discard, p)
			began := time.Now()
			must(t, h.Close())
			wantGone(t, group, began)
			switch name {
			case "leaver": // it may have ended by itself
				<-s.ends
			case "asked flood":
				// The program waits for nobody, so that the peer may be too slow for it. [C-13]
				if e := <-s.ends; e.reason != duet.EndShutdown && e.reason != duet.EndSlowPeer {
					t.Errorf("the conversation ended as %v (%v)", e.reason, e.err)
				}
			default:
				s.want(t, duet.EndShutdown, duet.ErrServerClosed)
			}
			late := get(net.Dial("tcp", s.addr.String()))(t)
			defer late.Close()
			wantAll(t, late, "")
			late.Close()
			s.want(t, duet.EndShutdown, duet.ErrServerClosed)
		})
	}
	t.Run("kill", func(t *testing.T) {
		h := &handler.Shared{Args: child("stubborn")}
		h.Kill()
		h = &handler.Shared{Args: child("stubborn")}
		s := share(t, h)
		group := hearPid(t, s.join(t).Reader)
		h.Kill()
		wantGone(t, group, time.Now())
		wantExit(t, s.want(t, duet.EndHandlerFailed, nil), -1, "SIGKILL", "program was killed by SIGKILL")
	})
	t.Run("escaped", func(t *testing.T) {
		h := &handler.Shared{Args: child("escaper"), Grace: 100 * time.Millisecond}
		s := share(t, h)
		p := s.join(t)
		hearPid(t, p.Reader)
		defer syscall.Kill(hearPid(t, p.Reader), syscall.SIGKILL)
		wantAll(t, p, "")
		p.Close()
		s.want(t, duet.EndClosed, nil)
	})
}

func TestSharedStderr(t *testing.T) {
	t.Parallel()
	const program = "read x; echo oops >&2; echo answer; read x"
	var log lines
	s := share(t, &handler.Shared{Shell: program, Log: func(l string) { log.add(nil, l) }})
	p := s.join(t)
	sendText(t, p, "go\n")
	wantText(t, p, "answer\n")
	until(t, "it is logged", func() bool { return slices.Equal(log.get(), []string{"oops"}) })
	s = share(t, &handler.Shared{Shell: program, Stderr: handler.StderrPeer})
	p = s.join(t)
	sendText(t, p, "go\n")
	wantText(t, p, "oops\nanswer\n")
}

// TestSharedLinger: a peer that has finished, and still receives the lines of the program, ends when it is kicked or was reset.
func TestSharedLinger(t *testing.T) {
	t.Parallel()
	s := share(t, &handler.Shared{Shell: "while sleep 0.05; do echo tick; done", HalfOpen: -1})
	for _, kind := range []string{"tcp", "memory"} {
		for _, how := range []string{"kick", "reset"} {
			peer, nc := ends(t, kind)
			before := s.began.Load()
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				_ = s.ServeNetConn(nc)
			}()
			until(t, "one more conversation", func() bool { return s.began.Load() > before })
			halfClose(t, peer)
			wantText(t, peer, "tick\n")
			for c := range s.Conns() {
				until(t, "the peer's end", func() bool { why, _ := c.Result(); return why != duet.EndNone })
				if how == "kick" {
					c.Kick("")
				}
			}
			if how == "kick" {
				s.want(t, duet.EndKicked, nil)
			} else {
				cut(t, peer)
				if e := <-s.ends; e.reason != duet.EndReset && e.reason != duet.EndPeerClosed { // the latter if nothing was on its way
					t.Errorf("%s, %s: ended as %v (%v)", kind, how, e.reason, e.err)
				}
			}
			<-gone
		}
	}
}
