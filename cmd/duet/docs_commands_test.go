package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"duet.example/duet/framing"
	"duet.example/duet/internal/charset"
	"duet.example/duet/transport"
)

// fenced are the blocks between ``` lines of a Markdown text that are in a language.
func fenced(text, language string) []string {
	var blocks []string
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		if m[1] == language {
			blocks = append(blocks, m[2])
		}
	}
	return blocks
}

// simpleCommands splits a line of the shell into its commands, without what it redirects. It knows
// quotes, comments, pipes and lists, and refuses what else the documents should do without.
func simpleCommands(line string) ([][]string, error) {
	var all [][]string
	var words []string
	var word strings.Builder
	started, redirected := false, false
	endWord := func() {
		if started && !redirected {
			words = append(words, word.String())
		}
		if started {
			redirected = false
		}
		word.Reset()
		started = false
	}
	endCommand := func() {
		endWord()
		if len(words) > 0 {
			all = append(all, words)
		}
		words = nil
	}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == ' ' || c == '\t':
			endWord()
		case c == '#' && !started:
			i = len(line)
		case c == '|' || c == ';' || c == '&':
			endCommand()
		case c == '<' || c == '>':
			endWord()
			redirected = true
		case c == '\'' || c == '"':
			end := strings.IndexByte(line[i+1:], c)
			if end < 0 {
				return nil, errors.New("a quote is not closed")
			}
			started = true
			word.WriteString(line[i+1 : i+1+end])
			i += 1 + end
		case strings.IndexByte("\\$`(){}*?~", c) >= 0:
			return nil, errors.New("more of the shell than this test knows: " + string(c))
		default:
			started = true
			word.WriteByte(c)
		}
	}
	endCommand()
	return all, nil
}

func TestSimpleCommands(t *testing.T) {
	got, err := simpleCommands(`printf 'a | b\n' | duet connect -z "" host 80 > f.txt && echo up # it is`)
	want := [][]string{{"printf", `a | b\n`}, {"duet", "connect", "-z", "", "host", "80"}, {"echo", "up"}}
	if err != nil || !slices.EqualFunc(got, want, slices.Equal[[]string]) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	for _, bad := range []string{`duet 'x`, `duet $HOME`} {
		if got, err := simpleCommands(bad); err == nil {
			t.Errorf("%s: %q, want an error", bad, got)
		}
	}
}

// duetArgs are the arguments of a command that runs duet.
func duetArgs(words []string) ([]string, bool) {
	if words[0] == "duet" {
		return words[1:], true
	}
	if len(words) > 2 && slices.Equal(words[:3], []string{"go", "run", "./cmd/duet"}) {
		return words[3:], true
	}
	return nil, false
}

// checkArgs holds arguments against the real flags and addresses, without the network.
func checkArgs(args []string) error {
	root := commandTree()
	c, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if err := c.ParseFlags(rest); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return nil
		}
		return err
	}
	words := c.Flags().Args()
	if err := c.ValidateArgs(words); err != nil {
		return err
	}
	if c.Name() != "listen" && c.Name() != "connect" {
		return nil
	}
	for name, check := range map[string]func(string) error{
		"framing":  func(v string) error { _, err := framing.Parse(v); return err },
		"encoding": func(v string) error { _, err := charset.Lookup(v); return err },
		"eol": func(v string) error {
			if v == "" {
				return nil
			}
			_, err := framing.ParseEOL(v)
			return err
		},
		"timestamps": isOneOf(flagValues()["timestamps"]),
		"color":      isOneOf(flagValues()["color"]),
	} {
		if err := check(c.Flag(name).Value.String()); err != nil {
			return err
		}
	}
	_, err = transport.ParseAddress(transport.DefaultConnect, words...)
	return err
}

func isOneOf(values []string) func(string) error {
	return func(v string) error {
		if !slices.Contains(values, v) {
			return errors.New(v + " is none of " + strings.Join(values, ", "))
		}
		return nil
	}
}

func TestCheckArgs(t *testing.T) {
	for line, good := range map[string]bool{
		"listen":                         true,
		"listen --framing crlf 2323":     true,
		"connect --timestamps=iso a 80":  true,
		"connect --timestamps=soon a 80": false,
		"listen --framing words":         false,
		"listen --nonsense":              false,
		"connect a b c":                  false,
		"connect udp:53":                 false,
		"lissten":                        false,
		"completion bash --help":         true,
	} {
		if err := checkArgs(strings.Fields(line)); (err == nil) != good {
			t.Errorf("%s: %v", line, err)
		}
	}
}

var readmes = []string{"README.md", "README.zh-CN.md"}

func TestCommandsOfTheReadmes(t *testing.T) {
	makefile := document(t, "Makefile")
	for _, path := range readmes {
		var lines []string
		for _, block := range fenced(document(t, path), "sh") {
			lines = append(lines, strings.Split(strings.TrimSpace(block), "\n")...)
		}
		ran := 0
		for _, line := range lines {
			commands, err := simpleCommands(line)
			if err != nil {
				t.Errorf("%s: %s: %v", path, line, err)
			}
			for _, words := range commands {
				if args, ok := duetArgs(words); ok {
					ran++
					if err := checkArgs(args); err != nil {
						t.Errorf("%s: %s: %v", path, line, err)
					}
				}
				if words[0] == "make" && !strings.Contains(makefile, "\n"+words[1]+":") {
					t.Errorf("%s: there is no make %s", path, words[1])
				}
			}
		}
		if ran < 10 {
			t.Errorf("%s shows %d commands of duet: are its blocks still read rightly?", path, ran)
		}
		for _, line := range []string{"go run ./cmd/duet listen", "go run ./cmd/duet connect", "make test"} {
			if !slices.Contains(lines, line) {
				t.Errorf("%s does not show %q on a line of its own", path, line)
			}
		}
	}
}

// The examples of --help and of the man pages are read by newcomers first.
func TestCommandsOfHelpAndManPages(t *testing.T) {
	root := commandTree()
	for name, path := range manPages {
		help := subcommand(t, root, name).Example
		man := strings.ReplaceAll(manSection(t, document(t, path), "EXAMPLES"), `\e`, `\`)
		ran := 0
		for line := range strings.Lines(help + "\n" + man) {
			// What follows two blanks says what the line does.
			line, _, _ = strings.Cut(strings.TrimSpace(line), "  ")
			commands, err := simpleCommands(line)
			if err != nil && strings.Contains(line, "duet ") {
				t.Errorf("duet %s: %s: %v", name, line, err)
			}
			for _, words := range commands {
				if args, ok := duetArgs(words); ok {
					ran++
					if err := checkArgs(args); err != nil {
						t.Errorf("duet %s: %s: %v", name, line, err)
					}
				}
			}
		}
		if ran < 6 {
			t.Errorf("help and manual of duet %s show %d commands: are they still read rightly?", name, ran)
		}
	}
}

// The program in the README is one that compiles.
func TestProgramOfTheReadme(t *testing.T) {
	blocks := fenced(document(t, "README.md"), "go")
	if len(blocks) != 1 {
		t.Fatalf("README.md has %d Go programs, want 1", len(blocks))
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "main.go")
	if err := os.WriteFile(file, []byte(blocks[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "program"), file)
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
