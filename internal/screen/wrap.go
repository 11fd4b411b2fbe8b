package screen

import (
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"
)

// wrapTab is what a tab becomes that has not become blanks already.
const wrapTab = "    "

// isStyle reports whether seq, a whole escape sequence, is a style (SGR) and nothing else.
func isStyle(seq string) bool {
	body, ok := strings.CutPrefix(seq, "\x1b[")
	if !ok || !strings.HasSuffix(body, "m") {
		return false
	}
	return strings.Trim(body[:len(body)-1], "0123456789;:") == ""
}

// Wrap cuts a line for a terminal into rows of at most width columns, as the terminal that draws it widest counts them.
// Each row has the styles that apply to it, and a reset at its end. Rows break between words where they can. All but the
// first are set in: no part of what a peer said stands where duet's own lines begin. Styles are dropped unless color is
// set. Every other control sequence or character is dropped always: what comes here should be safe, and what the
// terminal shows must survive if it is not.
func Wrap(line string, width int, color bool) []string {
	width = max(width, 2)
	line = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' && r != '\x1b' && r != '\a' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(line, "\uFFFD"))
	whole := line
	var rows []string
	var b, open strings.Builder
	x, styled := 0, false
	in, blank := -1, spot{}
	end := func() {
		if styled {
			b.WriteString("\x1b[m")
		}
		rows = append(rows, b.String())
		b.Reset()
		b.WriteString(open.String())
		x, styled, blank = 0, open.Len() > 0, spot{}
	}
	// wrap ends a row in the middle of a line, behind its last blank if that is not far.
	wrap := func() {
		if in < 0 {
			in = hang(whole, width)
		}
		at, word, wordStyle, wordWidth := blank, "", open.String(), 0
		if at.len > 0 && x-at.x <= width/3 {
			row := b.String()
			b.Reset()
			b.WriteString(row[:at.len])
			word, wordStyle, wordWidth = row[at.len:], at.open, x-at.x
		}
		end()
		b.Reset()
		b.WriteString(strings.Repeat(" ", in))
		b.WriteString(wordStyle)
		b.WriteString(word)
		x, styled = in+wordWidth, styled || strings.Contains(b.String(), "\x1b")
	}
	for line != "" {
		if line[0] == '\x1b' {
			g := view.StringGraphemes(line)
			g.Next()
			seq := g.Value()
			line = line[len(seq):]
			if color && isStyle(seq) {
				if seq == "\x1b[m" || seq == "\x1b[0m" {
					open.Reset()
				} else if open.Len() < 1024 {
					open.WriteString(seq)
				}
				b.WriteString(seq)
				styled = true
			}
			continue
		}
		run := line
		if esc := strings.IndexByte(line, '\x1b'); esc >= 0 {
			run = line[:esc]
		}
		line = line[len(run):]
		for run != "" {
			c, w := firstCluster(run)
			run = run[len(c):]
			switch c {
			case "\n":
				end()
				continue
			case "\t":
				c, w = wrapTab, len(wrapTab)
			case "\a": // only ends a sequence
				continue
			}
			if w > width {
				c, w = "\uFFFD", 1
			}
			if x+w > width && x > max(in, 0) {
				wrap()
				if x+w > width { // what is this wide is no letter
					end()
				}
			}
			b.WriteString(c)
			x += w
			if c == " " && x > max(in, 0)+1 {
				blank = spot{len: b.Len(), x: x, open: open.String()}
			}
		}
	}
	end()
	return rows
}

// firstCluster returns the first cluster of a text without sequences, and the columns it takes at most.
func firstCluster(s string) (cluster string, width int) {
	if s[0] < utf8.RuneSelf && (len(s) == 1 || s[1] < utf8.RuneSelf) {
		return s[:1], 1
	}
	g := view.StringGraphemes(s)
	g.Next()
	return g.Value(), maxClusterWidth(g.Value(), g.Width())
}

// A spot is one in a row that is being made: behind so many bytes and columns, where the style is open.
type spot struct {
	len, x int
	open   string
}

// beginnings are made when the first line is drawn: not everything that duet does draws lines.
var beginnings = sync.OnceValue(func() (b struct{ said, listed *regexp.Regexp }) {
	// What stands before words in the scrollback: a label, with the time, or the prompt.
	b.said = regexp.MustCompile(`^ *(?:\S+ )?(?:【[^】]*】|>>>|\.\.\.) |^\d+(?: \S+)?(?: \(\d+ unread\))? >>> `)
	// The first column of a table, as /help and /who print it.
	b.listed = regexp.MustCompile(`^ *\S+(?: \S+)*  +`)
	return b
})

// hang is how far the rows of a line are set in, all but the first.
func hang(line string, width int) int {
	const tiny, narrow, beginning = 8, 16, 256
	switch {
	case width < tiny: // nothing could be read there
		return 0
	case width < narrow:
		return 1
	}
	line, _, _ = strings.Cut(line, "\n")
	line = unstyled(line, beginning)
	begins := beginnings()
	if label := Width(begins.said.FindString(line)); label > 0 {
		return min(label, width/2)
	}
	if column := Width(begins.listed.FindString(line)); column > 0 && column <= width/2 {
		return column
	}
	return min(2+len(line)-len(strings.TrimLeft(line, " ")), width/2)
}

// unstyled is the beginning of a line, at least so many bytes of it if there are as many, without its sequences.
func unstyled(line string, bytes int) string {
	var b strings.Builder
	for g := view.StringGraphemes(line); b.Len() < bytes && g.Next(); {
		if c := g.Value(); c[0] != esc {
			b.WriteString(c)
		}
	}
	return b.String()
}
