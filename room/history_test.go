package room_test

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet/room"
)

func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &room.Hall{History: 3}
		a := called(t, h, "anna")
		a.say("one", "two", "/me three", "/who")
		a.expectEnd("in lobby: anna")
		then := time.Now()
		time.Sleep(time.Minute)
		speak(t, h, "ops", "four")
		a.expect("@ops: four")
		at := func(d time.Duration) string { return then.Add(d).Format("[15:04:05] ") }
		b := join(t, h)
		b.expect(at(0)+"anna: two", at(0)+"* anna three", at(time.Minute)+"@ops: four")
		a.expect("-- guest-1 has joined")
		a.say("/join other")
		a.expectEnd("nobody else is here")
		b.expect("-- anna has gone to other")
		b.say("five")
		b.say("/who")
		b.expectEnd("@ops, guest-1")
		a.say("/part") // what was said while it was away
		a.expectEnd("here: @ops, guest-1")
		a.expect(at(0)+"* anna three", at(time.Minute)+"@ops: four", at(time.Minute)+"guest-1: five")
		_ = a.conn.Close()
		_ = b.conn.Close()
		a.gone()
		b.gone()
	})
}

func TestHistoryIsBounded(t *testing.T) {
	h := &room.Hall{History: 1 << 30}
	a := join(t, h)
	long := strings.Repeat("x", 60<<10)
	for range 10 {
		a.say(long)
	}
	a.say("/who")
	a.expectEnd("guest-1")
	b := join(t, h)
	for range 4 {
		if got := b.next(); !strings.HasSuffix(got, "guest-1: "+long) {
			t.Fatalf("%.80q", got)
		}
	}
	a.expect("-- guest-2 has joined")
	for i := range 2000 {
		a.say(fmt.Sprint(i))
		b.expect(fmt.Sprintf("guest-1: %d", i))
	}
	c := join(t, h)
	for i := range 900 {
		c.expectEnd(fmt.Sprintf("guest-1: %d", 1100+i))
	}
	a.expect("-- guest-3 has joined")
	a.say("end")
	c.expect("guest-1: end")
}

func TestHistoryEndsWhereHearingBegins(t *testing.T) {
	told, err := room.HistoryAtJoin("anna: before", "anna: after")
	if err != nil || len(told) != 1 || !strings.HasSuffix(string(told[0]), "] anna: before") {
		t.Errorf("told %q, %v", told, err)
	}
}

// Whoever joins while others speak gets each line once: in the history or after it.
func TestHistoryMeetsWhatIsSaid(t *testing.T) {
	h := &room.Hall{History: 800}
	const lines, joiners = 400, 20
	a := join(t, h)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range lines {
			a.say(fmt.Sprintf("line %d", i))
		}
	})
	number := regexp.MustCompile(`guest-1: line (\d+)$`)
	for range joiners {
		p := join(t, h)
		wg.Go(func() {
			for want := 0; want < lines; {
				line := p.next()
				switch m := number.FindStringSubmatch(line); {
				case m == nil:
				case m[1] != fmt.Sprint(want):
					t.Errorf("%q, want line %d", line, want)
					return
				default:
					want++
				}
			}
		})
	}
	wg.Wait()
}
