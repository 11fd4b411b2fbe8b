package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// What the documents say of the command is held against the command itself.

// commandTree is the real command with everything that cobra adds to it.
func commandTree() *cobra.Command {
	root := new(app).command()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	root.InitDefaultVersionFlag()
	for _, c := range append(root.Commands(), root) {
		c.InitDefaultHelpFlag()
	}
	return root
}

// document reads a file by its path from the top of the repository.
func document(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// manPages names the page of each command; "" is duet itself.
var manPages = map[string]string{
	"":        "docs/man/duet.1",
	"listen":  "docs/man/duet-listen.1",
	"connect": "docs/man/duet-connect.1",
	"desk":    "docs/man/duet-desk.1",
	"say":     "docs/man/duet-say.1",
}

func subcommand(t *testing.T, root *cobra.Command, name string) *cobra.Command {
	t.Helper()
	if name == "" {
		return root
	}
	c, _, err := root.Find([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// codeFlags are the flags of a command as one writes them: --ipv4, and -4 where it is short for that.
func codeFlags(c *cobra.Command) []string {
	var all []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + " " + name
		}
		all = append(all, name)
	})
	slices.Sort(all)
	return all
}

var pageFlag = regexp.MustCompile(`\bFl (-?[[:alnum:]][[:alnum:]-]*)`)

// pageFlags are the flags that a man page has an entry for, in the same form.
func pageFlags(page string) []string {
	var all []string
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, ".It Fl ") {
			continue
		}
		var names []string
		for _, m := range pageFlag.FindAllStringSubmatch(line, -1) {
			names = append(names, "-"+m[1])
		}
		all = append(all, strings.Join(names, " "))
	}
	slices.Sort(all)
	return all
}

func TestManPagesHaveTheFlags(t *testing.T) {
	root := commandTree()
	for name, path := range manPages {
		code, page := codeFlags(subcommand(t, root, name)), pageFlags(document(t, path))
		for _, f := range code {
			if !slices.Contains(page, f) {
				t.Errorf("%s has no entry for %s", path, f)
			}
		}
		for _, f := range page {
			if !slices.Contains(code, f) {
				t.Errorf("%s has an entry for %s, which duet %s has not", path, f, name)
			}
		}
		if again := slices.Compact(slices.Clone(page)); len(again) != len(page) {
			t.Errorf("%s has more than one entry for a flag", path)
		}
	}
}

// Wherever a document mentions a flag of duet, in passing too, there is one.
func TestDocumentsMentionRealFlags(t *testing.T) {
	known := make(map[string]bool)
	root := commandTree()
	for name := range manPages {
		for _, f := range codeFlags(subcommand(t, root, name)) {
			for _, one := range strings.Fields(f) {
				known[one] = true
			}
		}
	}
	// Those of other programs, and of the console's commands.
	for _, f := range []string{"--chat", "--broker", "--lines"} {
		known[f] = true
	}
	mentioned := regexp.MustCompile("(?m)(?:^|[\\s`(])(--[[:alpha:]][[:alnum:]-]*)")
	for _, path := range append(slices.Collect(maps.Values(manPages)), "README.md", "README.zh-CN.md", "CHANGELOG.md", "docs/protocol.md", "docs/architecture.md") {
		text := document(t, path)
		var flags []string
		for _, m := range mentioned.FindAllStringSubmatch(text, -1) {
			flags = append(flags, m[1])
		}
		if strings.HasSuffix(path, ".1") {
			for _, m := range pageFlag.FindAllStringSubmatch(text, -1) {
				flags = append(flags, "-"+m[1])
			}
		}
		if len(flags) == 0 {
			t.Errorf("%s mentions no flag: is it still read rightly?", path)
		}
		for _, f := range flags {
			if !known[f] {
				t.Errorf("%s mentions %s, which is no flag of duet", path, f)
			}
		}
	}
}

func TestManPagesHaveWhatFlagsTake(t *testing.T) {
	for name, path := range manPages {
		if name == "" {
			continue
		}
		page := document(t, path)
		c := subcommand(t, commandTree(), name)
		for flag, values := range flagValues() {
			if flag == "encoding" || c.Flag(flag) == nil {
				continue // there are more encodings than a page should list
			}
			entry := manEntry(page, "-"+flag)
			for _, v := range values {
				if !strings.Contains(entry, "\n.Cm "+v) {
					t.Errorf("%s does not say that --%s takes %s", path, flag, v)
				}
			}
		}
	}
}

