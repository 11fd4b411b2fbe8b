//go:build unix

package handler_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"duet.example/duet"
	"duet.example/duet/handler"
)

// TestExecMany: a thousand conversations through cat, a hundred at once, each exact.
func TestExecMany(t *testing.T) {
	peers, each := 100, 10
	if testing.Short() {
		each = 2
	}
	// Some are larger than a pipe and the sockets' buffers together.
	sizes := []int64{0, 1, 100, 4096, 65537, 17, 3000, 1, 12345, 2}
	l := get(net.Listen("tcp", "127.0.0.1:0"))(t)
	ends := make(chan duet.EndReason, peers*each)
	s := &duet.Server{
		Handler: &handler.Exec{Args: []string{"cat"}},
		Options: duet.Options{Trace: &duet.Trace{ConnEnd: func(_ *duet.Conn, r duet.EndReason, _ error) { ends <- r }}},
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	var wg sync.WaitGroup
	for i := range peers {
		wg.Go(func() {
			for j := range each {
				size := sizes[(i+j)%len(sizes)]
				if i < 4 && j == 0 {
					size = 4<<20 + int64(i)
				}
				if err := throughCat(l.Addr(), byte(i*each+j), size); err != nil {
					t.Errorf("conversation %d of peer %d: %v", j, i, err)
				}
			}
		})
	}
	wg.Wait()
	for range peers * each {
		if r := <-ends; r != duet.EndPeerClosed {
			t.Errorf("a conversation ended as %v", r)
		}
	}
	must(t, s.Shutdown(t.Context()))
	<-served
}

func throughCat(a net.Addr, seed byte, size int64) error {
	c, err := net.Dial(a.Network(), a.String())
	if err != nil {
		return err
	}
	defer c.Close()
	said, failed := sha256.New(), make(chan error, 1)
	go func() {
		_, err := io.Copy(c, io.TeeReader(random(seed, size), said))
		failed <- errors.Join(err, c.(*net.TCPConn).CloseWrite())
	}()
	heard := sha256.New()
	n, err := io.Copy(heard, c)
	if err := errors.Join(err, <-failed); err != nil {
		return err
	}
	if n != size || !slices.Equal(heard.Sum(nil), said.Sum(nil)) {
		return fmt.Errorf("%d bytes came back of %d, or others", n, size)
	}
	return nil
}

// TestExecHalfClose: the reply at the end of the input comes, over every kind of connection.
func TestExecHalfClose(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, line, said, heard string }{
		{"cat", "cat", "one\ntwo\n", "one\ntwo\n"},
		{"nothing said", "cat", "", ""},
		{"answer at the end", "cat >/dev/null; echo done", "hello", "done\n"},
		{"sort", "sort", "b\na\n", "a\nb\n"},
		{"count", "wc -c | tr -d ' '", "hello", "5\n"},
		{"answer after a while", "cat >/dev/null; sleep 0.3; echo done", "hello", "done\n"},
		{"program that reads nothing", "echo done", "hello", "done\n"},
		{"stdin closed first", "exec 0<&-; sleep 0.1; echo done", strings.Repeat("hello", 100_000), "done\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, kind := range kinds {
				peer, nc := ends(t, kind)
				s := serve(t, &handler.Exec{Shell: tt.line}, nc, kind)
				sendText(t, peer, tt.said)
				halfClose(t, peer)
				wantAll(t, peer, tt.heard)
				<-s.done
				if s.err != nil && s.err != io.EOF || s.reason != duet.EndPeerClosed && s.reason != duet.EndClosed {
					t.Errorf("%s: ended as %v (%v)", kind, s.reason, s.err)
				}
			}
		})
	}
}

