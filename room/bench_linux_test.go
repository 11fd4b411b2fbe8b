package room_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"duet.example/duet"
	"duet.example/duet/room"
)

// A line, with its label it is 64 bytes on the members' wire.
const (
	benchLine  = 64
	benchLabel = "sender: "
)

var benchSaid = strings.Repeat("x", benchLine-len(benchLabel)-1) + "\n"

// A crowd is many members of which nothing is asked but to read. They are sockets outside the runtime's poller, and their bytes
// are counted and not copied (MSG_TRUNC): what is measured is the room.
type crowd struct {
	fds    []int
	poll   int
	wake   [2]int
	bytes  atomic.Int64
	wanted atomic.Int64
	got    chan struct{} // bytes has reached wanted
	done   chan struct{}
}

func gather(b *testing.B, address string, n int) *crowd {
	b.Helper()
	poll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		b.Fatal(err)
	}
	c := &crowd{poll: poll, got: make(chan struct{}, 1), done: make(chan struct{})}
	c.wanted.Store(-1)
	if err := syscall.Pipe2(c.wake[:], syscall.O_CLOEXEC); err != nil {
		b.Fatal(err)
	}
	c.add(b, c.wake[0])
	go c.read()
	b.Cleanup(c.close)
	c.more(b, address, n)
	return c
}

// more has n more come.
func (c *crowd) more(b *testing.B, address string, n int) {
	b.Helper()
	to, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		b.Fatal(err)
	}
	for range n {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			b.Fatal(err)
		}
		c.fds = append(c.fds, fd)
		sa := &syscall.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}
		if err := syscall.Connect(fd, sa); err != nil {
			b.Fatal(err)
		}
		c.add(b, fd)
	}
}

func (c *crowd) add(b *testing.B, fd int) {
	b.Helper()
	if err := syscall.SetNonblock(fd, true); err != nil {
		b.Fatal(err)
	}
	e := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
	if err := syscall.EpollCtl(c.poll, syscall.EPOLL_CTL_ADD, fd, &e); err != nil {
		b.Fatal(err)
	}
}

// read reads from whoever has got something, until the crowd goes home.
func (c *crowd) read() {
	defer close(c.done)
	events := make([]syscall.EpollEvent, 1024)
	buf := make([]byte, 1<<20)
	for {
		n, err := syscall.EpollWait(c.poll, events, -1)
		if err != nil && err != syscall.EINTR {
			return
		}
		total := int64(0)
		for _, e := range events[:max(n, 0)] {
			if int(e.Fd) == c.wake[0] {
				return
			}
			if k, _, err := syscall.Recvfrom(int(e.Fd), buf, syscall.MSG_TRUNC); err == nil {
				total += int64(k)
			}
		}
		if sum := c.bytes.Add(total); sum == c.wanted.Load() {
			c.got <- struct{}{}
		}
	}
}

func (c *crowd) close() {
	_, _ = syscall.Write(c.wake[1], []byte("x"))
	<-c.done
	for _, fd := range append(c.fds, c.poll, c.wake[0], c.wake[1]) {
		_ = syscall.Close(fd)
	}
}

// quiet waits until nothing comes any more, and begins to count.
func (c *crowd) quiet() {
	for last := int64(-1); last != c.bytes.Load(); {
		last = c.bytes.Load()
		time.Sleep(300 * time.Millisecond)
	}
}

// expect says that each is going to get so many lines.
func (c *crowd) expect(lines int) {
	c.wanted.Store(c.bytes.Load() + int64(lines*len(c.fds)*benchLine))
}

func (c *crowd) wait(b *testing.B) {
	b.Helper()
	select {
	case <-c.got:
	case <-time.After(time.Minute):
		b.Fatalf("%d bytes of %d have come", c.bytes.Load(), c.wanted.Load())
	}
}

// A design is a way to have one who speaks heard by all.
type design struct {
	name  string
	serve func(b *testing.B) (address string)
	name1 bool // the sender says its name
}

