package console

import (
	"context"
	"fmt"
	"strings"
	"time"

	"duet.example/duet/desk"
	"duet.example/duet/framing"
	"duet.example/duet/internal/charset"
	"duet.example/duet/internal/screen"
)

func (s *Session) cmdWho(context.Context, string) (bool, Outcome) {
	roster := s.desk.Roster()
	if len(roster) == 0 {
		s.Notice(s.nobody())
		return false, Stopped
	}
	target := s.chosen()
	lines := make([]string, 0, len(roster))
	for _, e := range roster {
		lines = append(lines, whoLine(e, e.Number == target))
	}
	s.Notice(strings.Join(lines, "\n"))
	return false, Stopped
}

// whoLine shows one conversation. The arrow marks the one that is being answered.
func whoLine(e desk.Entry, chosen bool) string {
	mark := " "
	if chosen {
		mark = "→"
	}
	how := e.Framing
	if e.Learned != "" {
		how += ": " + e.Learned
	}
	line := fmt.Sprintf("%s %d  %s  for %s  %s  %s  in %d (%d bytes)  out %d (%d bytes)",
		mark, e.Number, AddressWords(e.Peer), time.Since(e.Since).Round(time.Second), how, e.Encoding,
		e.Stats.MessagesIn, e.Stats.BytesIn, e.Stats.MessagesOut, e.Stats.BytesOut)
	if len(e.Last) > 0 {
		line += "  last: " + screen.Cut(safe(string(e.Last)), 30)
	}
	if e.Queued > 0 {
		line += fmt.Sprintf("  waiting to be sent: %d bytes", e.Queued)
	}
	return line
}

func (s *Session) cmdFraming(ctx context.Context, rest string) (bool, Outcome) {
	rest = strings.TrimSpace(rest)
	n := s.chosen()
	if n == 0 {
		s.Notice(s.nobody())
		return false, Stopped
	}
	if rest == "" {
		if e, err := s.desk.Entry(n); err == nil {
			words := "framing " + e.Framing
			if e.Learned != "" {
				words += ": " + e.Learned
			}
			s.Notice(words + " (there are " + strings.Join(framing.Names(), ", ") + ")")
		}
		return false, Stopped
	}
	f, err := framing.Parse(rest)
	if err == nil {
		err = s.desk.SetFraming(ctx, n, rest)
	}
	if err != nil {
		s.Notice(err.Error())
		return false, Stopped
	}
	s.Notice("framing " + f.String())
	return false, Stopped
}

func (s *Session) cmdEncoding(ctx context.Context, rest string) (bool, Outcome) {
	rest = strings.TrimSpace(rest)
	n := s.chosen()
	if n == 0 {
		s.Notice(s.nobody())
		return false, Stopped
	}
	if rest == "" {
		if e, err := s.desk.Entry(n); err == nil {
			s.Notice("encoding " + e.Encoding)
		}
		return false, Stopped
	}
	enc, err := charset.Lookup(rest)
	if err == nil {
		err = s.desk.SetEncoding(ctx, n, rest)
	}
	if err != nil {
		s.Notice(err.Error())
		return false, Stopped
	}
	s.Notice("encoding " + enc.Name())
	return false, Stopped
}

func (s *Session) cmdExplain(_ context.Context, rest string) (bool, Outcome) {
	x := s.o.Explainer
	if x == nil {
		s.Notice("nothing is explained here")
		return false, Stopped
	}
	on, ok := onOff(strings.TrimSpace(rest), x.On())
	if !ok {
		s.Notice("/explain on, or /explain off")
		return false, Stopped
	}
	x.Set(on)
	s.Notice("explain " + onOffWord(on))
	return false, Stopped
}

// onOff takes on and off; nothing turns round what is.
func onOff(word string, now bool) (on, ok bool) {
	switch word {
	case "":
		return !now, true
	case "on":
		return true, true
	case "off":
		return false, true
	}
	return now, false
}

func onOffWord(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
