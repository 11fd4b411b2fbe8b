package framing

import (
	"fmt"
	"strings"
)

// named holds the framings in the order in which help lists them.
var named = [...]Framing{Auto, Raw, LF, CRLF, CR, NUL, Length}

// Names returns the names that [Parse] takes, in the order in which help lists them.
func Names() []string {
	names := make([]string, len(named))
	for i, f := range named {
		names[i] = f.String()
	}
	return names
}

// Parse returns the framing with this name, in upper or lower case. If there is none, the error lists the names.
func Parse(name string) (Framing, error) {
	for _, f := range named {
		if f.String() == strings.ToLower(name) {
			return f, nil
		}
	}
	return nil, fmt.Errorf("unknown framing %q: it is one of %s", name, strings.Join(Names(), ", "))
}