// TestExecFinishesFirst: a program that ends well ends the conversation, as closed by this side.
func TestExecFinishesFirst(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		peer, nc := ends(t, kind)
		s := serve(t, &handler.Exec{Args: []string{"echo", "two words", "$HOME"}}, nc, kind)
		wantAll(t, peer, "two words $HOME\n")
		peer.Close()
		s.want(t, duet.EndClosed, nil)
	}
	t.Run("and goes on to read", func(t *testing.T) {
		peer, nc := ends(t, "tcp")
		s := serve(t, &handler.Exec{Shell: "echo hello; exec 1>&-; read line; test \"$line\" = thanks"}, nc, "tcp")
		wantAll(t, peer, "hello\n")
		sendText(t, peer, "thanks\n")
		s.want(t, duet.EndClosed, nil)
	})
	t.Run("and does not end when both have", func(t *testing.T) {
		peer, nc := ends(t, "tcp")
		s := serve(t, &handler.Exec{Shell: "exec 1>&-; sleep 1000", Grace: 100 * time.Millisecond}, nc, "tcp")
		wantAll(t, peer, "")
		halfClose(t, peer)
		s.want(t, duet.EndClosed, nil)
	})
}

// TestExecTransfers sends and receives at once, more than all buffers hold.
func TestExecTransfers(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			peer, nc := ends(t, kind)
			s := serve(t, &handler.Exec{Args: []string{"cat"}}, nc, kind)
			size := bulkSize()
			go func() {
				if _, err := io.Copy(peer, random(1, size)); err != nil {
					t.Error(err)
				}
				halfClose(t, peer)
			}()
			wantSum(t, "cat", peer, 1, size)
			s.want(t, duet.EndPeerClosed, io.EOF)
			if s.stats.BytesIn != size || s.stats.BytesOut != size {
				t.Errorf("counted %d in, %d out, want %d", s.stats.BytesIn, s.stats.BytesOut, size)
			}
		})
	}
}

// TestExecStatus: how a program ended is in the ending, and the peer has all of its output.
func TestExecStatus(t *testing.T) {
	t.Parallel()
	const size = 1<<20 + 3
	for _, kind := range kinds {
		peer, nc := ends(t, kind)
		s := serve(t, &handler.Exec{Args: child("print", fmt.Sprint(size), "3")}, nc, kind)
		wantSum(t, "output", peer, 7, size)
		peer.Close()
		s.want(t, duet.EndHandlerFailed, nil)
		wantExit(t, s.err, 3, "", "program ended with status 3")
	}
	peer, nc := ends(t, "tcp")
	s := serve(t, &handler.Exec{Shell: "kill -USR1 $$"}, nc, "tcp")
	wantAll(t, peer, "")
	peer.Close()
	s.want(t, duet.EndHandlerFailed, nil)
	wantExit(t, s.err, -1, "SIGUSR1", "program was killed by SIGUSR1")
}

func wantExit(t testing.TB, err error, status int, signal, words string) {
	t.Helper()
	var ee *handler.ExitError
	if !errors.As(err, &ee) || ee.Status != status || ee.Signal != signal || !strings.HasSuffix(err.Error(), words) {
		t.Errorf("error is %v, want %q, status %d, signal %q", err, words, status, signal)
	}
}

