package handler_test

import (
	"io"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"duet.example/duet"
	"duet.example/duet/handler"
)

// TestExecDescriptors: a program has stdin, stdout and stderr, and nothing else of ours.
func TestExecDescriptors(t *testing.T) {
	inherited := get(unix.Open("/dev/null", unix.O_RDONLY, 0))(t) // as if by whoever started us
	defer unix.Close(inherited)
	peer, nc := ends(t, "tcp")
	s := serve(t, &handler.Exec{Args: []string{"ls", "/proc/self/fd"}}, nc, "tcp")
	hearAll(t, peer, "0\n1\n2\n3\n") // 3 is the folder that it lists
	peer.Close()
	s.want(t, duet.EndClosed, nil)
}

// TestExecGivesBack: descriptors and goroutines are as before.
func TestExecGivesBack(t *testing.T) {
	round := func() {
		for _, h := range []duet.Handler{
			&handler.Exec{Args: []string{"cat"}},
			&handler.Exec{Shell: "echo oh >&2; cat", Log: func(*duet.Conn, string) {}},
			&handler.Exec{Args: []string{"no-such-program"}, Log: func(*duet.Conn, string) {}},
		} {
			peer, nc := ends(t, "tcp")
			s := serve(t, h, nc, "tcp")
			halfClose(t, peer)
			hearAll(t, peer, "")
			must(t, peer.Close())
			<-s.done
		}
	}
	count := func() (fds, goroutines int) {
		return len(get(os.ReadDir("/proc/self/fd"))(t)), runtime.NumGoroutine()
	}
	round()
	fds, goroutines := count()
	for range 10 {
		round()
	}
	until(t, "descriptors and goroutines are as before", func() bool {
		f, g := count()
		return f <= fds+5 && g <= goroutines+5
	})
}

// TestExecDeafIsBounded: 100 MB for a program that reads nothing stay with the peer, and its end ends the program.
func TestExecDeafIsBounded(t *testing.T) {
	peer, nc := ends(t, "tcp")
	s := serve(t, &handler.Exec{Args: child("silent")}, nc, "tcp")
	group := hearPid(t, peer)
	before := heap()
	sent := make(chan int64)
	go func() {
		n, _ := io.Copy(peer, random(1, 100<<20))
		sent <- n
	}()
	c := <-s.conn
	var came int64
	until(t, "nothing more comes", func() bool {
		time.Sleep(100 * time.Millisecond)
		was := came
		came = c.Stats().BytesIn
		return came > 0 && came == was
	})
	if came > 16<<20 { // a pipe of 256 pieces
		t.Errorf("%d bytes were taken for a program that reads nothing", came)
	}
	if grown := heap() - before; grown > 16<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	cut(t, peer)
	if n := <-sent; n == 100<<20 {
		t.Error("all was sent, so this shows nothing")
	}
	wantGone(t, group, time.Now())
	s.want(t, duet.EndReset, nil)
}

// TestExecFloodIsBounded: a program that floods a peer that does not read waits, in the kernel.
func TestExecFloodIsBounded(t *testing.T) {
	peer, nc := ends(t, "tcp")
	before := heap()
	s := serve(t, &handler.Exec{Args: child("flood"), Send: time.Second}, nc, "tcp")
	group := hearPid(t, peer)
	<-s.done
	if grown := heap() - before; grown > 16<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	wantGone(t, group, time.Now())
	s.want(t, duet.EndSlowPeer, duet.ErrSlowPeer)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestSharedGivesBack: descriptors and goroutines are as before.
func TestSharedGivesBack(t *testing.T) {
	round := func() {
		h := &handler.Shared{Args: []string{"cat"}, Log: func(string) {}}
		peer, nc := ends(t, "tcp")
		s := serve(t, h, nc, "tcp")
		say(t, peer, "one\n")
		hear(t, peer, "one\n")
		must(t, h.Close())
		hearAll(t, peer, "")
		must(t, peer.Close())
		s.want(t, duet.EndShutdown, duet.ErrServerClosed)
	}
	count := func() (fds, goroutines int) {
		return len(get(os.ReadDir("/proc/self/fd"))(t)), runtime.NumGoroutine()
	}
	round()
	fds, goroutines := count()
	for range 10 {
		round()
	}
	until(t, "descriptors and goroutines are as before", func() bool {
		f, g := count()
		return f <= fds+5 && g <= goroutines+5
	})
}
