package nickname_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"duet.example/duet/internal/nickname"
)

// taken wants a TakenError about another name.
func taken(t *testing.T, err error, resembles string, reserved bool) {
	t.Helper()
	var e *nickname.TakenError
	if !errors.As(err, &e) || e.Resembles != resembles || e.Reserved != reserved {
		t.Errorf("error %v, want one about %q, reserved: %v", err, resembles, reserved)
	}
}

func TestSet(t *testing.T) {
	s := nickname.NewSet("you", "operator", "lobby")
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	ok(s.Take("coco"))
	taken(t, s.Take("coco"), "coco", false)
	taken(t, s.Take("сосо"), "coco", false)
	taken(t, s.Take("C0C0"), "coco", false)
	taken(t, s.Take("You"), "you", true)
	taken(t, s.Take("Y0U"), "you", true)
	taken(t, s.Take("1obby"), "lobby", true)
	taken(t, s.Take("guest-7"), nickname.Guest, true)
	taken(t, s.Take("GUEST-x"), nickname.Guest, true)
	ok(s.Take("guest"))
	ok(s.Take("guesty"))
	ok(s.Take("ΝΙΝΑ"))
	taken(t, s.Take("Nina"), "ΝΙΝΑ", false)
	taken(t, s.Take("vlva"), "ΝΙΝΑ", false)
	if err := s.Take("a b"); err == nil || errors.As(err, new(*nickname.TakenError)) {
		t.Errorf("a blank: %v", err)
	}

	ok(s.Change("coco", "Coco"))
	ok(s.Change("Coco", "Coco"))
	taken(t, s.Take("coco"), "Coco", false)
	ok(s.Take("berta"))
	taken(t, s.Change("berta", "COCO"), "Coco", false)
	taken(t, s.Take("BERTA"), "berta", false) // it has not been given back
	ok(s.Change("berta", "anna"))
	ok(s.Take("Berta"))
	taken(t, s.Change("anna", "you"), "you", true)
	s.Free("coco") // nobody's: the name is Coco
	taken(t, s.Take("coco"), "Coco", false)
	s.Free("Coco")
	ok(s.Take("coco"))
	s.Free("ΝΙΝΑ")
	ok(s.Take("viva"))
	ok(s.Take("nina"))
	s.Free("nobody")
}

func TestGuests(t *testing.T) {
	var s nickname.Set
	for _, n := range []uint64{1, 10, 7, 1<<64 - 1} {
		name := s.TakeGuest(n)
		if name != fmt.Sprintf("guest-%d", n) || nickname.Check(name) != nil {
			t.Errorf("%d is %q", n, name)
		}
	}
	taken(t, s.Take("guest-l"), nickname.Guest, true)
	taken(t, s.Change("guest-7", "Guest-7"), nickname.Guest, true)
	if err := s.Change("guest-7", "anna"); err != nil {
		t.Error(err)
	}
	if got := s.TakeGuest(7); got != "guest-7" {
		t.Error(got)
	}
	taken(t, s.Take("anna"), "anna", false)
	s.Free("anna")
	if err := s.Take("Anna"); err != nil {
		t.Error(err)
	}
}

func TestTakenErrorSays(t *testing.T) {
	for want, e := range map[string]*nickname.TakenError{
		`"anna" is taken`:                           {Name: "anna", Resembles: "anna"},
		`"ANNA" looks like "anna", which is taken`:  {Name: "ANNA", Resembles: "anna"},
		`"y0u" looks like "you", which is reserved`: {Name: "y0u", Resembles: "you", Reserved: true},
		`"you" is reserved`:                         {Name: "you", Resembles: "you", Reserved: true},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// A model of a Set is a list in which no two are alike.
func TestSetHoldsNoTwoAlike(t *testing.T) {
	letters := rapid.SampledFrom([]rune("aаnνlI1oо0оmrvwNΝΑ"))
	names := rapid.StringOfN(letters, 1, 3, -1)
	rapid.Check(t, func(t *rapid.T) {
		var s nickname.Set
		var held []string
		resembles := func(name, own string) bool {
			for _, h := range held {
				if h != own && nickname.Alike(h, name) {
					return true
				}
			}
			return false
		}
		without := func(name string) (rest []string) {
			for _, h := range held {
				if h != name {
					rest = append(rest, h)
				}
			}
			return rest
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			name, old := names.Draw(t, "name"), ""
			switch rapid.IntRange(0, 2).Draw(t, "do") {
			case 0:
				s.Free(name)
				held = without(name)
				continue
			case 1:
				if len(held) > 0 {
					old = rapid.SampledFrom(held).Draw(t, "old")
				}
			}
			err := s.Change(old, name)
			if want := nickname.Check(name) == nil && !resembles(name, old); want != (err == nil) {
				t.Fatalf("%q instead of %q, in %q: %v", name, old, held, err)
			}
			if err == nil {
				held = append(without(old), name)
			}
		}
		seen := map[string]bool{}
		for _, h := range held {
			if k := nickname.Skeleton(h); seen[k] {
				t.Fatalf("two are %q in %q", k, held)
			} else {
				seen[k] = true
			}
		}
	})
}

func TestOneGetsIt(t *testing.T) {
	var s nickname.Set
	var wg sync.WaitGroup
	got := make(chan string, 8)
	for i, name := range []string{"coco", "сосо", "C0co", "cOCo", "coc0", "СОСО", "COCO", "Coco"} {
		wg.Go(func() {
			own := s.TakeGuest(uint64(i))
			if s.Change(own, name) == nil {
				got <- name
			} else {
				s.Free(own)
			}
		})
	}
	wg.Wait()
	if len(got) != 1 {
		t.Errorf("%d got it", len(got))
	}
}
