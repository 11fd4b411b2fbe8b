package console

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"duet.example/duet/desk"
	"duet.example/duet/internal/screen"
)

// whose takes the conversation that the first word of rest means, and what stands behind that word.
func (s *Session) whose(command, rest string) (n uint64, text string, ok bool) {
	who, text, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	if who == "" {
		s.noticef("/%s wants a number or a name: /%s 2", command, command)
		return 0, "", false
	}
	n, ok = s.number(who)
	return n, text, ok
}

func (s *Session) cmdName(ctx context.Context, rest string) (bool, Outcome) {
	if n, name, ok := s.whose("name", rest); ok {
		if err := s.desk.Name(ctx, n, strings.TrimSpace(name)); err != nil {
			s.noticef("not named: %s", tableProblem(err))
		}
	}
	return false, Stopped
}

func (s *Session) cmdNote(ctx context.Context, rest string) (bool, Outcome) {
	if n, note, ok := s.whose("note", rest); ok {
		if err := s.desk.Note(ctx, n, strings.TrimSpace(note)); err != nil {
			s.noticef("not noted: %s", tableProblem(err))
		}
	}
	return false, Stopped
}

func (s *Session) cmdKick(ctx context.Context, rest string) (bool, Outcome) {
	if n, reason, ok := s.whose("kick", rest); ok {
		if err := s.desk.Kick(ctx, n, strings.TrimSpace(reason)); err != nil {
			s.noticef("not kicked: %s", tableProblem(err))
		}
	}
	return false, Stopped
}

// cmdBan takes an address, a network, or one who is or was here.
func (s *Session) cmdBan(ctx context.Context, rest string) (bool, Outcome) {
	rule := strings.TrimSpace(rest)
	switch {
	case rule == "":
		s.Notice("/ban wants an address, a network, or who comes from there: /ban 192.0.2.7, /ban 192.0.2.0/24, /ban 2")
		return false, Stopped
	case !isAddress(rule):
		var ok bool
		if rule, ok = s.addressOf(rule); !ok {
			return false, Stopped
		}
	}
	if err := s.desk.Ban(ctx, rule, ""); err != nil {
		s.noticef("not banned: %s", tableProblem(err))
	}
	return false, Stopped
}

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	_, perr := netip.ParsePrefix(text)
	return err == nil || perr == nil
}

// addressOf is the address of the conversation that text means, also of one that has ended; or it says that there is none.
func (s *Session) addressOf(text string) (string, bool) {
	entries := s.desk.Roster()
	left := s.desk.Left()
	slices.Reverse(left) // a name may have been given again
	entries = append(entries, left...)
	i := slices.IndexFunc(entries, func(e desk.Entry) bool {
		return strconv.FormatUint(e.Number, 10) == strings.TrimPrefix(text, "#") || e.Name != "" && strings.EqualFold(e.Name, text)
	})
	if i < 0 {
		s.noticef("%s is no address, and no conversation; %s", screen.Cut(safe(text), 40), s.there())
		return "", false
	}
	a, ok := peerAddress(entries[i].Peer)
	if !ok {
		s.noticef("not banned: %s has no address of the network", AddressWords(entries[i].Peer))
	}
	return a, ok
}

// peerAddress is the address of a peer, without its port and zone.
func peerAddress(peer string) (string, bool) {
	host, _, err := net.SplitHostPort(peer)
	if err != nil {
		return "", false
	}
	a, err := netip.ParseAddr(host)
	return a.Unmap().WithZone("").String(), err == nil
}

func (s *Session) cmdReload(ctx context.Context, _ string) (bool, Outcome) {
	if err := s.desk.Reload(ctx); err != nil {
		s.noticef("not reloaded: %s", tableProblem(err))
		return false, Stopped
	}
	s.Notice("the lists of addresses were read again")
	return false, Stopped
}

// tableProblem says for people why the desk did not do something.
func tableProblem(err error) string {
	switch {
	case errors.Is(err, desk.ErrNoGate):
		return desk.ErrNoGate.Error()
	case errors.Is(err, desk.ErrNobody):
		return "the conversation has ended"
	}
	return err.Error()
}