// TestExecSlowReader: the output of a program that has ended reaches a slow peer.
func TestExecSlowReader(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			peer, nc := ends(t, kind)
			if tc, ok := peer.(*net.TCPConn); ok {
				must(t, tc.SetReadBuffer(16<<10))
				must(t, nc.(*net.TCPConn).SetWriteBuffer(16<<10))
			}
			const size = 300 << 10
			s := serve(t, &handler.Exec{Args: child("print", fmt.Sprint(size), "0"), Grace: 50 * time.Millisecond}, nc, kind)
			heard := readerFunc(func(p []byte) (int, error) {
				time.Sleep(10 * time.Millisecond)
				return peer.Read(p[:min(len(p), 4<<10)])
			})
			wantSum(t, kind, heard, 7, size)
			s.want(t, duet.EndClosed, nil)
		})
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestExecCannotStart: the operator learns why, and the peer nothing.
func TestExecCannotStart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	tests := []struct {
		name  string
		exec  *handler.Exec
		cause error
		words string
	}{
		{"not there", &handler.Exec{Args: []string{"no-such-program-here"}}, exec.ErrNotFound, "cannot start no-such-program-here: not found"},
		{"no such path", &handler.Exec{Args: []string{folder + "/x", "y"}}, syscall.ENOENT, "cannot start " + folder + "/x: not found"},
		{"a folder", &handler.Exec{Args: []string{folder}}, syscall.EACCES, "cannot start " + folder + ": not executable"},
		{"too long", &handler.Exec{Args: []string{"echo", strings.Repeat("x", 8<<20)}}, syscall.E2BIG, "cannot start echo: argument list too long"},
		{"nothing", &handler.Exec{}, nil, "either a program or a line for the shell is needed"},
		{"both", &handler.Exec{Args: []string{"cat"}, Shell: "cat"}, nil, "either a program or a line for the shell is needed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			peer, nc := ends(t, "tcp")
			s := serve(t, tt.exec, nc, "tcp")
			wantAll(t, peer, "")
			peer.Close()
			s.want(t, duet.EndHandlerFailed, tt.cause)
			if !strings.HasSuffix(s.err.Error(), tt.words) {
				t.Errorf("error is %q, want %q", s.err, tt.words)
			}
		})
	}
}

// TestExecMax: one more is refused while the others are answered, and there is room again afterwards.
func TestExecMax(t *testing.T) {
	t.Parallel()
	h := &handler.Exec{Args: []string{"cat"}, Max: 2}
	var peers []net.Conn
	var all []*served
	open := func() (net.Conn, *served) {
		peer, nc := ends(t, "tcp")
		return peer, serve(t, h, nc, "tcp")
	}
	for range 2 {
		peer, s := open()
		sendText(t, peer, "x")
		wantText(t, peer, "x")
		peers, all = append(peers, peer), append(all, s)
	}
	peer, s := open()
	wantAll(t, peer, "")
	peer.Close()
	s.want(t, duet.EndRefused, handler.ErrTooManyProcesses)
	for i, peer := range peers {
		sendText(t, peer, "y")
		halfClose(t, peer)
		wantAll(t, peer, "y")
		all[i].want(t, duet.EndPeerClosed, io.EOF)
	}
	peer, s = open()
	halfClose(t, peer)
	wantAll(t, peer, "")
	s.want(t, duet.EndPeerClosed, io.EOF)
}

