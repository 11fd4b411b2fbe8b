package admission

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"unicode"
)

// maxLine is how long a line of a file may be, in bytes.
const maxLine = 64 << 10

// errEmpty: a text that should be a rule holds nothing.
var errEmpty = errors.New("empty")

// Rules are addresses and networks. The zero value holds none. They are not changed once they are made, and
// looking one up takes as long for a million as for ten.
type Rules struct {
	set  map[rule]struct{}
	bits []int // the lengths of the networks in set, IPv4 and IPv6 alike
}

// A rule is a network, of one address perhaps. With a zone it holds in that zone alone.
type rule struct {
	prefix netip.Prefix
	zone   string
}

// A RuleError says which rule is none.
type RuleError struct {
	// Text is what was given.
	Text string
	// Source is "file:line", or empty where it came from no file.
	Source string
	// Err is what is wrong with it.
	Err error
}

func (e *RuleError) Error() string {
	at := ""
	if e.Source != "" {
		at = e.Source + ": "
	}
	return fmt.Sprintf("%s%.64q is no address and no network (want 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32)", at, e.Text)
}

func (e *RuleError) Unwrap() error { return e.Err }

// ParseRules takes addresses and networks (RFC 4632, RFC 4291 section 2.3), each text one or several with commas or
// blanks between them. Bits of a network behind its length are ignored. An IPv4 address that is mapped into
// IPv6 is the IPv4 address. A zone (RFC 4007 section 11: fe80::7%eth0) makes a rule of that zone alone. A text that holds
// none is an error, a *RuleError like all others: `--allow "$EMPTY"` must not let everybody in.
func ParseRules(texts ...string) (Rules, error) {
	var all []rule
	for _, text := range texts {
		n := len(all)
		var err error
		if all, err = appendRules(all, text); err != nil {
			return Rules{}, err
		}
		if len(all) == n {
			return Rules{}, &RuleError{Text: text, Err: errEmpty}
		}
	}
	return newRules(all), nil
}

// ReadRules reads rules from a file: none, one or several a line, as ParseRules takes them; # begins a comment. A line that
// holds something else is a *RuleError with its place.
func ReadRules(path string) (Rules, error) {
	f, err := os.Open(path)
	if err != nil {
		return Rules{}, err
	}
	defer func() { _ = f.Close() }()
	return readRules(f, path)
}

func readRules(from io.Reader, name string) (Rules, error) {
	var all []rule
	s := bufio.NewScanner(from)
	s.Buffer(nil, maxLine)
	n := 1
	for ; s.Scan(); n++ {
		line, _, _ := strings.Cut(s.Text(), "#")
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff") // some editors begin a file with it
		}
		var err error
		if all, err = appendRules(all, line); err != nil {
			if bad, ok := errors.AsType[*RuleError](err); ok {
				bad.Source = fmt.Sprintf("%s:%d", name, n)
			}
			return Rules{}, err
		}
	}
	if err := s.Err(); err != nil {
		return Rules{}, fmt.Errorf("%s:%d: %w", name, n, err)
	}
	return newRules(all), nil
}

func appendRules(all []rule, text string) ([]rule, error) {
	for word := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == ',' || unicode.IsSpace(c) }) {
		r, err := parseRule(word)
		if err != nil {
			return nil, &RuleError{Text: word, Err: err}
		}
		all = append(all, r)
	}
	return all, nil
}

func parseRule(word string) (rule, error) {
	if !strings.Contains(word, "/") {
		a, err := netip.ParseAddr(word)
		if err != nil {
			return rule{}, err
		}
		a = a.Unmap()
		return rule{netip.PrefixFrom(a.WithZone(""), a.BitLen()), a.Zone()}, nil
	}
	p, err := netip.ParsePrefix(word)
	if err != nil {
		return rule{}, err
	}
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return rule{}, fmt.Errorf("of a network of %d bits not all is mapped IPv4", p.Bits())
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return rule{prefix: p.Masked()}, nil
}

func newRules(all []rule) Rules {
	var r Rules
	if len(all) == 0 {
		return r
	}
	r.set = make(map[rule]struct{}, len(all))
	for _, one := range all {
		r.set[one] = struct{}{}
		if b := one.prefix.Bits(); !slices.Contains(r.bits, b) {
			r.bits = append(r.bits, b)
		}
	}
	return r
}

// Join returns the rules of both.
func (r Rules) Join(other Rules) Rules {
	if other.Len() == 0 {
		return r
	}
	return newRules(slices.AppendSeq(slices.Collect(maps.Keys(r.set)), maps.Keys(other.set)))
}

// Len is how many different rules there are.
func (r Rules) Len() int { return len(r.set) }

// Match reports whether a rule holds for a. It may be called by several goroutines at the same time.
func (r Rules) Match(a netip.Addr) bool {
	a = a.Unmap()
	zone := a.Zone()
	a = a.WithZone("")
	for _, bits := range r.bits {
		p, err := a.Prefix(bits)
		if err != nil { // longer than an IPv4 address
			continue
		}
		if _, ok := r.set[rule{prefix: p}]; ok {
			return true
		}
		if zone == "" {
			continue
		}
		if _, ok := r.set[rule{p, zone}]; ok {
			return true
		}
	}
	return false
}
