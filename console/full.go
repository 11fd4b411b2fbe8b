package console

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A FullFace is a Face that has the whole screen for a view, too.
type FullFace interface {
	Face
	// SetFull shows what view gives, whenever that is drawn, in the place of the lines; nil goes back to them. What is printed
	// meanwhile stands among the lines then, the last of it if that is much. view must not wait, nor call the face.
	SetFull(view func() View)
	// Redraw has the view drawn again soon. It never waits.
	Redraw()
}

var _ FullFace = (*Terminal)(nil)

// cmdFull opens the full-screen view, or goes back to the lines.
func (s *Session) cmdFull(context.Context, string) (bool, Outcome) {
	if s.viewer == nil {
		s.Notice("the full view wants a terminal")
		return false, Stopped
	}
	s.mu.Lock()
	on := !s.full
	s.mu.Unlock()
	s.setFull(on)
	return false, Stopped
}

// setFull opens or closes the full view. What was printed while it was open is not unread any more.
func (s *Session) setFull(on bool) {
	s.showMu.Lock()
	defer s.showMu.Unlock()
	s.mu.Lock()
	was := s.full
	s.full = on
	for _, p := range s.live {
		if p.since == 0 {
			p.unread = 0
		}
	}
	s.mu.Unlock()
	switch {
	case on && !was:
		s.viewer.SetFull(s.view)
	case !on && was:
		s.viewer.SetFull(nil)
	}
	s.refresh()
}

// redraw draws the full view again, if it is open.
func (s *Session) redraw() {
	s.mu.Lock()
	full := s.full
	s.mu.Unlock()
	if full {
		s.viewer.Redraw()
	}
}

// view is what the full view shows now.
func (s *Session) view() View {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := View{Title: "nobody is being answered", Peers: make([]ViewPeer, 0, len(s.live))}
	typing := make(map[uint64]bool, len(s.partials))
	for _, p := range s.partials {
		typing[p.number] = true
	}
	if s.hall.there {
		v.Peers = append(v.Peers, ViewPeer{Name: safe(s.hall.room), Chosen: s.target == 0})
	}
	for _, n := range slices.Sorted(maps.Keys(s.live)) {
		p := s.live[n]
		v.Peers = append(v.Peers, ViewPeer{
			Number: n, Name: p.shown, Unread: p.unread, Chosen: n == s.target, Waits: p.waits, Typing: typing[n],
		})
	}
	of := s.target
	switch p := s.live[of]; {
	case p != nil:
		v.Title = "client " + s.whoOf(of) + ", " + AddressWords(p.addr)
		if p.note != "" {
			v.Title += ": " + safe(p.note)
		}
	case s.hall.there:
		v.Title = "room " + safe(s.hall.room)
		of = s.logs.room(s.hall.room)
	case s.former != 0:
		of = s.former
		v.Title = "client " + strconv.FormatUint(of, 10) + " has left; " + v.Title
	}
	for _, p := range s.partials {
		if p.number == s.target {
			v.Partial = s.partialLine(p)
		}
	}
	for _, l := range s.logs.merged(of) {
		v.Lines = append(v.Lines, ViewLine{l.seq, l.text})
	}
	return v
}

// chooseBy answers the conversation that a key means: its number, or the next one or the one before (+ and -). The room is 0.
func (s *Session) chooseBy(key string) {
	all := s.present()
	if s.hall.there {
		all = append([]uint64{0}, all...)
	}
	if !s.o.Server || len(all) == 0 {
		return
	}
	at, found := slices.BinarySearch(all, s.chosen())
	switch key {
	case "+":
		if found {
			at++
		}
	case "-":
		at += len(all) - 1
	case "0":
		if s.hall.there {
			s.chooseRoom()
		}
		return
	default:
		if n, ok := s.number(strings.TrimSpace(key)); ok {
			s.choose(n)
		}
		return
	}
	if n := all[at%len(all)]; n == 0 {
		s.chooseRoom()
	} else {
		s.choose(n)
	}
}
