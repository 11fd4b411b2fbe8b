package console

import (
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"github.com/clipperhouse/displaywidth"
)

// widest is the width of a cluster on the terminal that draws it widest. Terminals disagree about emoji made of several
// code points: one that draws their parts side by side must not run over the end of a row either.
func widest(cluster string) int {
	w := max(ansi.GraphemeWidth.StringWidth(cluster), ansi.WcWidth.StringWidth(cluster))
	if len(cluster) > utf8.UTFMax || utf8.RuneCountInString(cluster) > 1 {
		sum := 0
		for _, r := range cluster {
			sum += ansi.WcWidth.StringWidth(string(r))
		}
		w = max(w, sum)
	}
	return w
}

// isStyle reports whether seq, a whole escape sequence, is a style (SGR) and nothing else.
func isStyle(seq string) bool {
	body, ok := strings.CutPrefix(seq, "\x1b[")
	if !ok || !strings.HasSuffix(body, "m") {
		return false
	}
	return strings.Trim(body[:len(body)-1], "0123456789;:") == ""
}

// wrapLine cuts a line for the scrollback into rows of at most width columns, each with the styles that apply to it
// and a reset at its end. Rows break between words where they can, and all but the first are set in: no part of what a
// peer said stands where the console's own lines begin. Styles are dropped unless color is set; every other control sequence or character is dropped
// always: what comes here should be safe, and the editor's line must survive if it is not.
func wrapLine(line string, width int, color bool) []string {
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
	in, blank := -1, place{}
	end := func() {
		if styled {
			b.WriteString("\x1b[m")
		}
		rows = append(rows, b.String())
		b.Reset()
		b.WriteString(open.String())
		x, styled, blank = 0, open.Len() > 0, place{}
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
			seq, _, n, _ := ansi.GraphemeWidth.DecodeSequenceInString(line, 0, nil)
			line = line[max(n, 1):]
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
		for g := displaywidth.StringGraphemes(run); g.Next(); {
			c := g.Value()
			switch c {
			case "\n":
				end()
				continue
			case "\t":
				c = tabShown
			case "\a": // only ends a sequence
				continue
			}
			w := widest(c)
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
				blank = place{len: b.Len(), x: x, open: open.String()}
			}
		}
	}
	end()
	return rows
}

// A place is one in a row that is being made: behind so many bytes and columns, where the style is open.
type place struct {
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
	const narrow, beginning = 16, 256
	if width < narrow {
		return 0
	}
	line, _, _ = strings.Cut(line, "\n")
	line = ansi.Strip(ansi.Truncate(line, beginning, ""))
	begins := beginnings()
	if label := ansi.StringWidth(begins.said.FindString(line)); label > 0 {
		return min(label, width/2)
	}
	if column := ansi.StringWidth(begins.listed.FindString(line)); column > 0 && column <= width/2 {
		return column
	}
	return min(2+len(line)-len(strings.TrimLeft(line, " ")), width/2)
}
