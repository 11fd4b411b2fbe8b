package transport_test

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"duet.example/duet/transport"
)

// sendQ returns the backlog of a listening socket as ss(8) shows it.
func sendQ(t *testing.T, l net.Listener) int {
	t.Helper()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	out, err := exec.CommandContext(t.Context(), "ss", "-Hltn", "sport = :"+port).CombinedOutput()
	if err != nil {
		t.Fatalf("ss is needed for this test: %v: %s", err, out)
	}
	f := strings.Fields(string(out))
	if len(f) < 4 || f[0] != "LISTEN" {
		t.Fatalf("ss says %q", out)
	}
	n, err := strconv.Atoi(f[2])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestBacklogInSS(t *testing.T) {
	limit, ok := transport.Somaxconn()
	if !ok || limit < 100 {
		t.Fatalf("somaxconn is %d, %v", limit, ok)
	}
	for _, tt := range []struct {
		backlog, want int
		capped        bool // the step says that the system limits the backlog
	}{{-5, 0, false}, {-1, 0, false}, {0, limit, false}, {7, 7, false}, {100, 100, false}, {limit, limit, false}, {limit + 1, limit, true}} {
		var last transport.Step
		lc := transport.ListenConfig{
			Backlog: tt.backlog,
			Step: func(s transport.Step) {
				if s.Call == "listen" {
					last = s
				}
			},
			Notice: func(s string) { t.Errorf("backlog %d: notice %q", tt.backlog, s) },
		}
		l, err := lc.Listen(t.Context(), parse(t, "127.0.0.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		if got := sendQ(t, l); got != tt.want {
			t.Errorf("backlog %d: ss shows %d, want %d", tt.backlog, got, tt.want)
		}
		if last.Result == "" || strings.Contains(last.Result, "caps it at "+strconv.Itoa(limit)) != tt.capped {
			t.Errorf("backlog %d: the step is %+v", tt.backlog, last)
		}
		l.Close()
	}
}

// TestBacklogWaiting connects while the listener does not accept. The kernel queues one connection more than the backlog
// (sk_acceptq_is_full). Further connects wait.
func TestBacklogWaiting(t *testing.T) {
	for _, backlog := range []int{-1, 3} {
		lc := transport.ListenConfig{Backlog: backlog}
		l, err := lc.Listen(t.Context(), parse(t, "127.0.0.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		room := max(backlog, 0) + 1
		for i := range room {
			c := dial(t, l)
			if _, err := c.Write([]byte{byte(i)}); err != nil {
				t.Fatal(err)
			}
		}
		d := transport.Dialer{Timeout: 300 * time.Millisecond}
		ne := net.Error(nil)
		if c, err := d.Dial(t.Context(), parse(t, l.Addr().String())); !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("backlog %d: connection %d: %v, %v", backlog, room+1, c, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		var free transport.Dialer
		if c, err := free.Dial(ctx, parse(t, l.Addr().String())); err == nil {
			t.Errorf("backlog %d: %v", backlog, c)
		} else if !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("backlog %d: the context's end is %v", backlog, err)
		}
		cancel()
		for i := range room {
			b := make([]byte, 1)
			if _, err := accept(t, l).Read(b); err != nil || int(b[0]) != i {
				t.Errorf("backlog %d: waiting connection %d said %d, %v", backlog, i, b[0], err)
			}
		}
	}
}
