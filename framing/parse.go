package framing

import (
	"fmt"
	"strings"
)

// Names returns the names that [Parse] takes, in the order in which help lists them.
func Names() []string {
	return []string{"auto", "raw", "lf", "crlf", "cr", "nul", "length"}
}

// Parse returns the framing of that name, in upper or lower case. The error for
// another one lists the names.
func Parse(name string) (Framing, error) {
	switch strings.ToLower(name) {
	case "auto":
		return Auto, nil
	case "raw":
		return Raw, nil
	case "lf":
		return LF, nil
	case "crlf":
		return CRLF, nil
	case "cr":
		return CR, nil
	case "nul":
		return NUL, nil
	case "length":
		return Length, nil
	}
	return nil, fmt.Errorf("unknown framing %q: it is one of %s", name, strings.Join(Names(), ", "))
}
