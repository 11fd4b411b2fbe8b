package console_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"duet.example/duet/console"
)

var (
	port      = regexp.MustCompile(`(connection from |client \d+ \S+ \()[^ )]+ \w+`)
	typedLine = regexp.MustCompile(`^((?:\S+ )*>>> )(.+)$`)
	unreadOf  = regexp.MustCompile(`\((\d+) unread\)`)
	saidLine  = regexp.MustCompile(`^【Client (\d+)(?: \S+)?】 (.*)$`)
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
		var callers []*fakePeer
		var printed []string
		next := func() string {
			printed = append(printed, b.face.take()...)
			if len(printed) == 0 {
				return "(nothing)"
			}
			defer func() { printed = printed[1:] }()
			return printed[0]
		}
		counted := 0 // lines that were said before they are shown
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
				b.types(m[2])
				continue
			}
			said := saidLine.FindStringSubmatch(line)
			switch {
			case strings.HasPrefix(line, "The Server has received"):
				callers = append(callers, b.connect())
			case said != nil && counted > 0:
				counted--
			case said != nil:
				b.says(callers[said[1][0]-'1'], said[2])
			}
			if got := next(); port.ReplaceAllString(got, "${1}ADDRESS") != port.ReplaceAllString(line, "${1}ADDRESS") {
				t.Errorf("printed %q, the README shows %q", got, line)
			}
		}
		printed = append(printed, b.face.take()...)
		if !slices.Equal(printed, nil) {
			t.Errorf("the README does not show %q", printed)
		}
	})
}