// TestExecEnds: whatever ends the conversation ends the whole group, also one that ignores SIGTERM.
func TestExecEnds(t *testing.T) {
	t.Parallel()
	gone := func(peer net.Conn, _ *served) { cut(t, peer) }
	tests := []struct {
		name string
		exec *handler.Exec
		act  func(peer net.Conn, s *served)
		end  duet.EndReason
	}{
		{"peer resets", &handler.Exec{Args: child("silent")}, gone, duet.EndReset},
		{"peer resets, stubborn", &handler.Exec{Args: child("stubborn")}, gone, duet.EndReset},
		{"peer finishes, then resets", &handler.Exec{Args: child("silent")}, func(peer net.Conn, s *served) {
			halfClose(t, peer)
			time.Sleep(50 * time.Millisecond) // the FIN is there; if not, the test is an easier one
			cut(t, peer)
		}, duet.EndReset},
		{"peer says much to the deaf and resets", &handler.Exec{Args: child("silent")}, func(peer net.Conn, s *served) {
			flood(t, peer)
			cut(t, peer)
		}, duet.EndReset},
		{"time", &handler.Exec{Args: child("stubborn"), Time: 300 * time.Millisecond}, nil, duet.EndTimeout},
		{"idle", &handler.Exec{Args: child("stubborn"), Idle: 300 * time.Millisecond}, nil, duet.EndIdle},
		{"kicked", &handler.Exec{Args: child("stubborn")}, func(_ net.Conn, s *served) { (<-s.conn).Kick("") }, duet.EndKicked},
		{"kicked after the peer's end", &handler.Exec{Args: child("silent")}, func(peer net.Conn, s *served) {
			halfClose(t, peer)
			(<-s.conn).Kick("")
		}, duet.EndKicked},
		{"shutdown", &handler.Exec{Args: child("stubborn")}, func(_ net.Conn, s *served) {
			must(t, s.Shutdown(context.Background()))
		}, duet.EndShutdown},
		{"close", &handler.Exec{Args: child("stubborn")}, func(_ net.Conn, s *served) { s.Close() }, duet.EndShutdown},
		{"flood to a peer that does not read", &handler.Exec{Args: child("flood"), Send: 300 * time.Millisecond}, nil, duet.EndSlowPeer},
		{"grandchild holds the output", &handler.Exec{Args: child("leaver")}, nil, duet.EndClosed},
		{"grandchild holds nothing", &handler.Exec{Args: child("quiet leaver")}, nil, duet.EndClosed},
		{"grandchild of a shell", &handler.Exec{Shell: "echo $$; sleep 1000 & echo $!"}, nil, duet.EndClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			peer, s, group := serveChild(t, tt.exec)
			began := time.Now()
			if tt.act != nil {
				tt.act(peer, s)
				began = time.Now()
			}
			switch tt.end {
			case duet.EndTimeout, duet.EndIdle, duet.EndSlowPeer: // when that is, is not for this test
				<-s.done
				began = time.Now()
			case duet.EndClosed:
				hearPid(t, peer) // the grandchild's: the program ends now
				began = time.Now()
			}
			wantGone(t, group, began)
			s.want(t, tt.end, nil)
		})
	}
}

// TestExecEscaped: a process that has left the group goes on, and does not keep the conversation, whether it prints or not.
func TestExecEscaped(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"escaper", "chatty escaper"} {
		for _, kind := range kinds {
			t.Run(name+" over "+kind, func(t *testing.T) {
				t.Parallel()
				peer, nc := ends(t, kind)
				h := &handler.Exec{Args: child(name), Grace: 300 * time.Millisecond}
				s := serve(t, h, nc, kind)
				began := time.Now()
				hearPid(t, peer)
				defer syscall.Kill(hearPid(t, peer), syscall.SIGKILL)
				if _, err := io.Copy(io.Discard, peer); err != nil {
					t.Error(err)
				}
				peer.Close()
				s.want(t, duet.EndClosed, nil)
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("took %v", took)
				}
			})
		}
	}
}

// TestExecPeerClosesAtOnce: nothing is left of it.
func TestExecPeerClosesAtOnce(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		for range 5 {
			peer, nc := ends(t, kind)
			s := serve(t, &handler.Exec{Args: []string{"cat"}}, nc, kind)
			peer.Close()
			<-s.done
			if s.reason != duet.EndPeerClosed && s.reason != duet.EndReset {
				t.Errorf("ended as %v (%v)", s.reason, s.err)
			}
		}
	}
}

// TestExecKill: Kill leaves no process behind if there is no time for a Shutdown.
func TestExecKill(t *testing.T) {
	t.Parallel()
	peer, nc := ends(t, "tcp")
	h := &handler.Exec{Args: child("stubborn")}
	s := serve(t, h, nc, "tcp")
	group := hearPid(t, peer)
	h.Kill()
	wantGone(t, group, time.Now())
	wantAll(t, peer, "")
	peer.Close()
	s.want(t, duet.EndHandlerFailed, nil)
	wantExit(t, s.err, -1, "SIGKILL", "program was killed by SIGKILL")
	h.Kill()
}

