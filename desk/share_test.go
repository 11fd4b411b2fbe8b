package desk_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"duet.example/duet"
	"duet.example/duet/desk"
	"duet.example/duet/duettest"
	"duet.example/duet/framing"
)

func patient(s *duet.Server) { s.SendTimeout, s.Framing = -1, framing.LF }

// lines has events printed on a pipe that holds nothing.
func lines(t *testing.T, d *desk.Desk) (out *bufio.Reader, ended <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	in, input := io.Pipe()
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		(&desk.Control{Desk: d}).Lines(ctx, in, w, true)
	}()
	t.Cleanup(func() {
		cancel()
		_ = input.Close()
		_ = r.Close()
		<-done
	})
	return bufio.NewReader(r), done
}

type line struct {
	Type, Text string
	Conn       uint64
}

// nextLine reads one line.
func nextLine(t *testing.T, r *bufio.Reader) (l line) {
	t.Helper()
	text, err := r.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &l); err != nil {
		t.Fatal(err)
	}
	return l
}

// A program that takes the lines slowly, or not at all for a while, ends nothing and misses nothing.
func TestLinesWaitForTheirReader(t *testing.T) {
	const messages = 10_000
	synctest.Test(t, func(t *testing.T) {
		d := &desk.Desk{}
		out, ended := lines(t, d)
		if l := nextLine(t, out); l.Type != "hello" {
			t.Errorf("the first line is %+v", l)
		}
		peer, served := pair(t, d, patient)
		flood(t, peer, messages, 10)
		quiet, servedQuiet := pair(t, d, patient)
		send(t, quiet, "hi")
		synctest.Wait()
		if e, err := d.Entry(2); err != nil || e.Unread != 1 {
			t.Errorf("one that says little beside it is read no further: %+v, %v", e, err)
		}
		select {
		case <-ended:
			t.Fatal("the lines have ended")
		default:
		}
		next, others := 0, 0
		for next < messages || others == 0 {
			switch l := nextLine(t, out); {
			case l.Type == "said" && l.Conn == 1:
				if !strings.HasPrefix(l.Text, fmt.Sprintf("%06d", next)) {
					t.Fatalf("%q where %d should be", l.Text, next)
				}
				next++
			case l.Type == "said":
				others++
			case l.Type != "arrived":
				t.Fatalf("%+v", l)
			}
		}
		_, _ = peer.Close(), quiet.Close()
		nextLine(t, out)
		nextLine(t, out)
		<-served
		<-servedQuiet
	})
}

// A subscriber that takes nothing stops the peers that say much. All others go on: they have their share.
func TestShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk.Desk{}
		w := d.Watch()
		defer w.Stop()
		loud, servedLoud := pair(t, d, patient)
		flood(t, loud, 3000, 100)
		loudRead, _ := d.Entry(1)
		quiet, servedQuiet := pair(t, d, patient)
		for range 3 {
			send(t, quiet, "hi")
		}
		synctest.Wait()
		if e, err := d.Entry(2); err != nil || e.Unread != 3 {
			t.Errorf("one that says little beside it is read no further: %+v, %v", e, err)
		}
		// Its share is used up.
		flood(t, quiet, 100, 10)
		if e, _ := d.Entry(2); e.Unread > 5 {
			t.Errorf("%d messages of one that has begun to flood too are read", e.Unread)
		}
		if e, _ := d.Entry(1); e.Unread != loudRead.Unread {
			t.Errorf("the first to flood was read on: %d messages, then %d", loudRead.Unread, e.Unread)
		}
		// What is taken of one makes room for the same one.
		var last [3]string
		for range 3000 + 3 + 100 + 2 {
			e, err := w.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			last[e.Number] = string(e.Text[:min(len(e.Text), 6)])
		}
		if last[1] != "002999" || last[2] != "000099" {
			t.Errorf("last came %q and %q", last[1], last[2])
		}
		_, _ = loud.Close(), quiet.Close()
		<-servedLoud
		<-servedQuiet
	})
}

// A conversation whose events were taken has its share again, though others still fill the queue.
func TestShareIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk.Desk{}
		w := d.Watch()
		var all []*duet.Conn
		join := func() *duet.Conn {
			c, served := pair(t, d, patient)
			t.Cleanup(func() { <-served })
			all = append(all, c)
			return c
		}
		first := join()
		for range 5 {
			send(t, first, "hi")
		}
		synctest.Wait()
		flood(t, join(), 1000, 10)
		for range 10 {
			c := join()
			for range 3 {
				send(t, c, "hi")
			}
		}
		send(t, first, "more than its share")
		synctest.Wait()
		told := w.Told()
		for range 6 {
			if e, err := w.Next(t.Context()); err != nil || e.Number != 1 {
				t.Fatalf("%+v, %v", e, err)
			}
		}
		if now := w.Told(); now != told+1 {
			t.Errorf("%d events told, then %d", told, now)
		}
		w.Stop()
		for _, c := range all {
			_ = c.Close()
		}
	})
}

// Many shares together have a bound, and nothing is lost beyond it.
func TestSharesAreBounded(t *testing.T) {
	const peers, most = 1100, 16 * 256
	synctest.Test(t, func(t *testing.T) {
		d := &desk.Desk{}
		w := d.Watch()
		defer w.Stop()
		s := &duet.Server{Handler: d, Options: duet.Options{SendTimeout: -1}}
		l := duettest.NewListener()
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		var sending sync.WaitGroup
		for range peers {
			nc, err := l.Dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			sending.Go(func() { _, _ = io.WriteString(nc, strings.Repeat("hi\n", 5)) })
		}
		synctest.Wait()
		if told := w.Told(); told > most || told < 256 {
			t.Errorf("%d events of %d peers wait, want %d at most", told, peers, most)
		}
		for range peers * 6 {
			if _, err := w.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		_ = s.Close()
		<-served
		sending.Wait()
	})
}
