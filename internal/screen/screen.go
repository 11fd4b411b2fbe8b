// Package screen makes a peer's bytes safe for a terminal. It is the one way by which they may reach one.
//
// It is an allow-list: a character passes because it is known to show itself and to do nothing else.
// Whatever is not on the list is spelled out. Escape sequences are never parsed: a filter whose state
// machine differs from the terminal's is a hole, so the ESC is spelled out and the rest stands there as
// the plain text it is.
//
// What passes: letters, digits, punctuation and symbols that the Unicode version of the Go release
// knows; the blank U+0020 and the ideographic blank U+3000, which Chinese and Japanese text uses; up to
// four combining marks after a character that carries them; U+200D between two emoji, U+FE0F after an
// emoji or inside a keycap, a skin tone after an emoji. A TAB becomes blanks up to the next multiple of
// eight columns.
//
// What is spelled out:
//
//	\x1b      C0 controls (CR among them), DEL, and each byte that is not UTF-8
//	\n        LF, where a line break cannot stand
//	\u0085    C1 controls, U+0080 to U+009F
//	\u{202e}  bidi controls, zero-width and format characters, tags, other variation selectors, line and
//	          paragraph separators, fillers, blanks that only look like U+0020 (U+00A0, U+2003 …),
//	          private-use and unassigned code points, noncharacters, marks without a base or beyond
//	          the fourth
//
// # Spelled out by us or typed by the peer
//
// A peer can type the four characters \x1b too. They pass as they are, so that C:\temp stays readable
// and so that the safe form of a safe form is itself. A form that is the same when applied twice can
// never tell the two apart in plain text: the safe form of x is also the safe form of itself. It is the
// [Style] that tells them apart, for no peer can make one; whoever prints on a terminal gives one
// ([Reverse] needs no colours). Where no style can stand, as in a log, [Untrusted] prints in a quoted
// form in which the peer's own backslashes are doubled.
package screen

import (
	"bytes"
	"slices"
)

// Style says how what is spelled out is set apart: sequences for the terminal put before and after it.
// The zero Style puts nothing there; its output holds no control character at all, but see the package
// comment for what it cannot tell apart.
type Style struct{ On, Off string }

// Reverse is a Style for every terminal, those without colours included.
var Reverse = Style{On: "\x1b[7m", Off: "\x1b[27m"}

// Line returns the safe form of one line. It holds no line break: LF becomes a visible \n. Text that is
// safe already comes back as it is; with the zero Style, Line of a Line is the same Line.
func Line(u Untrusted, st Style) string {
	var f filter
	n := f.plain(u)
	if n == len(u) {
		return string(u)
	}
	p := painter{style: st, out: make([]byte, 0, len(u)+spelledSize(u, st)+64)}
	p.paint(u, true)
	return string(p.out)
}

// Lines cuts at line ends, LF or CRLF, and returns the safe form of each line: at least one. A line end
// at the very end ends the last line and begins no further one.
func Lines(u Untrusted, st Style) []string {
	lines := make([]string, 0, bytes.Count(u, newline)+1)
	for {
		i := bytes.IndexByte(u, '\n')
		if i < 0 {
			break
		}
		lines = append(lines, Line(bytes.TrimSuffix(u[:i], carriageReturn), st))
		u = u[i+1:]
	}
	if len(u) > 0 || len(lines) == 0 {
		lines = append(lines, Line(u, st))
	}
	return slices.Clip(lines)
}

var (
	newline        = []byte{'\n'}
	carriageReturn = []byte{'\r'}
)
