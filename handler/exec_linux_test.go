package handler_test

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"duet.example/duet"
	"duet.example/duet/handler"
)

// openInheritable opens two descriptors that the children of this process get, the second with a high number.
func openInheritable(t testing.TB) (low, high int) {
	low = get(unix.Open("/dev/null", unix.O_RDONLY, 0))(t)
	t.Cleanup(func() { _ = unix.Close(low) })
	high = get(unix.FcntlInt(uintptr(low), unix.F_DUPFD, 300))(t)
	t.Cleanup(func() { _ = unix.Close(high) })
	return low, high
}

func wantInheritable(t testing.TB, fds ...int) {
	t.Helper()
	for _, fd := range fds {
		if flags := get(unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0))(t); flags&unix.FD_CLOEXEC != 0 {
			t.Errorf("descriptor %d has become close-on-exec", fd)
		}
	}
}

// TestExecDescriptors: a program has stdin, stdout and stderr, and nothing else of ours. Other children of this process get
// the descriptors that they should get, also afterwards.
func TestExecDescriptors(t *testing.T) {
	low, high := openInheritable(t)
	for _, h := range []*handler.Exec{
		{Args: []string{"ls", "/proc/self/fd"}},
		{Args: []string{"ls", "/proc/self/fd"}, Log: func(*duet.Conn, string) {}},
		{Args: []string{"ls", "/proc/self/fd"}, Stderr: handler.StderrPeer},
	} {
		peer, nc := ends(t, "tcp")
		s := serve(t, h, nc, "tcp")
		wantAll(t, peer, "0\n1\n2\n3\n") // 3 is the folder that it lists
		peer.Close()
		s.want(t, duet.EndClosed, nil)
		wantInheritable(t, low, high)
	}
	listed := strings.Fields(string(get(exec.Command("ls", "/proc/self/fd").Output())(t)))
	for _, fd := range []int{low, high} {
		if !slices.Contains(listed, strconv.Itoa(fd)) {
			t.Errorf("a child that is no program of ours has the descriptors %v, want %d among them", listed, fd)
		}
	}
}

// TestSharedDescriptors is TestExecDescriptors for the program of all conversations.
func TestSharedDescriptors(t *testing.T) {
	low, high := openInheritable(t)
	h := &handler.Shared{Shell: "ls /proc/self/fd; cat", Log: func(string) {}}
	peer, nc := ends(t, "tcp")
	s := serve(t, h, nc, "tcp")
	wantText(t, peer, "0\n1\n2\n3\n")
	wantInheritable(t, low, high)
	must(t, h.Close())
	wantAll(t, peer, "")
	must(t, peer.Close())
	s.want(t, duet.EndShutdown, duet.ErrServerClosed)
}

// TestReaperDescriptors: the guard has no descriptors of ours either. A Reaper changes the whole process, so another one takes it.
func TestReaperDescriptors(t *testing.T) {
	argv := child("custodian")
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if want := "0\n1\n2\n"; err != nil || string(out) != want {
		t.Errorf("the guard has the descriptors %q, %v; want %q", out, err, want)
	}
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
			wantAll(t, peer, "")
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
		sendText(t, peer, "one\n")
		wantText(t, peer, "one\n")
		must(t, h.Close())
		wantAll(t, peer, "")
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

// limitDescriptors lets this process have few more descriptors than it has. It returns the highest number that one may have.
func limitDescriptors(t testing.TB) (highest int) {
	t.Helper()
	var limit unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	for _, entry := range get(os.ReadDir("/proc/self/fd"))(t) {
		highest = max(highest, get(strconv.Atoi(entry.Name()))(t))
	}
	highest += 64
	t.Cleanup(func() { must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)) })
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(highest) + 1, Max: limit.Max}))
	return highest
}

// TestExec_NoNumbers: a program cannot be started if an inheritable descriptor has the highest number that there may be. Then the peer is
// refused, as for any other want of descriptors.
func TestExec_NoNumbers(t *testing.T) {
	highest := limitDescriptors(t)
	low := get(unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0))(t)
	defer unix.Close(low)
	must(t, unix.Dup3(low, highest, 0))
	defer unix.Close(highest)
	peer, nc := ends(t, "tcp")
	s := serve(t, &handler.Exec{Args: []string{"true"}}, nc, "tcp")
	s.want(t, duet.EndRefused, unix.EBADF)
	must(t, peer.Close())
}

// TestExec_OtherDescriptors: a start does not mistake a descriptor for an inherited one that another goroutine has not made close-on-exec yet.
func TestExec_OtherDescriptors(t *testing.T) {
	highest := limitDescriptors(t)
	low := get(unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0))(t)
	defer unix.Close(low)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			syscall.ForkLock.RLock()
			_ = unix.Dup3(low, highest, 0)
			unix.CloseOnExec(highest)
			syscall.ForkLock.RUnlock()
			_ = unix.Close(highest)
		}
	})
	defer wg.Wait()
	defer close(stop)
	for range 50 {
		peer, nc := ends(t, "tcp")
		s := serve(t, &handler.Exec{Args: []string{"true"}}, nc, "tcp")
		wantAll(t, peer, "")
		must(t, peer.Close())
		if <-s.done; s.reason == duet.EndHandlerFailed || s.reason == duet.EndRefused {
			t.Fatalf("the program was not started: %v", s.err)
		}
	}
}