// TestExecStderr: stderr goes where the policy says.
func TestExecStderr(t *testing.T) {
	t.Parallel()
	const line = `printf 'one\n' >&2; echo two; printf 'th\033]0;x\007ree\r\n\nlast' >&2`
	tests := []struct {
		policy handler.StderrPolicy
		heard  string
		logged []string
	}{
		{handler.StderrLog, "two\n", []string{"one", `th\x1b]0;x\x07ree`, "", "last"}},
		{handler.StderrPeer, "one\ntwo\nth\x1b]0;x\x07ree\r\n\nlast", nil},
		{handler.StderrDrop, "two\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.policy.String(), func(t *testing.T) {
			for _, kind := range kinds {
				var log lines
				peer, nc := ends(t, kind)
				s := serve(t, &handler.Exec{Shell: line, Stderr: tt.policy, Log: log.add}, nc, kind)
				wantAll(t, peer, tt.heard)
				peer.Close()
				s.want(t, duet.EndClosed, nil)
				if got := log.get(); !slices.Equal(got, tt.logged) {
					t.Errorf("logged %q, want %q", got, tt.logged)
				}
				if log.id != 0 && log.id != 1 {
					t.Errorf("logged for conversation %d", log.id)
				}
			}
		})
	}
	t.Run("nobody logs", func(t *testing.T) {
		peer, nc := ends(t, "tcp")
		s := serve(t, &handler.Exec{Shell: line}, nc, "tcp")
		wantAll(t, peer, "two\n")
		peer.Close()
		s.want(t, duet.EndClosed, nil)
	})
}

// lines holds the logged lines.
type lines struct {
	mu  sync.Mutex
	all []string
	id  uint64
}

func (l *lines) add(c *duet.Conn, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
	if c != nil {
		l.id = c.ID()
	}
}

func (l *lines) get() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// TestExecStderrIsBounded: many lines, and one without an end, never hold the program, and are no flood in the log.
func TestExecStderrIsBounded(t *testing.T) {
	t.Parallel()
	var log lines
	peer, nc := ends(t, "tcp")
	s := serve(t, &handler.Exec{Shell: "yes 0123456789 | head -c 5000000 >&2; head -c 5000000 /dev/zero >&2; echo done", Log: log.add}, nc, "tcp")
	wantAll(t, peer, "done\n")
	peer.Close()
	s.want(t, duet.EndClosed, nil)
	all := log.get()
	if len(all) < 100 || len(all) > 500 {
		t.Errorf("%d lines were logged", len(all))
	}
	left := 0
	for _, line := range all {
		var n int
		if _, err := fmt.Sscanf(line, "… %d lines left out", &n); err == nil {
			left += n
		} else {
			left++
		}
		if len(line) > 8<<10 {
			t.Errorf("a line of %d bytes was logged", len(line))
		}
	}
	if want := 5000000/11 + 1; left != want {
		t.Errorf("%d lines were logged or counted, want %d", left, want)
	}
}

func TestStderrPolicyText(t *testing.T) {
	for _, p := range []handler.StderrPolicy{handler.StderrLog, handler.StderrPeer, handler.StderrDrop} {
		var q handler.StderrPolicy = 9
		if must(t, q.UnmarshalText(get(p.MarshalText())(t))); q != p {
			t.Errorf("%v came back as %v", p, q)
		}
	}
	var p handler.StderrPolicy
	if err := p.UnmarshalText([]byte("nowhere")); err == nil || handler.StderrPolicy(9).String() != "policy-9" {
		t.Error(err)
	}
}

// TestExecContext: the end of the context of a dialled conversation ends the program.
func TestExecContext(t *testing.T) {
	t.Parallel()
	l := get(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer l.Close()
	c := get(duet.Dial(t.Context(), l.Addr().String()))(t)
	peer := get(l.Accept())(t)
	defer peer.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error)
	go func() { ended <- duet.Serve(ctx, c, &handler.Exec{Args: child("stubborn")}) }()
	group := hearPid(t, peer)
	began := time.Now()
	cancel()
	wantGone(t, group, began)
	peer.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) || duet.ReasonOf(err) != duet.EndClosed {
		t.Errorf("ended with %v", err)
	}
}
