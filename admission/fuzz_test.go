package admission_test

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"duet.example/duet/admission"
)

// FuzzParseRules checks that any text is rules or a *RuleError, and that an IPv4 address and its mapped form match the same
// rules.
func FuzzParseRules(f *testing.F) {
	f.Fuzz(func(t *testing.T, text, address string) {
		r, err := admission.ParseRules(text)
		if bad, ok := errors.AsType[*admission.RuleError](err); err != nil && (!ok || bad.Err == nil || r.Len() != 0) {
			t.Fatalf("%d rules, %v", r.Len(), err)
		}
		if err == nil && r.Len() == 0 {
			t.Fatal("no rules and no error")
		}
		twice, err := admission.ParseRules(text, text)
		if err == nil && (twice.Len() != r.Len() || r.Join(twice).Len() != r.Len()) {
			t.Fatalf("%d rules, twice %d", r.Len(), twice.Len())
		}
		a, err := netip.ParseAddr(address)
		if err != nil {
			return
		}
		in := r.Match(a)
		if a.Is4() && r.Match(netip.AddrFrom16(a.As16())) != in {
			t.Fatalf("%q: %v and its mapped form do not match the same", text, a)
		}
		if slow := matchOneByOne(text, a); r.Len() > 0 && slow != in {
			t.Fatalf("%q matches %v: %v, one by one %v", text, a, in, slow)
		}
	})
}

// matchOneByOne is a plain and slow Match.
func matchOneByOne(text string, a netip.Addr) bool {
	a = a.Unmap()
	for _, word := range strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(", \t\n\v\f\r\u0085\u00a0", c) }) {
		if rule, err := netip.ParseAddr(word); err == nil {
			if rule = rule.Unmap(); rule == a || rule == a.WithZone("") {
				return true
			}
			continue
		}
		p, err := netip.ParsePrefix(word)
		if err != nil {
			continue
		}
		if p.Addr().Is4In6() {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if p.Contains(a.WithZone("")) {
			return true
		}
	}
	return false
}

// FuzzReadRules checks that a file has the rules of its lines, or that the error names the line.
func FuzzReadRules(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		r, err := admission.ReadRulesFrom(text, "rules")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "rules:") {
				t.Fatalf("no file and line in %v", err)
			}
			return
		}
		lines := 0
		for i, line := range strings.Split(text, "\n") {
			if i == 0 {
				line = strings.TrimPrefix(line, "\ufeff")
			}
			line, _, _ = strings.Cut(line, "#")
			one, err := admission.ParseRules(line)
			if err != nil && strings.TrimFunc(line, func(c rune) bool { return c == ',' || strings.TrimSpace(string(c)) == "" }) != "" {
				t.Fatalf("line %d, %q: %v", i+1, line, err)
			}
			lines += one.Len()
		}
		if r.Len() > lines {
			t.Fatalf("%d rules, and %d in the lines", r.Len(), lines)
		}
	})
}

// With an empty corpus, the fuzz targets would test nothing.
func TestCorpora(t *testing.T) {
	for _, name := range []string{"FuzzParseRules", "FuzzReadRules"} {
		if list, err := os.ReadDir("testdata/fuzz/" + name); err != nil || len(list) == 0 {
			t.Errorf("%s has no corpus: %v", name, err)
		}
	}
}
