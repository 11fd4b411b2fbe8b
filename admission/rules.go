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

// maxLine is the longest line of a file, in bytes.
const maxLine = 64 << 10

// errEmpty is the error for a text without a rule.
var errEmpty = errors.New("empty")

// Rules are a list of addresses and networks. The zero Rules are an empty list. Rules never change. The time of Match does
// not grow with the length of the list.
type Rules struct {
	set  map[rule]struct{}
	bits []int // the different lengths of the networks in set, IPv4 and IPv6 together
}

// A rule is a network, which may be a single address. With a zone, the rule matches only in that zone.
type rule struct {
	prefix netip.Prefix
	zone   string
}

// A RuleError is the error for a text that is no rule.
type RuleError struct {
	// Text is the text.
	Text string
	// Source is "file:line". It is empty if the text is not from a file.
	Source string
	// Err is the fault of the text.
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

// ParseRules reads addresses and networks (RFC 4632; RFC 4291, section 2.3). Each text holds one or several, with commas or
// blanks between them. The bits of a network's address after its length are ignored. An IPv4 address that is mapped into
// IPv6 is the IPv4 address. An address with a zone (fe80::7%eth0; RFC 4007, section 11) matches only in that zone.
//
// All errors are *RuleError. A text without a rule is an error, so that `--allow "$EMPTY"` does not admit every peer.
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

// ReadRules reads rules from a file. Each line holds any number of rules as [ParseRules] reads them. The character # begins a
// comment. The error for another text is a *RuleError with the file and the line.
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
			line = strings.TrimPrefix(line, "\ufeff") // some editors write it at the start of a file
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
	for _, item := range all {
		r.set[item] = struct{}{}
		if b := item.prefix.Bits(); !slices.Contains(r.bits, b) {
			r.bits = append(r.bits, b)
		}
	}
	return r
}

// Join returns the rules of r and other.
func (r Rules) Join(other Rules) Rules {
	if other.Len() == 0 {
		return r
	}
	return newRules(slices.AppendSeq(slices.Collect(maps.Keys(r.set)), maps.Keys(other.set)))
}

// Len returns the number of different rules.
func (r Rules) Len() int { return len(r.set) }

// Match reports whether a rule matches a. Several goroutines may call it at the same time.
func (r Rules) Match(a netip.Addr) bool {
	a = a.Unmap()
	zone := a.Zone()
	a = a.WithZone("")
	for _, bits := range r.bits {
		p, err := a.Prefix(bits)
		if err != nil { // the length is for IPv6, and a is IPv4
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
