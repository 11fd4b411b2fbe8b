package admission_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"duet.example/duet/admission"
)

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		rules   string
		in, out string // addresses, with blanks between them
	}{
		{"192.0.2.7", "192.0.2.7 ::ffff:192.0.2.7", "192.0.2.8 ::192.0.2.7 2001:db8::7"},
		{"::ffff:192.0.2.7", "192.0.2.7 ::ffff:192.0.2.7", "192.0.2.8"},
		{"192.0.2.0/24", "192.0.2.0 192.0.2.255 ::ffff:192.0.2.9", "192.0.3.0 2001:db8::"},
		{"192.0.2.77/24", "192.0.2.1", "192.0.3.77"},
		{"::ffff:192.0.2.0/120", "192.0.2.255", "192.0.3.0"},
		{"::ffff:0:0/96", "192.0.2.1 10.0.0.1", "::1 2001:db8::1"},
		{"0.0.0.0/0", "0.0.0.0 255.255.255.255 ::ffff:10.0.0.1", "::1"},
		{"::/0", "::1 2001:db8::1 fe80::1%eth0", "127.0.0.1 ::ffff:127.0.0.1"},
		{"2001:db8::/32", "2001:db8:: 2001:db8:ffff::1", "2001:db9::"},
		{"2001:db8::1", "2001:db8::1", "2001:db8::2"},
		{"fe80::7", "fe80::7 fe80::7%eth0 fe80::7%2", "fe80::8%eth0"},
		{"fe80::/64", "fe80::7%eth0", "fe80:1::7%eth0"},
		{"fe80::7%eth0", "fe80::7%eth0", "fe80::7 fe80::7%eth1"},
		{"192.0.2.1,2001:db8::/48, 10.0.0.0/8\t172.16.0.1", "192.0.2.1 2001:db8::5 10.9.8.7 172.16.0.1", "172.16.0.2"},
		{"10.0.0.0/8 10.1.0.0/16", "10.1.0.1 10.2.0.1", "11.0.0.1"},
	} {
		r := rules(t, tt.rules)
		for _, a := range strings.Fields(tt.in) {
			if !r.Match(netip.MustParseAddr(a)) {
				t.Errorf("%q does not match %s", tt.rules, a)
			}
		}
		for _, a := range strings.Fields(tt.out) {
			if r.Match(netip.MustParseAddr(a)) {
				t.Errorf("%q matches %s", tt.rules, a)
			}
		}
	}
}

func TestNoRules(t *testing.T) {
	none, err := admission.ParseRules()
	if err != nil || none.Len() != 0 || none.Match(netip.MustParseAddr("::1")) || none.Match(netip.Addr{}) {
		t.Errorf("no rules: %d, %v", none.Len(), err)
	}
}

func TestBadRules(t *testing.T) {
	for _, text := range []string{
		"", " , ", "localhost", "192.0.2", "192.0.2.256", "192.0.2.1/33", "192.0.2.0/", "/8", "192.0.2.01",
		"2001:db8::/129", "::ffff:192.0.2.0/95", "fe80::%eth0/64", "192.0.2.1:80", "[::1]", "192.0.2.1 oops", "192.0.2.0/24/24",
	} {
		r, err := admission.ParseRules("10.0.0.1", text)
		bad, ok := errors.AsType[*admission.RuleError](err)
		if !ok || bad.Err == nil || r.Len() != 0 {
			t.Errorf("%q: %d rules, error %v", text, r.Len(), err)
		}
	}
	_, err := admission.ParseRules("\x1b[2J" + strings.Repeat("x", 1000))
	if s := err.Error(); len(s) > 200 || strings.Contains(s, "\x1b") {
		t.Errorf("error for a terminal: %q", s)
	}
}

func TestJoin(t *testing.T) {
	a, b := rules(t, "10.0.0.1"), rules(t, "10.0.0.1, 10.0.0.2/31")
	both := a.Join(b)
	if a.Len() != 1 || b.Len() != 2 || both.Len() != 2 || !both.Match(netip.MustParseAddr("10.0.0.3")) ||
		a.Match(netip.MustParseAddr("10.0.0.3")) {
		t.Errorf("joined: %d, %d, %d", a.Len(), b.Len(), both.Len())
	}
}

func TestReadRules(t *testing.T) {
	path := file(t, "\ufeff# who may come in\r\n\r\n192.0.2.7 # the printer\r\n  2001:db8::/32,10.0.0.0/8\n#\n\t172.16.0.1")
	r, err := admission.ReadRules(path)
	if err != nil || r.Len() != 4 {
		t.Fatalf("%d rules, %v", r.Len(), err)
	}
	for _, a := range []string{"192.0.2.7", "2001:db8::1", "10.1.1.1", "172.16.0.1"} {
		if !r.Match(netip.MustParseAddr(a)) {
			t.Errorf("no rule matches %s", a)
		}
	}
}

func TestBadFiles(t *testing.T) {
	path := file(t, "192.0.2.7\n\n10.0.0.1 printer # comment\n")
	_, err := admission.ReadRules(path)
	if want := path + `:3: "printer" is no address and no network`; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}

	write(t, path, "192.0.2.7\n#"+strings.Repeat("x", 70_000))
	_, err = admission.ReadRules(path)
	if !errors.Is(err, bufio.ErrTooLong) || !strings.HasPrefix(err.Error(), path+":2: ") {
		t.Errorf("an endless line: %v", err)
	}

	missing := filepath.Join(t.TempDir(), "missing")
	if _, err = admission.ReadRules(missing); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err = admission.ReadRules(t.TempDir()); err == nil {
		t.Error("a directory was read")
	}
}

// Match looks a list up once for each length of network, not once for each rule.
func TestManyRules(t *testing.T) {
	var b strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&b, "10.%d.%d.%d\n", i>>16, i>>8&255, i&255)
	}
	r, err := admission.ReadRules(file(t, b.String()))
	if err != nil || r.Len() != 100_000 {
		t.Fatalf("%d rules, %v", r.Len(), err)
	}
	miss := netip.MustParseAddr("192.0.2.1")
	for range 1_000_000 {
		if r.Match(miss) {
			t.Fatal("matched")
		}
	}
}
