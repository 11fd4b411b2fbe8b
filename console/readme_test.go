package console_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"duet.example/duet/console"
	"duet.example/duet/desk"
	"duet.example/duet/room"
)

var (
	port      = regexp.MustCompile(`(connection from |client \d+ \S+ \()[^ )]+ \w+`)
	typedLine = regexp.MustCompile(`^((?:\S+ )*>>> )(.+)$`)
	unreadOf  = regexp.MustCompile(`\((\d+) unread\)`)
	saidLine  = regexp.MustCompile(`^【Client (\d+)[^】]*】 (.*)$`)
	goneLine  = regexp.MustCompile(`^(\S+) has gone from \S+ to (\S+)$`)
	namedLine = regexp.MustCompile(`^client (\d+) is (\S+) from now on$`)
)

// The session with several clients in the README is what the console prints: what stands behind a prompt is typed, what clients are
// shown to say they say.
func TestSessionOfTheReadme(t *testing.T) {
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, picture, _ := strings.Cut(string(b), "```\nThe Server has received a connection")
	picture, _, _ = strings.Cut(picture, "```")
	lines := strings.Split(strings.TrimSuffix("The Server has received a connection"+picture, "\n"), "\n")
	if len(lines) < 20 {
		t.Fatalf("there is no picture of it: %q", lines)
	}
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Server: true})
		b.replays(lines, func() *fakePeer { return b.connect() })
	})
}

// The session in a room is what the console prints, too, there.
func TestSessionOfTheRoom(t *testing.T) {
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, picture, _ := strings.Cut(string(b), "\n## Rooms\n")
	_, picture, _ = strings.Cut(picture, "\n```\n")
	picture, _, _ = strings.Cut(picture, "\n```")
	lines := strings.Split(picture, "\n")
	if len(lines) < 20 {
		t.Fatalf("there is no picture of it: %q", lines)
	}
	inBubble(t, func(t *testing.T) {
		h := &room.Hall{}
		d := &desk.Desk{Next: h}
		h.Watch = room.Watch{Said: d.Heard, Named: d.NameConn, Notice: d.Notice, Spoke: d.Spoke}
		b := openAt(t, d, console.Options{Server: true, Table: d.Operator("operator"), Operator: "operator"})
		b.replays(lines, b.joins)
	})
}

// replays has happen what a picture shows, and wants to see printed what it shows.
func (b *booth) replays(lines []string, connect func() *fakePeer) {
	b.t.Helper()
	var callers []*fakePeer
	called := map[string]*fakePeer{}
	var printed []string
	next := func() string {
		printed = append(printed, b.face.take()...)
		if len(printed) == 0 {
			return "(nothing)"
		}
		defer func() { printed = printed[1:] }()
		return printed[0]
	}
	counted, typed := 0, "" // lines that were said before they are shown; the last that was typed
	for i, line := range lines {
		if m := typedLine.FindStringSubmatch(line); m != nil {
			if unreadOf.MatchString(line) {
				for _, later := range lines[i+1:] {
					if typedLine.MatchString(later) {
						break
					}
					if said := saidLine.FindStringSubmatch(later); said != nil {
						b.says(callers[said[1][0]-'1'], said[2])
						counted++
					}
				}
			}
			b.prompts(m[1])
			typed = m[2]
			b.types(typed)
			continue
		}
		said, named, gone := saidLine.FindStringSubmatch(line), namedLine.FindStringSubmatch(line), goneLine.FindStringSubmatch(line)
		switch {
		case strings.HasPrefix(line, "The Server has received"):
			callers = append(callers, connect())
		case named != nil && !strings.HasPrefix(typed, "/name "):
			called[named[2]] = callers[named[1][0]-'1']
			b.says(called[named[2]], "/nick "+named[2])
		case gone != nil:
			b.says(called[gone[1]], "/join "+gone[2])
		case said != nil && counted > 0:
			counted--
		case said != nil:
			b.says(callers[said[1][0]-'1'], said[2])
		}
		if got := next(); port.ReplaceAllString(got, "${1}ADDRESS") != port.ReplaceAllString(line, "${1}ADDRESS") {
			b.t.Errorf("printed %q, the picture shows %q", got, line)
		}
	}
	printed = append(printed, b.face.take()...)
	if !slices.Equal(printed, nil) {
		b.t.Errorf("the picture does not show %q", printed)
	}
}
