package console

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"duet.example/duet/framing"
)

// Complete is for [TerminalOptions]: it completes commands and their arguments.
func (s *Session) Complete(line string, cursor int) (from int, candidates []string) {
	runes := []rune(line)
	cursor = min(max(cursor, 0), len(runes))
	before := string(runes[:cursor])
	if !strings.HasPrefix(before, "/") || strings.HasPrefix(before, "//") {
		return cursor, nil
	}
	name, arg, hasArg := strings.Cut(before[1:], " ")
	if !hasArg {
		for _, c := range commands() {
			if s.has(c) && strings.HasPrefix(c.name, name) {
				candidates = append(candidates, "/"+c.name)
			}
		}
		return 0, candidates
	}
	c, ok := s.lookup(name)
	if !ok || c.complete == nil {
		return cursor, nil
	}
	for _, w := range c.complete(s, arg) {
		if strings.HasPrefix(w, arg) {
			candidates = append(candidates, w)
		}
	}
	return cursor - len([]rune(arg)), candidates
}

func completeWords(words ...string) func(*Session, string) []string {
	return func(*Session, string) []string { return words }
}

func completeFramings(*Session, string) []string { return framing.Names() }

func completeNumbers(s *Session, _ string) []string {
	var all []string
	for _, n := range s.desk.Numbers() {
		all = append(all, strconv.FormatUint(n, 10))
	}
	return all
}

func completeFiles(_ *Session, arg string) []string {
	names, err := filepath.Glob(arg + "*")
	if err != nil {
		return nil
	}
	for i, n := range names {
		if st, err := os.Stat(n); err == nil && st.IsDir() {
			names[i] = n + string(filepath.Separator)
		}
	}
	return names
}
