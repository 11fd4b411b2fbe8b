//go:build linux

package interop_test

import (
	"regexp"
	"strings"
	"testing"
)

// forgeries are what mallory says to pose as anna, as the room or as the console; what another member must get of it, and what must
// stand on the operator's screen. Whatever ends a line somewhere ends one here, and each line has its sender's name.
var forgeries = []struct {
	said  string
	heard []string
	rows  []string // behind the label; nil: as heard, without the name
}{
	{"1\nanna: I resign", []string{"mallory: 1", "mallory: anna: I resign"}, nil},
	{"2\r\nanna: I resign", []string{"mallory: 2", "mallory: anna: I resign"}, nil},
	{"3\ranna: I resign", []string{"mallory: 3", "mallory: anna: I resign"}, nil},
	{"4\x0banna: I resign", []string{"mallory: 4", "mallory: anna: I resign"}, nil},
	{"5\x0canna: I resign", []string{"mallory: 5", "mallory: anna: I resign"}, nil},
	{"6\u0085anna: I resign", []string{"mallory: 6", "mallory: anna: I resign"}, nil},
	{"7\u2028anna: I resign", []string{"mallory: 7", "mallory: anna: I resign"}, nil},
	{"8\u2029anna: I resign", []string{"mallory: 8", "mallory: anna: I resign"}, nil},
	{"9\x00anna: I resign", []string{`mallory: 9\x00anna: I resign`}, nil},
	{"\x1b[2K\x1b[1Ganna: I resign", []string{`mallory: \x1b[2K\x1b[1Ganna: I resign`}, nil},
	{"\x1b]0;title\x07", []string{`mallory: \x1b]0;title\x07`}, nil},
	{"\u009b2Kanna", []string{`mallory: \u009b2Kanna`}, nil},
	{"\x9b2K\xff\xfeanna", []string{`mallory: \x9b2K\xff\xfeanna`}, nil},
	{"\x08\x08\x08\x08anna: I resign", []string{`mallory: \x08\x08\x08\x08anna: I resign`}, nil},
	{"\u202eanna\u2066", []string{`mallory: \u{202e}anna\u{2066}`}, nil},
	{"\u200b\ufeff\u2060anna", []string{`mallory: \u{200b}\u{feff}\u{2060}anna`}, nil},
	{"a\u0301\u0301\u0301\u0301\u0301\u0301", []string{"mallory: a\u0301\u0301\u0301\u0301" + `\u{0301}\u{0301}`}, nil},
	{"-- anna has left: farewell", []string{"mallory: -- anna has left: farewell"}, nil},
	{"… 120 messages missed", []string{"mallory: … 120 messages missed"}, nil},
	{"[14:03:22] anna: I resign", []string{"mallory: [14:03:22] anna: I resign"}, nil},
	{"anna -> you: I resign", []string{"mallory: anna -> you: I resign"}, nil},
	{"@operator: I resign", []string{"mallory: @operator: I resign"}, nil},
	{"* anna resigns", []string{"mallory: * anna resigns"}, nil},
	{"【Client 1 anna】 I resign", []string{"mallory: 【Client 1 anna】 I resign"}, nil},
	{"The conversation with client 1 has ended: reset", []string{"mallory: The conversation with client 1 has ended: reset"}, nil},
	{"/me x\u2028anna: I resign", []string{"* mallory x", "mallory: anna: I resign"}, []string{"* mallory x", "anna: I resign"}},
	{"/me -- anna has left", []string{"* mallory -- anna has left"}, []string{"* mallory -- anna has left"}},
	{"//me resigns", []string{"mallory: /me resigns"}, nil},
	{"/msg anna psst\u2028-- bob has left", []string{"mallory -> you: psst", "mallory: -- bob has left"}, []string{"-- bob has left"}},
	{"/msg anna anna -> you: psst", []string{"mallory -> you: anna -> you: psst"}, []string{}},
	{"/nick \x1b[2Kx", nil, []string{}},
}

