package transport_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"duet.example/duet/transport"
)

func parse(t *testing.T, text string) transport.Address {
	t.Helper()
	a, err := transport.ParseAddress(transport.Address{}, text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// listen returns a listener of a zero ListenConfig, which is closed when the test ends.
func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	var lc transport.ListenConfig
	l, err := lc.Listen(t.Context(), parse(t, address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func dial(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	address := l.Addr().String()
	if l.Addr().Network() == "unix" {
		address = "unix:" + address
	}
	var d transport.Dialer
	c, err := d.Dial(t.Context(), parse(t, address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func accept(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// duplicate returns a duplicate of a socket's descriptor, as a parent process would pass it.
func duplicate(t *testing.T, s any) *os.File {
	t.Helper()
	rc, err := s.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	f := dupFile(t, rc)
	t.Cleanup(func() { f.Close() })
	return f
}

func TestPlainConnections(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", "unix:" + t.TempDir() + "/s"} {
		l := listen(t, address)
		out, in := dial(t, l), accept(t, l)
		for _, c := range []net.Conn{out, in} {
			switch c.(type) {
			case *net.TCPConn, *net.UnixConn:
			default:
				t.Errorf("%s: %T", address, c)
			}
		}
		if _, err := out.Write([]byte("hello")); err != nil {
			t.Error(err)
		}
		b := make([]byte, 9)
		if n, err := in.Read(b); err != nil || string(b[:n]) != "hello" {
			t.Errorf("%s: read %q, %v", address, b[:n], err)
		}
		if _, ok := l.(syscall.Conn); !ok {
			t.Errorf("%s: the listener has no SyscallConn", address)
		}
		if err := l.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Unix(1, 0)); err != nil {
			t.Error(err)
		}
		if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: accept after its deadline: %v", address, err)
		}
	}
}

func TestFamilies(t *testing.T) {
	for _, tt := range []struct {
		family    transport.Family
		listen    string
		four, six bool
		fails     bool
	}{
		{family: transport.AnyFamily, listen: ":0", four: true, six: true},
		{family: transport.IPv4, listen: ":0", four: true},
		{family: transport.IPv6, listen: ":0", six: true},
		{family: transport.IPv4, listen: "[::1]:0", fails: true},
		{family: transport.IPv6, listen: "127.0.0.1:0", fails: true},
		{family: transport.IPv4, listen: "localhost:0", four: true},
		{family: transport.IPv6, listen: "localhost:0", six: true},
	} {
		lc := transport.ListenConfig{Family: tt.family}
		l, err := lc.Listen(t.Context(), parse(t, tt.listen))
		if (err != nil) != tt.fails {
			t.Errorf("%v %s: %v", tt.family, tt.listen, err)
		}
		if err != nil {
			continue
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		for _, p := range []struct {
			host string
			want bool
		}{{"127.0.0.1", tt.four}, {"::1", tt.six}} {
			var d transport.Dialer
			c, err := d.Dial(t.Context(), transport.Address{Host: p.host, Port: port})
			if (err == nil) != p.want {
				t.Errorf("family %v at %s: connecting to %s: %v", tt.family, tt.listen, p.host, err)
			}
			if err == nil {
				c.Close()
			}
			listed := false
			for _, r := range transport.Reachable(l) {
				listed = listed || r == net.JoinHostPort(p.host, port)
			}
			if listed != p.want {
				t.Errorf("family %v at %s: %s listed as reachable: %v", tt.family, tt.listen, p.host, listed)
			}
		}
		l.Close()
	}
}

// TestPortFreeAtOnce leaves a conversation in TIME_WAIT on the server's side.
func TestPortFreeAtOnce(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	out, in := dial(t, l), accept(t, l)
	in.Close()
	if _, err := out.Read(make([]byte, 1)); err == nil {
		t.Fatal("read something")
	}
	out.Close()
	l.Close()
	listen(t, l.Addr().String())
}

func TestPortBusy(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	var steps []transport.Step
	lc := transport.ListenConfig{Step: func(s transport.Step) { steps = append(steps, s) }}
	_, err := lc.Listen(t.Context(), parse(t, l.Addr().String()))
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatal(err)
	}
	last := steps[len(steps)-1]
	if last.Call != "bind" || !errors.Is(last.Err, syscall.EADDRINUSE) || last.Result != "" {
		t.Errorf("last step %+v", last)
	}
}

func TestListenRefuses(t *testing.T) {
	var lc transport.ListenConfig
	for _, a := range []transport.Address{{}, {Scheme: "tcp"}, {Scheme: "unix"}, {Scheme: "unix", Path: strings.Repeat("x", 200)}} {
		var ae *transport.AddressError
		if l, err := lc.Listen(t.Context(), a); !errors.As(err, &ae) {
			t.Errorf("%#v: %v, %v", a, l, err)
		}
	}
	var se *transport.SchemeError
	if _, err := lc.Listen(t.Context(), transport.Address{Scheme: "tls", Port: "1"}); !errors.As(err, &se) {
		t.Error(err)
	}
	var dns *net.DNSError
	if _, err := lc.Listen(t.Context(), transport.Address{Port: "no-such-service"}); !errors.As(err, &dns) {
		t.Error(err)
	}
}

func TestDialErrors(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	gone := parse(t, l.Addr().String())
	l.Close()
	var d transport.Dialer
	if _, err := d.Dial(t.Context(), gone); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
	var ae *transport.AddressError
	if _, err := d.Dial(t.Context(), transport.Address{Port: "0"}); !errors.As(err, &ae) {
		t.Errorf("port 0: %v", err)
	}
	var dns *net.DNSError
	short := transport.Dialer{Timeout: 2 * time.Second}
	if _, err := short.Dial(t.Context(), transport.Address{Host: "nobody.invalid", Port: "1"}); !errors.As(err, &dns) {
		t.Errorf("no such name: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Dial(ctx, gone); err == nil {
		t.Error("a cancelled dial succeeded")
	}
	six := transport.Dialer{Family: transport.IPv6}
	if _, err := six.Dial(t.Context(), gone); err == nil || errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("IPv4 address, IPv6 wanted: %v", err)
	}
}

// TestEmptyHostIsThisMachine also tests the zero Dialer and the name localhost.
func TestEmptyHostIsThisMachine(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, host := range []string{"", "localhost"} {
		var d transport.Dialer
		c, err := d.Dial(t.Context(), transport.Address{Host: host, Port: port})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}

// TestLocalhostOfFamily connects by name to a listener of one family.
func TestLocalhostOfFamily(t *testing.T) {
	for _, tt := range []struct {
		family transport.Family
		at     string
	}{{transport.IPv4, "127.0.0.1:0"}, {transport.IPv6, "[::1]:0"}} {
		l := listen(t, tt.at)
		_, port, _ := net.SplitHostPort(l.Addr().String())
		d := transport.Dialer{Family: tt.family}
		c, err := d.Dial(t.Context(), transport.Address{Host: "LocalHost", Port: port})
		if err != nil {
			t.Error(err)
			continue
		}
		c.Close()
	}
}

// TestStepsOneAtATime counts the steps of several goroutines that accept, without a lock.
func TestStepsOneAtATime(t *testing.T) {
	accepted := 0
	lc := transport.ListenConfig{Step: func(s transport.Step) {
		if s.Call == "accept" {
			accepted++
		}
	}}
	l, err := lc.Listen(t.Context(), parse(t, "127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	const acceptors, each = 4, 10
	var wg sync.WaitGroup
	for range acceptors {
		wg.Go(func() {
			for range each {
				c, err := l.Accept()
				if err != nil {
					t.Error(err)
					return
				}
				c.Close()
			}
		})
	}
	for range acceptors * each {
		dial(t, l).Close()
	}
	wg.Wait()
	l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after close: %v", err)
	}
	if accepted != acceptors*each {
		t.Errorf("%d accepts were reported, want %d", accepted, acceptors*each)
	}
}

func TestReachable(t *testing.T) {
	one := listen(t, "127.0.0.1:0")
	if got := transport.Reachable(one); len(got) != 1 || got[0] != one.Addr().String() {
		t.Errorf("loopback only: %q", got)
	}
	all := transport.Reachable(listen(t, ":0"))
	if len(all) < 2 || !strings.HasPrefix(all[0], "127.") && !strings.HasPrefix(all[0], "[::1]") {
		t.Errorf("loopback does not come first: %q", all)
	}
	for _, r := range all {
		if strings.HasPrefix(r, "[fe80") && !strings.Contains(r, "%") {
			t.Errorf("link-local address without a zone: %s", r)
		}
		if a, err := transport.ParseAddress(transport.Address{}, r); err != nil || a.String() != r {
			t.Errorf("%s is no address: %v, %v", r, a, err)
		}
	}
	path := t.TempDir() + "/s"
	if got := transport.Reachable(listen(t, "unix:"+path)); len(got) != 1 || got[0] != "unix:"+path {
		t.Errorf("unix: %q", got)
	}
}

// Without WatchConnect, one connect is still reported for each socket of a Dial. An error is reported if it is known.
func TestStepsWithoutWatchConnect(t *testing.T) {
	open, gone := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
	gone.Close()
	for _, tt := range []struct {
		at   net.Addr
		wins int
	}{{open.Addr(), 1}, {gone.Addr(), 0}} {
		_, port, _ := net.SplitHostPort(tt.at.String())
		sockets, wins, reasons := 0, 0, 0
		fails := 0
		d := transport.Dialer{Step: func(s transport.Step) {
			switch {
			case s.Call == "socket":
				sockets++
			case s.Call != "connect":
			case s.Err == nil:
				wins++
			default:
				fails++
				if !strings.Contains(s.Err.Error(), "another address") {
					reasons++
				}
			}
		}}
		c, err := d.Dial(t.Context(), parse(t, "localhost:"+port))
		if err == nil {
			c.Close()
		}
		if sockets == 0 || wins != tt.wins || wins+fails != sockets || tt.wins == 0 && reasons == 0 {
			t.Errorf("%d sockets, %d connected, %d failed, %d of these with a known reason", sockets, wins, fails, reasons)
		}
	}
}
