package desk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"duet.example/duet"
	"duet.example/duet/desk"
	"duet.example/duet/handler"
)

// patience bounds every wait.
const patience = 20 * time.Second

// A hub is a desk's server on a socket.
type hub struct {
	*duet.Server
	address string
}

func serve(t *testing.T, d *desk.Desk, places int) *hub {
	t.Helper()
	h := &hub{Server: &duet.Server{Handler: d, MaxConns: places, Greeting: "hi", Options: duet.Options{Trace: d.Trace()}}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.address = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- h.Serve(l) }()
	t.Cleanup(func() {
		_ = h.Close()
		if err := <-served; !errors.Is(err, duet.ErrServerClosed) {
			t.Error(err)
		}
		if err := h.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// connect connects a peer that is greeted: it has been let in.
func (h *hub) connect(t *testing.T) *net.TCPConn {
	t.Helper()
	nc, err := net.Dial("tcp", h.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	var hi [3]byte
	if _, err := io.ReadFull(nc, hi[:]); err != nil || string(hi[:]) != "hi\n" {
		t.Fatalf("a new peer is not let in: it got %q, %v", hi, err)
	}
	return nc.(*net.TCPConn)
}

// vanish says words and resets.
func (h *hub) vanish(t *testing.T, words string) {
	t.Helper()
	nc := h.connect(t)
	if _, err := io.WriteString(nc, words); err != nil {
		t.Fatal(err)
	}
	_ = nc.SetLinger(0)
	_ = nc.Close()
}

// wantAlone waits until only n conversations are left, at the server and at the desk.
func (h *hub) wantAlone(t *testing.T, d *desk.Desk, n int) {
	t.Helper()
	eventually(t, func() bool {
		return len(slices.Collect(h.Conns())) == n && len(d.Numbers()) == n
	})
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("did not happen")
		}
	}
}

// stick fills the queue of a watch that nobody takes from, by a peer that stays.
func (h *hub) stick(t *testing.T, w *desk.Watch) *net.TCPConn {
	t.Helper()
	nc := h.connect(t)
	if _, err := io.WriteString(nc, strings.Repeat("stuck\n", 300)); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return w.Told() == 256 })
	return nc
}

// takeAll takes all that is there.
func takeAll(w *desk.Watch) (all []desk.Event) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for {
		e, err := w.Next(ctx)
		if err != nil {
			return all
		}
		all = append(all, e)
	}
}

// leave ends the other conversations and takes the events of their ends.
func (h *hub) leave(t *testing.T, w *desk.Watch, all ...*net.TCPConn) {
	t.Helper()
	for _, nc := range all {
		_ = nc.Close()
	}
	eventually(t, func() bool {
		takeAll(w)
		return len(slices.Collect(h.Conns())) == 0
	})
}

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}

// Peers that vanish keep nobody out while the screen takes nothing: their conversations end at once, and what they said is shown
// later, in order, each between its arrival and its end.
func TestVanished(t *testing.T) {
	const peers, lines = 20, 60
	for name, next := range map[string]duet.Handler{"operators": nil, "a handler": handler.Discard{Framed: true}} {
		t.Run(name, func(t *testing.T) {
			d := &desk.Desk{Next: next}
			h := serve(t, d, 3)
			w := watch(t, d)
			stuck := h.stick(t, w)
			for range peers {
				h.vanish(t, numbered(lines))
				h.wantAlone(t, d, 1)
			}
			live := h.connect(t)
			heard := map[uint64]int{}
			for _, e := range takeAll(w) {
				if e.Number < 2 || e.Number == peers+2 {
					continue
				}
				switch n := heard[e.Number]; {
				case e.Kind == desk.Arrived && n == 0, e.Kind == desk.Left && n == lines+1 && e.Reason == duet.EndReset:
				case e.Kind == desk.Said && n > 0 && string(e.Body) == "line "+strconv.Itoa(n-1):
				default:
					t.Fatalf("event %d of conversation %d: kind %d, %q, %v", n, e.Number, e.Kind, e.Body, e.Reason)
				}
				heard[e.Number]++
			}
			for n := range uint64(peers) {
				if got := heard[n+2]; got != lines+2 {
					t.Errorf("conversation %d: %d events, want %d", n+2, got, lines+2)
				}
			}
			h.leave(t, w, stuck, live)
		})
	}
}

