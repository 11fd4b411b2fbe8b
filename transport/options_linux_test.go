package transport_test

import (
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"duet.example/duet/transport"
)

func getOption(t *testing.T, c any, level, opt int) int {
	t.Helper()
	rc, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	v := 0
	if cerr := rc.Control(func(fd uintptr) { v, err = unix.GetsockoptInt(int(fd), level, opt) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return v
}

// TestOptions checks the options of accepted and dialled sockets, for each way to make one.
func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		keepalive, userTimeout time.Duration
		on, idle, ms           int
	}{
		{0, 0, 1, 15, 30000},
		{40 * time.Second, 5 * time.Second, 1, 40, 5000},
		{1500 * time.Millisecond, 1500 * time.Microsecond, 1, 2, 2},
		{1000 * time.Hour, 10000 * time.Hour, 1, 32767, 1<<31 - 1},
		{-1, -1, 0, 0, 0},
	} {
		lc := transport.ListenConfig{Keepalive: tt.keepalive, UserTimeout: tt.userTimeout}
		d := transport.Dialer{Keepalive: tt.keepalive, UserTimeout: tt.userTimeout}
		l, err := lc.Listen(t.Context(), parse(t, "127.0.0.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		connect := func(l net.Listener) net.Conn {
			c, err := d.Dial(t.Context(), parse(t, l.Addr().String()))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			return c
		}
		conns := map[string]net.Conn{"dialled": connect(l), "accepted": accept(t, l)}
		var nlc net.ListenConfig
		nlc.SetMultipathTCP(false)
		other, err := nlc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		handed, err := lc.File(int(duplicate(t, other).Fd()))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := net.Dial("tcp", handed.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conns["accepted from a descriptor"] = accept(t, handed)
		if conns["descriptor"], err = d.File(int(duplicate(t, plain).Fd())); err != nil {
			t.Fatal(err)
		}
		for name, c := range conns {
			if got := getOption(t, c, unix.SOL_SOCKET, unix.SO_KEEPALIVE); got != tt.on {
				t.Errorf("%v %s: SO_KEEPALIVE is %d", tt.keepalive, name, got)
			}
			if got := getOption(t, c, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE); tt.on == 1 && got != tt.idle {
				t.Errorf("%v %s: TCP_KEEPIDLE is %d", tt.keepalive, name, got)
			}
			if got := getOption(t, c, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL); tt.on == 1 && got != tt.idle {
				t.Errorf("%v %s: TCP_KEEPINTVL is %d", tt.keepalive, name, got)
			}
			if got := getOption(t, c, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); got != tt.ms {
				t.Errorf("%v %s: TCP_USER_TIMEOUT is %d", tt.userTimeout, name, got)
			}
			if got := getOption(t, c, unix.IPPROTO_TCP, unix.TCP_NODELAY); got != 1 {
				t.Errorf("%s: TCP_NODELAY is %d", name, got)
			}
			c.Close()
		}
		l.Close()
		other.Close()
		handed.Close()
		plain.Close()
	}
}

// TestMultipathDescriptor passes a listener as a Go program makes it: Multipath TCP, which lacks some options.
func TestMultipathDescriptor(t *testing.T) {
	var nlc net.ListenConfig
	nlc.SetMultipathTCP(true)
	parent, err := nlc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer parent.Close()
	var notices []string
	lc := transport.ListenConfig{Backlog: 5, Notice: func(s string) { notices = append(notices, s) }}
	l, err := lc.File(int(duplicate(t, parent).Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dial(t, l)
	accept(t, l)
	multipath := getOption(t, parent, unix.SOL_SOCKET, unix.SO_PROTOCOL) == unix.IPPROTO_MPTCP
	if multipath != (len(notices) == 1) {
		t.Errorf("multipath: %v, notices: %q", multipath, notices)
	}
}
