package console

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"duet.example/duet/framing"
)

// maxFiles is how many file names completion looks at: it must not keep the editor waiting.
const maxFiles = 2000

// Complete is for [TerminalOptions]: it completes commands and their arguments. Cursor and from count bytes.
func (s *Session) Complete(line string, cursor int) (from int, candidates []string) {
	cursor = min(max(cursor, 0), len(line))
	before := line[:cursor]
	if !strings.HasPrefix(before, "/") || strings.HasPrefix(before, "//") {
		return cursor, nil
	}
	name, arg, hasArg := strings.Cut(before[1:], " ")
	if !hasArg {
		for _, c := range commands() {
			if s.has(c) && strings.HasPrefix(c.name, name) {
				word := "/" + c.name
				if c.args != "" {
					word += " "
				}
				candidates = append(candidates, word)
			}
		}
		for _, c := range s.hall.commands {
			if strings.HasPrefix(c.name, name) {
				word := "/" + c.name
				if c.usage != word {
					word += " "
				}
				candidates = append(candidates, word)
			}
		}
		return 0, candidates
	}
	if h, ok := s.hallCommand(name); ok {
		return cursor - len(arg), beginning(arg, s.completeMembers(h, arg))
	}
	c, ok := s.lookup(name)
	if !ok || c.complete == nil {
		return cursor, nil
	}
	return cursor - len(arg), beginning(arg, c.complete(s, arg))
}

// beginning are the words that begin with arg.
func beginning(arg string, words []string) (some []string) {
	for _, w := range words {
		if strings.HasPrefix(w, arg) {
			some = append(some, w)
		}
	}
	return some
}

func completeWords(words ...string) func(*Session, string) []string {
	return func(*Session, string) []string { return words }
}

func completeFramings(*Session, string) []string { return framing.Names() }

// completePeers gives the numbers and the names of the live conversations.
func completePeers(s *Session, _ string) []string {
	var numbers []string
	for _, n := range s.present() {
		numbers = append(numbers, strconv.FormatUint(n, 10))
	}
	return append(numbers, s.names()...)
}

// names are those of the live conversations.
func (s *Session) names() []string {
	var names []string
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.live {
		if p.name != "" && safe(p.name) == p.name {
			names = append(names, p.name)
		}
	}
	slices.Sort(names)
	return names
}

// completePeersThen is completePeers where something may follow.
func completePeersThen(s *Session, arg string) []string {
	if strings.Contains(arg, " ") {
		return nil
	}
	all := completePeers(s, arg)
	for i := range all {
		all[i] += " "
	}
	return all
}

// completeAddresses is completePeers with the addresses of the live conversations.
func completeAddresses(s *Session, arg string) []string {
	all := completePeers(s, arg)
	var addresses []string
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.live {
		if a, ok := peerAddress(p.addr); ok {
			addresses = append(addresses, a)
		}
	}
	slices.Sort(addresses)
	return append(all, slices.Compact(addresses)...)
}

// completeSend is completeFiles, also behind --lines.
func completeSend(s *Session, arg string) []string {
	const flag = "--lines "
	rest, lines := strings.CutPrefix(arg, flag)
	all := completeFiles(s, rest)
	if lines {
		for i := range all {
			all[i] = flag + all[i]
		}
		return all
	}
	if arg != "" && strings.HasPrefix(flag, arg) {
		all = append(all, flag)
	}
	return all
}

// completeFiles gives the files that begin with arg. A name that a terminal cannot be trusted with is left out, for it
// would stand on the line.
func completeFiles(_ *Session, arg string) []string {
	dir, start := filepath.Split(arg)
	where := dir
	if where == "" {
		where = "."
	}
	f, err := os.Open(where)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	entries, _ := f.ReadDir(maxFiles)
	var names []string
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, start) || safe(name) != name || start == "" && name[0] == '.' {
			continue
		}
		path := dir + name
		if st, err := os.Stat(path); err == nil && st.IsDir() {
			path += string(filepath.Separator)
		}
		names = append(names, path)
	}
	slices.Sort(names)
	return names
}
