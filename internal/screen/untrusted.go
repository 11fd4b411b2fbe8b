package screen

import (
	"fmt"
	"log/slog"
)

// Untrusted is bytes from a peer. It has no String method: [Line], [Lines] and [Writer] are its way to a
// terminal. Printed by fmt with any verb (%x and %X excepted, which are hexadecimal) it appears quoted
// and safe, in a log without the quotes: the peer's backslashes and quotes get a backslash, so that
// what is spelled out cannot be confused with what the peer typed, and a TAB is \t.
type Untrusted []byte

// Format prints the quoted form; width and precision are ignored. It implements fmt.Formatter.
func (u Untrusted) Format(s fmt.State, verb rune) {
	if verb == 'x' || verb == 'X' {
		_, _ = fmt.Fprintf(s, fmt.FormatString(s, verb), []byte(u))
		return
	}
	b := make([]byte, 0, len(u)+2)
	b = append(b, '"')
	b = appendQuoted(b, u)
	_, _ = s.Write(append(b, '"'))
}

// LogValue is the quoted form without its quotes. It implements slog.LogValuer.
func (u Untrusted) LogValue() slog.Value {
	return slog.StringValue(string(appendQuoted(nil, u)))
}

func appendQuoted(dst []byte, b []byte) []byte {
	var f filter
	for len(b) > 0 {
		n, verdict := f.next(b, true)
		switch {
		case verdict == pass && (b[0] == '\\' || b[0] == '"'):
			dst = append(dst, '\\', b[0])
		case verdict == pass:
			dst = append(dst, b[:n]...)
		case verdict == tab:
			dst = append(dst, '\\', 't')
		case verdict == lineEnd && n == 2:
			dst = appendSpelled(appendSpelled(dst, b[:1]), b[1:2])
		default:
			dst = appendSpelled(dst, b[:n])
		}
		b = b[n:]
	}
	return dst
}