var designs = []design{
	{"room", serveRoom, true},
	{"naive", serveNaive, false},
	{"channels", serveChannels, false},
}

func BenchmarkRoom(b *testing.B) {
	for _, size := range []struct {
		name    string
		members int
	}{{"1000", 1000}, {"10000", 9900}} {
		for _, d := range designs {
			b.Run(d.name+"/"+size.name, func(b *testing.B) {
				var limit syscall.Rlimit
				if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < uint64(2*size.members+100) {
					b.Skipf("%d members want twice as many descriptors, and there may be %d", size.members, limit.Cur)
				}
				benchDesign(b, d, size.members)
			})
		}
	}
}

func benchDesign(b *testing.B, d design, members int) {
	address := d.serve(b)
	c := gather(b, address, members)
	sender, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = sender.Close() })
	go func() { _, _ = io.Copy(io.Discard, sender) }()
	if d.name1 {
		if _, err := io.WriteString(sender, "/nick sender\n"); err != nil {
			b.Fatal(err)
		}
	}
	c.quiet()
	b.Run("blast", func(b *testing.B) {
		c.expect(b.N)
		w := bufio.NewWriterSize(sender, 64<<10)
		for range b.N {
			if _, err := w.WriteString(benchSaid); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
		c.wait(b)
		b.ReportMetric(float64(b.N)*float64(members)/b.Elapsed().Seconds(), "deliveries/s")
	})
	b.Run("single", func(b *testing.B) {
		for range b.N {
			c.expect(1)
			if _, err := io.WriteString(sender, benchSaid); err != nil {
				b.Fatal(err)
			}
			c.wait(b)
		}
	})
}

// BenchmarkStopped is the blast with one member that does not read.
func BenchmarkStopped(b *testing.B) {
	b.Run("room/1000", func(b *testing.B) {
		benchDesign(b, design{"room", func(b *testing.B) string {
			address := serveRoom(b)
			stopped, err := net.Dial("tcp", address)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = stopped.Close() })
			return address
		}, true}, 999)
	})
}

func serveRoom(b *testing.B) string {
	_, address := serve(b, new(room.Hall), func(s *duet.Server) {
		s.MaxConns = -1
		s.SendTimeout = -1
	})
	return address
}

// A broadcast is the plain way: everybody's line goes to everybody else, in the sender's goroutine.
type broadcast struct {
	mu      sync.Mutex
	members map[*duet.Conn]func(line []byte)
	member  func(c net.Conn) (say func(line []byte), end func())
}

func (r *broadcast) ServeConn(_ context.Context, c *duet.Conn) error {
	nc, err := c.Raw(context.Background())
	if err != nil {
		return err
	}
	say, end := r.member(nc)
	defer end()
	r.mu.Lock()
	r.members[c] = say
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.members, c)
		r.mu.Unlock()
	}()
	for in := bufio.NewScanner(nc); in.Scan(); {
		line := append([]byte(benchLabel), append(in.Bytes(), '\n')...)
		r.mu.Lock()
		for other, say := range r.members {
			if other != c {
				say(line)
			}
		}
		r.mu.Unlock()
	}
	return io.EOF
}

func serveNaive(b *testing.B) string {
	_, address := serve(b, &broadcast{members: map[*duet.Conn]func([]byte){}, member: func(c net.Conn) (func([]byte), func()) {
		return func(line []byte) { _, _ = c.Write(line) }, func() {}
	}}, func(s *duet.Server) { s.MaxConns = -1 })
	return address
}

// serveChannels gives each member a goroutine and a channel.
func serveChannels(b *testing.B) string {
	_, address := serve(b, &broadcast{members: map[*duet.Conn]func([]byte){}, member: func(c net.Conn) (func([]byte), func()) {
		queue := make(chan []byte, 256)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for line := range queue {
				_, _ = c.Write(line)
			}
		}()
		return func(line []byte) { queue <- line }, func() {
			close(queue)
			<-done
		}
	}}, func(s *duet.Server) { s.MaxConns = -1 })
	return address
}
