package console

import "strings"

// A walk goes through the history with Up and Down. What was changed at each place on the way, the draft at its end
// included, is kept until the walk is over.
type walk struct {
	entries []string
	at      int            // len(entries): the draft
	changed map[int]string // by place
}

func newWalk(h *History) *walk {
	w := &walk{changed: map[int]string{}}
	if h != nil {
		w.entries = h.Entries()
	}
	w.at = len(w.entries)
	return w
}

// move leaves text behind at its place and returns what stands by places further on; ok is false at either end.
func (w *walk) move(by int, text string) (string, bool) {
	to := w.at + by
	if to < 0 || to > len(w.entries) {
		return "", false
	}
	w.changed[w.at] = text
	w.at = to
	if s, ok := w.changed[to]; ok {
		return s, true
	}
	return w.entries[to], true
}

// A search looks back through the history for what is typed, as Ctrl-R does in a shell.
type search struct {
	entries []string
	query   string
	at      int // the entry found; len(entries): none yet
	failed  bool
	draft   text // what was there before
}

func newSearch(h *History, draft text) *search {
	s := &search{draft: draft}
	if h != nil {
		s.entries = h.Entries()
	}
	s.at = len(s.entries)
	return s
}

// find sets the query and looks from where it stands towards older entries.
func (s *search) find(query string) {
	s.query = query
	s.look(min(s.at, len(s.entries)-1))
}

// older looks for the next entry further back, one that differs from what is shown.
func (s *search) older() {
	if s.query == "" {
		return
	}
	from := s.at - 1
	for from >= 0 && s.at < len(s.entries) && s.entries[from] == s.entries[s.at] {
		from--
	}
	s.look(from)
}

func (s *search) look(from int) {
	s.failed = s.query != ""
	for i := from; i >= 0 && s.query != ""; i-- {
		if strings.Contains(s.entries[i], s.query) {
			s.at, s.failed = i, false
			return
		}
	}
}

// found is the text to show: the entry found with the cursor at the match, or the draft.
func (s *search) found() text {
	if s.at >= len(s.entries) {
		return s.draft
	}
	e := s.entries[s.at]
	t := text{s: e, at: len(e)}
	if i := strings.LastIndex(e, s.query); i >= 0 && s.query != "" {
		t.at = i
		t.snap()
	}
	return t
}

func (s *search) prompt() string {
	if s.failed {
		return "(no match '" + s.query + "') "
	}
	return "(search '" + s.query + "') "
}
