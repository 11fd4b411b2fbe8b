package desk_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/desk"
	"duet.example/duet/framing"
)

// pause is longer than the one after which an unfinished line is shown.
const pause = 30 * time.Millisecond

// beginner gives a peer of d that has said a line, so that what it says next is an unfinished one.
func beginner(t *testing.T, d *desk.Desk) (nc io.WriteCloser, served <-chan struct{}) {
	t.Helper()
	peer, served := pair(t, d, func(s *duet.Server) { s.Framing = framing.Auto })
	raw, err := peer.Raw(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(raw, "welcome\n")
	time.Sleep(100 * time.Millisecond) // the pause from which auto learns
	synctest.Wait()
	return raw, served
}

// typeSlowly writes text byte by byte, so that each byte is one more unfinished line.
func typeSlowly(nc io.Writer, text string) {
	for i := range len(text) {
		_, _ = io.WriteString(nc, text[i:i+1])
		time.Sleep(pause)
	}
}

func TestSayingFourASecond(t *testing.T) {
	const apart = 250 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		d := &desk.Desk{}
		w := watch(t, d)
		nc, _ := beginner(t, d)
		next(t, w, desk.Arrived)
		next(t, w, desk.Said)
		text := strings.Repeat("0123456789", 10) + "abcd" // the last does not come just after a pause
		began := time.Now()
		done := make(chan time.Time)
		go func() {
			typeSlowly(nc, text)
			done <- time.Now()
		}()
		var last time.Time
		told := 0
		for {
			e := next(t, w, desk.Saying)
			now := time.Now()
			switch {
			case told == 0 && now.Sub(began) > pause:
				t.Errorf("the first came after %v", now.Sub(began))
			case told > 0 && now.Sub(last) < apart:
				t.Errorf("%q came %v after the one before it", e.Text, now.Sub(last))
			case !strings.HasPrefix(text, string(e.Text)):
				t.Errorf("%q", e.Text)
			}
			last = now
			told++
			if string(e.Text) == text {
				break
			}
		}
		if late := last.Sub(<-done); late > apart {
			t.Errorf("the newest came %v after the last byte", late)
		}
		if most := int(last.Sub(began)/apart) + 1; told > most || told < most/2 {
			t.Errorf("told %d times in %v, want %d at most", told, last.Sub(began), most)
		}
		next(t, w, desk.Said) // a line that stays unfinished is a message; nothing was told in between
		_ = nc.Close()
		next(t, w, desk.Left)
	})
}

// A subscriber that reads late gets the newest only, and behind what was told before it.
func TestSayingIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk.Desk{}
		w := watch(t, d)
		nc, _ := beginner(t, d)
		text := strings.Repeat("x", 200)
		typeSlowly(nc, text)
		if err := d.Say(t.Context(), 1, "go on"); err != nil {
			t.Fatal(err)
		}
		typeSlowly(nc, "yz")
		time.Sleep(300 * time.Millisecond)
		if told := w.Told(); told != 4 {
			t.Errorf("%d events told, want 4", told)
		}
		next(t, w, desk.Arrived)
		next(t, w, desk.Said)
		next(t, w, desk.Answered)
		if e := next(t, w, desk.Saying); string(e.Text) != text+"yz" {
			t.Errorf("%q", e.Text)
		}
		_, _ = io.WriteString(nc, "\n")
		if e := next(t, w, desk.Said); string(e.Text) != text+"yz" {
			t.Errorf("%q", e.Text)
		}
		_ = nc.Close()
		next(t, w, desk.Left)
	})
}

// noRoom gives a peer for whose events w has no room: another has flooded, and its share is used up.
func noRoom(t *testing.T, d *desk.Desk, w *desk.Watch) (nc io.WriteCloser, end func()) {
	t.Helper()
	loud, servedLoud := pair(t, d, patient)
	flood(t, loud, 1000, 10)
	nc, served := beginner(t, d)
	_, _ = io.WriteString(nc, "two\nthree\n")
	synctest.Wait()
	return nc, func() {
		w.Stop()
		_, _ = loud.Close(), nc.Close()
		<-servedLoud
		<-served
	}
}

// lastOf takes events until none is there, and gives the last of conversation n.
func lastOf(t *testing.T, w *desk.Watch, n uint64) (last desk.Event) {
	t.Helper()
	ended, cancel := context.WithCancel(t.Context())
	cancel() // what is queued comes all the same
	for {
		synctest.Wait()
		e, err := w.Next(ended)
		if err != nil {
			return last
		}
		if e.Number == n {
			last = e
		}
	}
}

// A queue without room holds up no unfinished message, and the newest comes once there is some.
func TestSayingWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk.Desk{}
		w := watch(t, d)
		nc, end := noRoom(t, d, w)
		defer end()
		told := w.Told()
		typeSlowly(nc, strings.Repeat("x", 100)+"y")
		time.Sleep(300 * time.Millisecond)
		if now := w.Told(); now != told {
			t.Errorf("%d events told, then %d", told, now)
		}
		if e := lastOf(t, w, 2); e.Kind != desk.Saying || !strings.HasSuffix(string(e.Text), "xy") {
			t.Errorf("the last is %+v", e)
		}
		_, _ = io.WriteString(nc, "z\n")
		if e := lastOf(t, w, 2); e.Kind != desk.Said || !strings.HasSuffix(string(e.Text), "xyz") {
			t.Errorf("the last is %+v", e)
		}
	})
}

// If a whole message comes while its beginning waits for room, only the whole message is told.
func TestSayingWaitsInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk.Desk{}
		w := watch(t, d)
		nc, end := noRoom(t, d, w)
		defer end()
		typeSlowly(nc, "abc")
		_, _ = io.WriteString(nc, "d\n")
		if e := lastOf(t, w, 2); e.Kind != desk.Said || string(e.Text) != "abcd" {
			t.Errorf("the last is %+v", e)
		}
	})
}

// A whole message follows at once: what was to be told of its beginning is told no more.
func TestSayingIsNotToldAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk.Desk{}
		w := watch(t, d)
		nc, _ := beginner(t, d)
		typeSlowly(nc, "abc")
		_, _ = io.WriteString(nc, "d\n")
		time.Sleep(300 * time.Millisecond)
		next(t, w, desk.Arrived)
		next(t, w, desk.Said)
		if e := next(t, w, desk.Saying); string(e.Text) != "a" {
			t.Errorf("%q", e.Text)
		}
		if e := next(t, w, desk.Said); string(e.Text) != "abcd" {
			t.Errorf("%q", e.Text)
		}
		_ = nc.Close()
		next(t, w, desk.Left)
	})
}

// The end of a conversation loses nothing of what its peer had begun to say.
func TestSayingBeforeTheEnd(t *testing.T) {
	for _, full := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			d := &desk.Desk{}
			w := watch(t, d)
			nc, end := noRoom(t, d, w)
			defer end()
			if !full {
				lastOf(t, w, 2)
			}
			typeSlowly(nc, "abc")
			if err := d.Operator("").Kick(t.Context(), 2, ""); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			var last, before desk.Event
			for last.Kind != desk.Left {
				before, last = last, nextOfConn(t, w, 2)
			}
			if before.Kind != desk.Saying || string(before.Text) != "abc" {
				t.Errorf("full %v: before it left: %q", full, before.Text)
			}
		})
	}
}

// nextOfConn takes the next event of conversation n.
func nextOfConn(t *testing.T, w *desk.Watch, n uint64) desk.Event {
	t.Helper()
	for {
		e, err := w.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e.Number == n {
			return e
		}
	}
}
