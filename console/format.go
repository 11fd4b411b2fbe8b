package console

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"duet.example/duet/desk"
	"duet.example/duet/internal/screen"
)

// style holds the sequences that set things apart; all empty without colour.
type style struct {
	peerOn, operatorOn, noticeOn, off string
	odd                               screen.Style // what screen had to make visible
}

// newStyle: without colour a terminal still sets apart what screen made visible,
// by reverse video, so that a peer's words `\x1b` cannot pose as one.
func newStyle(terminal, color bool) style {
	switch {
	case !terminal && !color:
		return style{}
	case !color:
		return style{odd: screen.Reverse}
	}
	return style{
		peerOn: "\x1b[1;36m", operatorOn: "\x1b[1;32m", noticeOn: "\x1b[2m", off: "\x1b[0m",
		odd: screen.Reverse,
	}
}

func (st style) notice(text string) string   { return st.noticeOn + text + st.off }
func (st style) peer(text string) string     { return st.peerOn + text + st.off }
func (st style) operator(text string) string { return st.operatorOn + text + st.off }

// label is what stands before each line of a peer's words, so that none can pose as the console's.
// room is where they were said, which is told where it is not this operator's. s.mu is held.
func (s *Session) labelOf(n uint64, room string) string {
	switch {
	case !s.o.Server:
		return s.style.peer("【Server】") + " "
	case s.alone(n):
		return s.style.peer("【Client】") + " "
	}
	who := s.whoOf(n)
	if room != "" && room != s.hall.room {
		who += ", " + labelName(room)
	}
	return s.style.peer("【Client "+who+"】") + " "
}

// answerLines are the lines in which what was said to a conversation or to a room is shown: the operator's own as at the prompt,
// those of others with a label that names both.
func (s *Session) answerLines(e desk.Event, own bool) []string {
	s.mu.Lock()
	asHex := s.hex
	stamper := s.stamper
	stamp := stamper.stamp(e.Time)
	label := ">>> "
	if !own {
		s.stamper = stamper
		to := ""
		switch {
		case e.Room != "":
			to = " → " + labelName(e.Room)
		case s.o.Server:
			to = " → " + s.whoOf(e.Number)
		}
		label = s.style.operator("【"+operatorName(e.Operator)+to+"】") + " "
	}
	s.mu.Unlock()
	return s.labelled(e, asHex, stamp, label)
}

// operatorName shows the name of an operator, which the operator has chosen: nothing in it can pose as a label's end. Without one,
// it is the handler that speaks.
func operatorName(name string) string {
	if name == "" {
		return "handler"
	}
	return labelName(name)
}

// labelName shows a name within a label: nothing in it can pose as the label's end, or as another part of it.
func labelName(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("【】→", r) {
			return '?'
		}
		return r
	}, screen.Cut(safe(name), nameWidth))
}

// labelled are the lines of what was said, in its safe form or as a dump; each has the stamp and the label.
func (s *Session) labelled(e desk.Event, asHex bool, stamp, label string) []string {
	var lines []string
	if asHex {
		lines = s.dumpLines(dumpOf(e.Body, e.Mark), stamp, label)
	} else {
		lines = screen.Lines(screen.Untrusted(e.Text), s.style.odd)
	}
	for i, l := range lines {
		lines[i] = s.style.stamped(stamp) + label + l
	}
	return lines
}

// messageLines are the lines in which a message is shown: each has its stamp and label.
func (s *Session) messageLines(e desk.Event) []string {
	s.mu.Lock()
	asHex := s.hex
	stamp := s.stamper.stamp(e.Time)
	label := s.labelOf(e.Number, e.Room)
	s.mu.Unlock()
	return s.labelled(e, asHex, stamp, label)
}

// partialLine shows an unfinished line; only its last part, if it is long. s.mu is held.
func (s *Session) partialLine(p partial) string {
	var lines []string
	if s.hex {
		lines = s.dumpLines(dumpOf(p.text, ""), "", s.labelOf(p.number, ""))
	} else {
		lines = screen.Lines(screen.Untrusted(p.text), s.style.odd)
	}
	line := lines[len(lines)-1]
	if p.cut {
		line = "…" + line
	}
	return s.labelOf(p.number, "") + line
}

func (st style) stamped(stamp string) string {
	if stamp == "" {
		return ""
	}
	return st.noticeOn + stamp + st.off + " "
}

// Stamps says which times stand before lines.
type Stamps uint8

// The kinds of times.
const (
	NoStamps Stamps = iota
	// ClockStamps: 15:04:05.
	ClockStamps
	// ISOStamps: 2006-01-02T15:04:05.000Z07:00 (RFC 3339).
	ISOStamps
	// DeltaStamps: since the line before.
	DeltaStamps
	// StartStamps: since the session began.
	StartStamps
)

// StampNames are the names that ParseStamps takes.
var StampNames = []string{"none", "clock", "iso", "delta", "start"}

// ParseStamps takes one of StampNames.
func ParseStamps(name string) (Stamps, error) {
	for i, n := range StampNames {
		if n == name {
			return Stamps(i), nil
		}
	}
	return NoStamps, fmt.Errorf("no times are called %q: %s", name, strings.Join(StampNames, ", "))
}

// A stamper makes stamps; delta needs the time before.
type stamper struct {
	kind        Stamps
	start, last time.Time
}

func (st *stamper) stamp(t time.Time) string {
	before := st.last
	if before.IsZero() {
		before = st.start
	}
	st.last = t
	switch st.kind {
	case ClockStamps:
		return t.Format(time.TimeOnly)
	case ISOStamps:
		return t.Format("2006-01-02T15:04:05.000Z07:00")
	case DeltaStamps:
		return fmt.Sprintf("+%.3f", max(t.Sub(before), 0).Seconds())
	case StartStamps:
		return fmt.Sprintf("%.3f", max(t.Sub(st.start), 0).Seconds())
	}
	return ""
}

// AddressWords shows an address as people say it: `127.0.0.1: 53122`. Who comes through a unix socket
// mostly has none. It is safe text.
func AddressWords(addr string) string {
	if addr == "" || addr == "@" {
		return "a local peer"
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || strings.Contains(addr, "/") { // the path of a unix socket may hold anything
		return safe(addr)
	}
	return safe(host + ": " + port)
}

// countMany is count with the digits of n in groups of three: 3,000,000 bytes.
func countMany(n int64, one, many string) string {
	digits := strconv.FormatInt(n, 10)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	if n == 1 {
		many = one
	}
	return digits + " " + many
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