// What stays of vanished peers is bounded, for each and in all; what does not fit is counted, and no ending comes without its
// arrival.
func TestVanished_Bounds(t *testing.T) {
	const (
		perPeer, inAll, bytesOfAll = 256, 8 * 256, 2 << 20
		besides                    = 4 + 1 // its share of the queue, and its end, which always has room
	)
	for name, tt := range map[string]struct {
		words              string
		lines              int
		peers, said, bytes int
	}{
		"many lines": {numbered(1000), 1000, 1, perPeer, bytesOfAll},
		"many bytes": {strings.Repeat("x", 49<<10) + "\n", 1, 60, inAll, bytesOfAll},
		"many peers": {numbered(200), 200, 30, inAll, bytesOfAll},
	} {
		t.Run(name, func(t *testing.T) {
			d := &desk.Desk{}
			h := serve(t, d, 100)
			w := watch(t, d)
			stuck := h.stick(t, w)
			for range tt.peers {
				h.vanish(t, tt.words)
			}
			h.wantAlone(t, d, 1)
			shown, bytes, missed, there := 0, 0, 0, map[uint64]bool{}
			for _, e := range takeAll(w) {
				switch {
				case e.Kind == desk.Missed:
					n, _ := strconv.Atoi(e.Note)
					missed += n
				case e.Number == 1:
				case e.Kind == desk.Arrived:
					there[e.Number] = true
					shown++
				case !there[e.Number]:
					t.Fatalf("an event of conversation %d before its arrival: kind %d", e.Number, e.Kind)
				default:
					shown++
					bytes += len(e.Body) + len(e.Text)
					if e.Kind == desk.Left {
						delete(there, e.Number)
					}
				}
			}
			if len(there) != 0 {
				t.Errorf("%d conversations have not ended", len(there))
			}
			if most := tt.said + besides*tt.peers; shown > most || bytes > tt.bytes {
				t.Errorf("%d events with %d bytes were kept, want at most %d and %d", shown, bytes, most, tt.bytes)
			}
			if all := tt.peers * (tt.lines + 2); missed == 0 || shown+missed != all {
				t.Errorf("%d events were shown and %d left out, want %d in all, and not all of them shown", shown, missed, all)
			}
			t.Logf("%d events with %d bytes shown, %d left out", shown, bytes, missed)
			h.leave(t, w, stuck)
		})
	}
}

// A message that waits to be shown is left out where it is longer than what stays of one peer.
func TestVanished_LongMessage(t *testing.T) {
	const most = 256 << 10 // of body and text together
	for name, tt := range map[string]struct {
		size int
		told []desk.Kind
	}{
		"kept":     {most/2 - 1, []desk.Kind{desk.Said, desk.Left}},
		"left out": {most/2 + 1, []desk.Kind{desk.Left}},
	} {
		t.Run(name, func(t *testing.T) {
			d := &desk.Desk{}
			h := serve(t, d, 3)
			w := watch(t, d)
			nc := h.connect(t)
			eventually(t, func() bool { return len(d.Numbers()) == 1 })
			stuck := h.stick(t, w)
			if _, err := io.WriteString(nc, strings.Repeat("x", tt.size)+"\n"); err != nil {
				t.Fatal(err)
			}
			eventually(t, func() bool { return d.Roster()[0].Stats.MessagesIn == 1 })
			_ = nc.SetLinger(0)
			_ = nc.Close()
			h.wantAlone(t, d, 1)
			var told []desk.Kind
			for _, e := range takeAll(w) {
				if e.Number == 1 && e.Kind != desk.Arrived {
					told = append(told, e.Kind)
				}
			}
			if !slices.Equal(told, tt.told) {
				t.Errorf("told %v, want %v", told, tt.told)
			}
			h.leave(t, w, stuck)
		})
	}
}