// manEntry is the text of the entry for a flag.
func manEntry(page, flag string) string {
	_, rest, _ := strings.Cut(page, "\n.It Fl "+flag+" ")
	entry, _, _ := strings.Cut(rest, "\n.It ")
	return entry
}

// manSection is the text of a section.
func manSection(t *testing.T, page, name string) string {
	t.Helper()
	_, rest, found := strings.Cut(page, "\n.Sh "+name+"\n")
	if !found {
		t.Fatalf("no section %s", name)
	}
	text, _, _ := strings.Cut(rest, "\n.Sh ")
	return text
}

func TestManPagesAreWhole(t *testing.T) {
	for name, path := range manPages {
		page := document(t, path)
		sections := []string{"NAME", "SYNOPSIS", "DESCRIPTION", "ENVIRONMENT", "EXIT STATUS", "EXAMPLES", "SEE ALSO"}
		if name == "" {
			sections = append(sections, "ADDRESSES", "FRAMING", "CONSOLE", "KEYS", "FILES", "STANDARDS")
		}
		for _, s := range sections {
			manSection(t, page, s)
		}
	}
}

// The commands of the console come from what /help prints.
func TestManPageHasTheConsoleCommands(t *testing.T) {
	var out bytes.Buffer
	args := []string{"listen", "--console", "-q", "127.0.0.1:0"}
	if code := run(t.Context(), args, strings.NewReader("/help\n/quit\n"), &out, &out); code != exitOK {
		t.Fatalf("duet %q ended with %d: %s", args, code, &out)
	}
	var code []string
	for _, m := range regexp.MustCompile(`(?m)^ +(//?\w+)`).FindAllStringSubmatch(out.String(), -1) {
		code = append(code, strings.Replace(m[1], "//TEXT", "//", 1))
	}
	var page []string
	section := manSection(t, document(t, manPages[""]), "CONSOLE")
	for _, m := range regexp.MustCompile(`(?m)^\.It Ic (\S+)`).FindAllStringSubmatch(section, -1) {
		page = append(page, m[1])
	}
	slices.Sort(code)
	slices.Sort(page)
	if len(code) < 10 || !slices.Equal(code, page) {
		t.Errorf("/help lists\n%q\nand the man page\n%q", code, page)
	}
	readme := document(t, "README.md")
	for _, c := range code {
		if !strings.Contains(readme, "`"+c) {
			t.Errorf("README.md does not mention %s", c)
		}
	}
}

func TestExitCodesAreTheSameEverywhere(t *testing.T) {
	_, code, _ := strings.Cut(exitHelp, "\n")
	want := exitCodes(code)
	if len(want) != 9 {
		t.Fatalf("the code lists %q", want)
	}

	_, rest, found := strings.Cut(document(t, "README.md"), "\n## Exit codes\n\n```\n")
	readme, _, closed := strings.Cut(rest, "\n```\n")
	if !found || !closed {
		t.Fatal("README.md has no block of exit codes")
	}
	if got := exitCodes(readme); !slices.Equal(got, want) {
		t.Errorf("README.md lists\n%q, the code\n%q", got, want)
	}

	items := regexp.MustCompile(`(?m)^\.It (.*)\n(.*)$`).ReplaceAllString(manSection(t, document(t, manPages[""]), "EXIT STATUS"), "$1  $2")
	if got := exitCodes(items); !slices.Equal(got, want) {
		t.Errorf("the man page lists\n%q, the code\n%q", got, want)
	}

	for n, words := range map[int]string{
		exitOK: "ended well", exitFailed: "failed", exitUsage: "usage", exitConnect: "could not connect or bind",
		exitPeer: "the peer is not who it should be (TLS, identity)", exitTimeout: "timed out",
		exitCut: "cut off: reset, or ended inside a message", exitExpect: "a script's expectation failed",
	} {
		if line := fmt.Sprintf("%d  %s", n, words); !slices.Contains(want, line) {
			t.Errorf("the list lacks %q", line)
		}
	}
}

// exitCodes takes the lines that begin with numbers, as `1  failed`.
func exitCodes(text string) []string {
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^ *(\d+(?:, \d+)*) {2,}(.*)$`).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1]+"  "+m[2])
	}
	return all
}
