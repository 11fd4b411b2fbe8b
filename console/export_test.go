package console

import "time"

// LockPatience sets how long an entry of the history waits for other consoles, and returns what sets it back.
func LockPatience(d time.Duration) (restore func()) {
	was := lockPatience
	lockPatience = d

	return func() { lockPatience = was }
}

// ViewRows is View.rows; down is how many rows the words are scrolled, up where it is negative.
func ViewRows(v View, w, h int, input []string, down int) []string {
	p := planView(w, h, len(input))
	to := mark{}
	if down != 0 {
		to = v.scroll(to, down, p, false)
	}
	return v.rows(w, h, input, to, false)
}

// KeptBytes is how many bytes are kept when each of so many conversations says so many lines, and how many lines of the first
// and of the last of them.
func KeptBytes(conversations, lines int, line string) (size, first, last int) {
	l := newLogs()
	for n := range conversations {
		for range lines {
			l.add(uint64(n+1), false, line)
		}
	}
	for _, one := range l.of {
		for _, kept := range one.lines {
			size += len(kept.text)
		}
	}
	return size, len(l.of[1].lines), len(l.of[uint64(conversations)].lines)
}

// Held gives what is printed when so many lines were held while the full view was open.
func Held(lines []string) []string {
	h := &heldLines{}
	h.add(lines)
	return h.close(&Terminal{out: &output{}})
}
