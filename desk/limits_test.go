package desk_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/desk"
	"duet.example/duet/duettest"
)

// A place is a control socket in memory.
type place struct {
	*duettest.Listener
	stop   context.CancelFunc
	served chan error
}

// controlInMemory serves d's control socket; accept, if there is one, takes the listener's place.
func controlInMemory(t *testing.T, d *desk.Desk, accept func(net.Listener) net.Listener) *place {
	t.Helper()
	p := &place{Listener: duettest.NewListener(), served: make(chan error, 1)}
	var l net.Listener = p
	if accept != nil {
		l = accept(p)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	go func() { p.served <- (&desk.Control{Desk: d}).Serve(ctx, l) }()
	return p
}

func (p *place) connect(t *testing.T) net.Conn {
	t.Helper()
	nc, err := p.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = nc.SetReadDeadline(time.Now().Add(time.Hour))
	return nc
}

// close ends the control socket and waits for it.
func (p *place) close(t *testing.T) {
	t.Helper()
	p.stop()
	if err := <-p.served; err != nil {
		t.Error(err)
	}
}

// hello reads the first line.
func hello(nc net.Conn) error {
	_, err := bufio.NewReaderSize(nc, 16).ReadString('\n')
	return err
}

// deaf is one who watches and does not read, while there is more to be read than fits.
func deaf(t *testing.T, p *place, d *desk.Desk) net.Conn {
	t.Helper()
	nc := p.connect(t)
	if _, err := io.WriteString(nc, `{"do":"watch"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	d.Notice(strings.Repeat("x", 1<<20))
	synctest.Wait()
	return nc
}

func TestControlWaitsNotForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk.Desk{}
		p := controlInMemory(t, d, nil)
		nc := deaf(t, p, d)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n, err := io.Copy(io.Discard, nc); errors.Is(err, os.ErrDeadlineExceeded) || n > 1<<19 {
			t.Errorf("one who did not read for 5 s still gets %d bytes (%v)", n, err)
		}
		nc.Close()
		p.close(t)
	})
}

func TestControlEndsSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk.Desk{}
		p := controlInMemory(t, d, nil)
		nc := deaf(t, p, d)
		began := time.Now()
		p.close(t)
		// It is waited for as long as the last events may take, and no longer.
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("one who does not read holds it for %v", took)
		}
		nc.Close()
	})
}

func TestControlHasPlaces(t *testing.T) {
	const most = 64
	synctest.Test(t, func(t *testing.T) {
		p := controlInMemory(t, &desk.Desk{}, nil)
		var all []net.Conn
		for range most {
			nc := p.connect(t)
			if err := hello(nc); err != nil {
				t.Fatalf("connection %d: %v", len(all)+1, err)
			}
			all = append(all, nc)
		}
		more := p.connect(t)
		if err := hello(more); err == nil {
			t.Errorf("there are more than %d", most)
		}
		more.Close()
		all[0].Close()
		synctest.Wait()
		all[0] = p.connect(t)
		if err := hello(all[0]); err != nil {
			t.Errorf("one has left, and its place is not free: %v", err)
		}
		for _, nc := range all {
			nc.Close()
		}
		p.close(t)
	})
}

// A failing listener fails once.
type failing struct {
	net.Listener
	failed bool
}

func (l *failing) Accept() (net.Conn, error) {
	if !l.failed {
		l.failed = true
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

func TestControlGoesOnAccepting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := controlInMemory(t, &desk.Desk{}, func(l net.Listener) net.Listener { return &failing{Listener: l} })
		nc := p.connect(t)
		if err := hello(nc); err != nil {
			t.Error(err)
		}
		nc.Close()
		p.close(t)
	})
}

// Whoever answers there and is no desk is not waited for, or believed.
func TestAttachToNoDesk(t *testing.T) {
	for says, takes := range map[string]time.Duration{
		"":                           5 * time.Second,
		"220 mail.example ESMTP\r\n": 0,
		`{"v":1,"type":"notice","time":"2026-01-02T03:04:05.000000Z","note":"x"}` + "\n": 0,
	} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := duettest.Pipe()
			defer theirs.Close()
			_, _ = io.WriteString(theirs, says)
			began := time.Now()
			_, err := desk.Attach(t.Context(), func(context.Context) (net.Conn, error) { return ours, nil }, "")
			if took := time.Since(began); !errors.Is(err, desk.ErrNotADesk) || took != takes {
				t.Errorf("%q: %v after %v, want %v after %v", says, err, took, desk.ErrNotADesk, takes)
			}
		})
	}
}

// What nobody waits for is left out where a watcher takes nothing, and it is told how much.
func TestMissed(t *testing.T) {
	const refused, most = 10_000, 2 * 256
	d := &desk.Desk{}
	w := watch(t, d)
	refuse := d.Trace().Refused
	for range refused {
		refuse(nil, duet.ErrFull)
	}
	told := int(w.Told())
	if told > most {
		t.Fatalf("%d events wait, want %d at most", told, most)
	}
	for range told {
		next(t, w, desk.Refused)
	}
	refuse(nil, duet.ErrFull)
	e := next(t, w, desk.Missed)
	if n, err := strconv.Atoi(e.Note); err != nil || told+n != refused {
		t.Errorf("told of %d, and %q left out, of %d", told, e.Note, refused)
	}
	next(t, w, desk.Refused)
}

func TestLeftIsBounded(t *testing.T) {
	const most = 100
	d := &desk.Desk{}
	for range most + 20 {
		peer, served := pair(t, d)
		peer.Close()
		<-served
	}
	if n := len(d.Left()); n != most {
		t.Errorf("remembers %d that have left, want %d", n, most)
	}
}

func TestNames(t *testing.T) {
	d := &desk.Desk{}
	w := watch(t, d)
	for range 2 {
		pair(t, d)
		next(t, w, desk.Arrived)
	}
	o := d.Operator("")
	for _, tt := range []struct {
		n    uint64
		name string
		err  error
	}{
		{1, "Anna", nil},
		{1, "Anna", nil},
		{2, "anna", desk.ErrBadName},
		{2, "аnnа", desk.ErrBadName}, // two Cyrillic letters
		{2, "Ａnna", desk.ErrBadName},
		{2, "Änne-2_x.y", nil},
		{2, "A\u0308nne", nil},
		{2, " Änne ", nil},
		{2, "anne@home", desk.ErrBadName},
		{2, strings.Repeat("中", 32), nil},
		{2, strings.Repeat("x", 64), nil},
		{2, strings.Repeat("x", 65), desk.ErrBadName},
		{2, strings.Repeat("中", 33), desk.ErrBadName},
		{2, "12", desk.ErrBadName},
		{2, "a b", desk.ErrBadName},
		{2, "a\x1b[2J", desk.ErrBadName},
		{2, "a\u202eb", desk.ErrBadName},
		{2, "a】", desk.ErrBadName},
		{2, "a\xff", desk.ErrBadName},
		{1, "", nil},
		{2, "anna", nil},
		{3, "x", desk.ErrNobody},
	} {
		if err := o.Name(t.Context(), tt.n, tt.name); !errors.Is(err, tt.err) {
			t.Errorf("%d %q: %v, want %v", tt.n, tt.name, err, tt.err)
		}
	}
}

func TestNoGate(t *testing.T) {
	o := new(desk.Desk).Operator("")
	for what, err := range map[string]error{
		"ban": o.Ban(t.Context(), "192.0.2.1", ""), "reload": o.Reload(t.Context()),
	} {
		if !errors.Is(err, desk.ErrNoGate) {
			t.Error(fmt.Errorf("%s: %w", what, err))
		}
	}
}
