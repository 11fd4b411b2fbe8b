package console

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"duet.example/duet/internal/nickname"
	"duet.example/duet/internal/screen"
)

// nameWidth is how many columns of a name are shown before words and in the prompt.
const nameWidth = 16

// A peer is one at the other side of a live conversation, as the operator was told of it.
type peer struct {
	addr, name, note string
	called           string // its name, unless that says no more than its number
	shown            string // called, or its address, in safe form
	room             string // to which it spoke last
	// unread is how many messages were said and not seen, since the line of the log with which those begin that were not even printed.
	unread int
	since  uint64
	// waits: it has said something that nobody has answered.
	waits bool
}

// rename gives conversation n a name, or takes it away. In a hall it has one all the same. s.mu is held.
func (s *Session) rename(p *peer, n uint64, name string) {
	p.name, p.called = name, name
	if s.hall.there {
		p.name, p.called = cmp.Or(name, nickname.GuestName(n)), givenName(n, name)
	}
	if p.shown = safe(p.called); p.called == "" {
		p.shown = AddressWords(p.addr)
	}
}

// who names conversation n for people: its number, and its name. It is safe text.
func (s *Session) who(n uint64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.whoOf(n)
}

// whoOf is who with s.mu held.
func (s *Session) whoOf(n uint64) string {
	p := s.live[n]
	if p == nil {
		return strconv.FormatUint(n, 10)
	}
	return numberAndName(n, p.called)
}

func numberAndName(n uint64, name string) string {
	if name == "" {
		return strconv.FormatUint(n, 10)
	}
	return fmt.Sprintf("%d %s", n, screen.Cut(safe(name), nameWidth))
}

// number takes the number or the name of a conversation that the operator was told of, or says what is wrong with it.
func (s *Session) number(text string) (uint64, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "#"), 10, 64)
	s.mu.Lock()
	_, live := s.live[n]
	if live = live && err == nil; !live {
		for other, p := range s.live {
			if p.name != "" && strings.EqualFold(p.name, text) {
				n, live = other, true
			}
		}
	}
	s.mu.Unlock()
	if !live {
		s.noticef("no conversation %s; %s", screen.Cut(safe(text), 40), s.there())
		return 0, false
	}
	return n, true
}

// present are the numbers of the live conversations that the operator was told of.
func (s *Session) present() []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.live))
}

// Talking reports whether there is a conversation whose end was not told yet.
func (s *Session) Talking() bool { return len(s.present()) > 0 }

// there says which conversations there are.
func (s *Session) there() string {
	switch len(s.present()) {
	case 0:
		return s.numbers()
	case 1:
		return "there is " + s.numbers()
	}
	return "there are " + s.numbers()
}

// maxNumbers is how many conversations are listed in one line.
const maxNumbers = 30

// numbers lists them, with their names.
func (s *Session) numbers() string {
	all := s.present()
	if len(all) == 0 {
		return "there are none"
	}
	words := make([]string, 0, min(len(all), maxNumbers+1))
	for i, n := range all {
		if i == maxNumbers {
			words = append(words, fmt.Sprintf("… %d in all", len(all)))
			break
		}
		words = append(words, s.who(n))
	}
	return strings.Join(words, ", ")
}
