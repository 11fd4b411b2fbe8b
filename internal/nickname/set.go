package nickname

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// A TakenError says that somebody else's name, or one that nobody may have, is the same or looks the same.
type TakenError struct {
	Name      string // what was asked for
	Resembles string // the name that is in use, or a word that is reserved
	Reserved  bool   // Resembles is nobody's name
}

func (e *TakenError) Error() string {
	is := "taken"
	if e.Reserved {
		is = "reserved"
	}
	if e.Name == e.Resembles {
		return fmt.Sprintf("%q is %s", e.Name, is)
	}
	return fmt.Sprintf("%q looks like %q, which is %s", e.Name, e.Resembles, is)
}

// Guest is what the names of those begin with who have not chosen one.
const Guest = "guest-"

// GuestName is what guest n is called.
func GuestName(n uint64) string { return Guest + strconv.FormatUint(n, 10) }

// A Set holds the names in use, such that no two of them look alike. The zero Set is empty and reserves nothing but
// what begins with [Guest]. Any number of goroutines may use it.
type Set struct {
	reserved map[string]string // by key; never changed

	mu    sync.Mutex
	names map[string]string // by key: a name has one or two
}

// NewSet makes a Set in which nobody can take the reserved words, or what looks like them.
func NewSet(reserved ...string) *Set {
	s := &Set{reserved: make(map[string]string)}
	for _, word := range reserved {
		for _, key := range keys(word) {
			s.reserved[key] = word
		}
	}
	return s
}

// Take takes a name, as Clean gives it. What Check says about it is the error, or a *TakenError.
func (s *Set) Take(name string) error { return s.Change("", name) }

// TakeGuest takes and returns the name of one who has not chosen any: guest-N. No two guests have one number.
func (s *Set) TakeGuest(n uint64) string {
	name := GuestName(n)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold(name, keys(name))
	return name
}

// Change gives who holds the old name a new one, which may look like the old one, or be it in another case. With an
// error nothing has changed, as for Take. An old name that nobody holds is not missed.
func (s *Set) Change(old, name string) error {
	if err := Check(name); err != nil {
		return err
	}
	looks := keys(name)
	for _, key := range looks {
		if word, ok := s.reserved[key]; ok {
			return &TakenError{Name: name, Resembles: word, Reserved: true}
		}
		if strings.HasPrefix(key, guestKey()) {
			return &TakenError{Name: name, Resembles: Guest, Reserved: true}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range looks {
		if other, ok := s.names[key]; ok && other != old {
			return &TakenError{Name: name, Resembles: other}
		}
	}
	s.free(old)
	s.hold(name, looks)
	return nil
}

var guestKey = sync.OnceValue(func() string { return Skeleton(Guest) })

// Free gives a name back. A name that nobody holds in exactly this form is not missed.
func (s *Set) Free(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free(name)
}

func (s *Set) free(name string) {
	for _, key := range keys(name) {
		if s.names[key] == name {
			delete(s.names, key)
		}
	}
}

func (s *Set) hold(name string, looks []string) {
	if s.names == nil {
		s.names = make(map[string]string)
	}
	for _, key := range looks {
		s.names[key] = name
	}
}