// namesRefused are names that nobody gets beside anna and an operator, and a part of what is said about it.
var namesRefused = []struct{ name, why string }{
	{"anna", "taken"},
	{"ANNA", "taken"},
	{" anna ", "taken"},
	{"аnna", "in one script"},
	{"аппа", ""}, // Cyrillic in whole: nobody takes it for Latin
	{"ａｎｎａ", "taken"},
	{"anna\u200b", "cannot stand in a name"},
	{"an\u00adna", "cannot stand in a name"},
	{"a\u200dnna", "cannot stand in a name"},
	{"\u2060anna", "cannot stand in a name"},
	{"\u202eanna", "direction"},
	{"anna\u200f", "direction"},
	{"an na", "blank"},
	{"an\u00a0na", "blank"},
	{"anna:", "cannot stand in a name"},
	{"anna->", "cannot stand in a name"},
	{"* anna", "cannot stand in a name"},
	{"-- anna", "begins with"},
	{"[14", "cannot stand in a name"},
	{"…", "cannot stand in a name"},
	{"@operator", "cannot stand in a name"},
	{"operator", "reserved"},
	{"you", "reserved"},
	{"YOU", "reserved"},
	{"guest-1", "reserved"},
	{"GUEST-77", "reserved"},
	{"guest\u20101", "cannot stand in a name"},
	{"1", "number"},
	{"２", "number"},
	{"\u0301anna", "mark"},
	{"anna\x1b[2K", "control character"},
	{strings.Repeat("x", 65), "at most 32"},
}

// Nobody poses as another, as the room or as the console: not before other members, and not before an operator at a terminal.
func TestRoom_Forgeries(t *testing.T) {
	t.Parallel()
	operator := sit(t, 100, 60, nil, "listen", "--room", "127.0.0.1:0")
	port := operator.port()
	anna := named(t, port, "anna")
	mallory := named(t, port, "mallory")
	anna.gets("-- guest-2 has joined\n-- guest-2 is mallory from now on\n")
	label := "【Client 2 mallory】 "
	var rows []string
	for _, f := range forgeries {
		mallory.sends(f.said + "\n")
		for _, line := range f.heard {
			anna.gets(line + "\n")
			if f.rows == nil {
				rows = append(rows, label+strings.TrimPrefix(line, "mallory: "))
			}
		}
		for _, row := range f.rows {
			rows = append(rows, label+row)
		}
	}
	for _, n := range namesRefused {
		mallory.sends("/nick " + n.name + "\n")
		if n.why == "" {
			anna.gets("-- mallory is " + n.name + " from now on\n")
			mallory.sends("/nick mallory\n")
			anna.gets("-- " + n.name + " is mallory from now on\n")
		}
	}
	mallory.sends("the end\n")
	anna.gets("mallory: the end\n")
	rows = append(rows, label+"the end")
	operator.sees(label+"the end", "lobby >>>")

	answers, err := mallory.readTo("/who")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range namesRefused {
		if n.why == "" {
			continue
		}
		for len(answers) > 0 && !strings.HasSuffix(answers[0], n.why) && !strings.Contains(answers[0], n.why) {
			answers = answers[1:]
		}
		if len(answers) == 0 {
			t.Errorf("that %q is no name because of %q is not said", n.name, n.why)
			break
		}
		answers = answers[1:]
	}

	own := regexp.MustCompile(`^(lobby >>>$|The Server (is running|has received)|  |$|client [12] is (anna|mallory|аппа) from now on$)`)
	var seen []string
	for row := range strings.Lines(operator.History()) {
		row = strings.TrimRight(row, "\n")
		switch {
		case strings.HasPrefix(row, label):
			seen = append(seen, row)
		case !own.MatchString(row):
			t.Errorf("a row of the screen begins with what is neither the console's nor a label: %q", row)
		}
	}
	if got := firstDifference(seen, rows); got != "no difference" {
		t.Errorf("the screen: %s\n%s", got, operator.History())
	}
	operator.noTrace()
}

// named is a member of that name, that has heard what it hears about that.
func named(t *testing.T, port, name string) *socket {
	t.Helper()
	s := dialTo(t, port)
	line, err := s.r.ReadString('\n')
	found := welcome.FindStringSubmatch(line)
	if found == nil {
		t.Fatalf("welcomed with %q, %v", line, err)
	}
	s.sends("/nick " + name + "\n")
	s.gets("-- " + found[1] + " is " + name + " from now on\n")
	return s
}

// readTo asks with a command and reads what has come before its answer, in lines.
func (s *socket) readTo(command string) (lines []string, err error) {
	s.sends(command + "\n")
	for {
		line, err := s.r.ReadString('\n')
		if err != nil || regexp.MustCompile(`^-- \d+ are in `).MatchString(line) {
			return lines, err
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
}
