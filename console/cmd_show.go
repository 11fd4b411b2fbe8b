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

func (s *Session) cmdWho(_ context.Context, rest string) (bool, Outcome) {
	var lines []string
	switch strings.TrimSpace(rest) {
	case "":
	case "all":
		for _, e := range s.desk.Left() {
			lines = append(lines, leftLine(e))
		}
	default:
		s.Notice("/who, or /who all")
		return false, Stopped
	}
	target := s.chosen()
	if s.hall.there {
		lines = append(lines, s.roomLine(target == 0))
	}
	for _, e := range s.desk.Roster() {
		lines = append(lines, whoLine(e, e.Number == target))
	}
	if len(lines) == 0 {
		s.Notice(s.nobody())
		return false, Stopped
	}
	s.Notice(strings.Join(lines, "\n"))
	return false, Stopped
}

// leftLine shows one conversation that has ended.
func leftLine(e desk.Entry) string {
	return fmt.Sprintf("  %s  %s  has ended %s ago, after %s: %s  in %d (%d bytes)  out %d (%d bytes)%s",
		numberAndName(e.Number, e.Name), AddressWords(e.Peer), ago(e.Ended), max(e.Ended.Sub(e.Since), 0).Round(time.Second),
		EndWords(e.Reason, e.Err), e.Stats.MessagesIn, e.Stats.BytesIn, e.Stats.MessagesOut, e.Stats.BytesOut, noteWords(e))
}

func noteWords(e desk.Entry) string {
	if e.Note == "" {
		return ""
	}
	return "  note: " + safe(e.Note)
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
	line := fmt.Sprintf("%s %s  %s  for %s  %s  %s  in %d (%d bytes)  out %d (%d bytes)",
		mark, numberAndName(e.Number, e.Name), AddressWords(e.Peer), ago(e.Since), how, e.Encoding,
		e.Stats.MessagesIn, e.Stats.BytesIn, e.Stats.MessagesOut, e.Stats.BytesOut)
	if len(e.Last) > 0 {
		line += "  last: " + screen.Cut(safe(string(e.Last)), 30)
	}
	if e.Unread > 0 && !e.Waiting.IsZero() {
		line += fmt.Sprintf("  unanswered: %d, for %s", e.Unread, ago(e.Waiting))
	}
	if e.Queued > 0 {
		line += fmt.Sprintf("  waiting to be sent: %d bytes", e.Queued)
	}
	return line + noteWords(e)
}

func (s *Session) cmdFraming(ctx context.Context, rest string) (bool, Outcome) {
	s.showOrChange(rest, func(e desk.Entry) string {
		words := "framing " + e.Framing
		if e.Learned != "" {
			words += ": " + e.Learned
		}
		return words + " (there are " + strings.Join(framing.Names(), ", ") + ")"
	}, func(n uint64, name string) (string, error) {
		f, err := framing.Parse(name)
		if err != nil {
			return "", err
		}
		return "framing " + f.String(), s.desk.SetFraming(ctx, n, name)
	})
	return false, Stopped
}

func (s *Session) cmdEncoding(ctx context.Context, rest string) (bool, Outcome) {
	s.showOrChange(rest, func(e desk.Entry) string {
		return "encoding " + e.Encoding
	}, func(n uint64, name string) (string, error) {
		enc, err := charset.Lookup(name)
		if err != nil {
			return "", err
		}
		return "encoding " + enc.Name(), s.desk.SetEncoding(ctx, n, name)
	})
	return false, Stopped
}

// showOrChange shows something about the chosen conversation or, where rest names what it is to be, changes it.
func (s *Session) showOrChange(rest string, show func(desk.Entry) string, change func(n uint64, name string) (string, error)) {
	n := s.chosen()
	if n == 0 {
		s.Notice(s.nobody())
		return
	}
	if rest = strings.TrimSpace(rest); rest == "" {
		if e, err := s.desk.Entry(n); err == nil {
			s.Notice(show(e))
		}
		return
	}
	words, err := change(n, rest)
	if err != nil {
		words = err.Error()
	}
	s.Notice(words)
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
