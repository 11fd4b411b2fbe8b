package admission_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"duet.example/duet/admission"
)

// errorName returns the name of an error of Check.
func errorName(err error) string {
	switch {
	case err == nil:
		return "in"
	case errors.Is(err, admission.ErrDenied):
		return "denied"
	case errors.Is(err, admission.ErrNotAllowed):
		return "not allowed"
	case errors.Is(err, admission.ErrTooMany):
		return "too many"
	}
	return err.Error()
}

func TestLists(t *testing.T) {
	allowFile := file(t, "203.0.113.0/24\n2001:db8:1::/48 # office\n")
	allowToo := file(t, "203.0.114.1")
	denyFile := file(t, "203.0.113.66\n")
	empty := file(t, "# nobody yet\n")
	for _, tt := range []struct {
		name string
		gate *admission.Gate
		want map[string]string
	}{
		{"zero", &admission.Gate{}, map[string]string{"192.0.2.1": "in", "::1": "in", "fe80::1%eth0": "in"}},
		{"allow", &admission.Gate{Allow: rules(t, "192.0.2.0/24", "2001:db8::1")}, map[string]string{
			"192.0.2.1": "in", "::ffff:192.0.2.1": "in", "2001:db8::1": "in", "2001:db8::2": "not allowed", "10.0.0.1": "not allowed",
		}},
		{"deny", &admission.Gate{Deny: rules(t, "192.0.2.0/24", "fe80::/10")}, map[string]string{
			"192.0.2.1": "denied", "::ffff:192.0.2.1": "denied", "fe80::1%eth0": "denied", "10.0.0.1": "in",
		}},
		{"deny before allow", &admission.Gate{Allow: rules(t, "192.0.2.1"), Deny: rules(t, "192.0.2.0/24")}, map[string]string{
			"192.0.2.1": "denied", "10.0.0.1": "not allowed",
		}},
		{"files add up", &admission.Gate{
			Allow: rules(t, "192.0.2.1"), AllowFiles: []string{allowFile, allowToo},
			Deny: rules(t, "192.0.2.2"), DenyFiles: []string{denyFile},
		}, map[string]string{
			"192.0.2.1": "in", "203.0.113.1": "in", "2001:db8:1::9": "in", "203.0.114.1": "in",
			"203.0.113.66": "denied", "::ffff:203.0.113.66": "denied", "192.0.2.2": "denied", "10.0.0.1": "not allowed",
		}},
		{"an empty file of those allowed", &admission.Gate{AllowFiles: []string{empty}}, map[string]string{
			"192.0.2.1": "not allowed", "::1": "not allowed",
		}},
		{"an empty file of those denied", &admission.Gate{DenyFiles: []string{empty}}, map[string]string{"192.0.2.1": "in"}},
	} {
		for peer, want := range tt.want {
			if got := errorName(tt.gate.Admit(t.Context(), tcp(peer))); got != want {
				t.Errorf("%s: %s: %s, want %s", tt.name, peer, got, want)
			}
			if got := errorName(tt.gate.Check(tcp(peer))); got != want {
				t.Errorf("%s: %s checked: %s, want %s", tt.name, peer, got, want)
			}
		}
	}
}

// textAddr is the address of a connection that is no *net.TCPAddr.
type textAddr struct{ network, text string }

func (a textAddr) Network() string { return a.network }
func (a textAddr) String() string  { return a.text }

func TestOtherPeers(t *testing.T) {
	g := &admission.Gate{Allow: rules(t, "192.0.2.1", "10.0.0.0/8"), Deny: rules(t, "192.0.2.2"), MaxPerHost: 1, Rate: 1}
	open := &admission.Gate{Deny: rules(t, "192.0.2.2")}
	for _, tt := range []struct {
		peer        net.Addr
		lists, open string
	}{
		{&net.UnixAddr{Name: "@", Net: "unix"}, "in", "in"},
		{&net.UnixAddr{Name: "192.0.2.2:80", Net: "unix"}, "in", "in"},
		{textAddr{"memory", "client"}, "in", "in"},
		{&net.UDPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 9}, "denied", "denied"},
		{textAddr{"tcp", "192.0.2.2:80"}, "denied", "denied"},
		{textAddr{"tcp6", "[::ffff:192.0.2.1]:80"}, "in", "in"},
		// A peer that should have an address and has none is on no list.
		{nil, "not allowed", "in"},
		{&net.TCPAddr{}, "not allowed", "in"},
		{(*net.TCPAddr)(nil), "not allowed", "in"},
		{textAddr{"tcp", "somewhere"}, "not allowed", "in"},
	} {
		if got := errorName(g.Admit(t.Context(), tt.peer)); got != tt.lists {
			t.Errorf("%#v: %s, want %s", tt.peer, got, tt.lists)
		}
		if got := errorName(open.Admit(t.Context(), tt.peer)); got != tt.open {
			t.Errorf("%#v, without a list of allowed addresses: %s, want %s", tt.peer, got, tt.open)
		}
		g.Trace().Refused(tt.peer, errors.New("full")) // changes no count
	}
	if hosts, pending, _, _ := g.Held(); hosts != 0 || pending != 0 {
		t.Errorf("the gate holds %d hosts and %d pending peers", hosts, pending)
	}
}

func TestFilesNotReadYet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deny")
	g := &admission.Gate{DenyFiles: []string{path}}
	if err := g.Admit(t.Context(), tcp("192.0.2.1")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("admitted although the list could not be read: %v", err)
	}
	write(t, path, "192.0.2.2")
	for peer, want := range map[string]string{"192.0.2.1": "in", "192.0.2.2": "denied"} {
		if got := errorName(g.Admit(t.Context(), tcp(peer))); got != want {
			t.Errorf("%s: %s, want %s", peer, got, want)
		}
	}
}

func TestReload(t *testing.T) {
	allow, deny := file(t, "192.0.2.0/24"), file(t, "192.0.2.66")
	g := &admission.Gate{AllowFiles: []string{allow}, DenyFiles: []string{deny}}
	expect := func(want map[string]string) {
		t.Helper()
		for peer, want := range want {
			if got := errorName(g.Check(tcp(peer))); got != want {
				t.Errorf("%s: %s, want %s", peer, got, want)
			}
		}
	}
	if err := g.Reload(); err != nil {
		t.Fatal(err)
	}
	before := map[string]string{"192.0.2.1": "in", "192.0.2.66": "denied", "10.0.0.1": "not allowed"}
	expect(before)

	// If one of two files is bad, the good one is not used.
	write(t, allow, "10.0.0.0/8")
	write(t, deny, "192.0.2.66\n\nsomebody\n")
	err := g.Reload()
	if bad, ok := errors.AsType[*admission.RuleError](err); !ok || bad.Source != deny+":3" || bad.Text != "somebody" {
		t.Errorf("a bad file: %v", err)
	}
	if !strings.Contains(err.Error(), "denied addresses: "+deny+":3: ") {
		t.Errorf("a bad file: %v", err)
	}
	expect(before)

	write(t, deny, "10.0.0.66")
	if err := g.Reload(); err != nil {
		t.Fatal(err)
	}
	expect(map[string]string{"192.0.2.1": "not allowed", "10.0.0.1": "in", "10.0.0.66": "denied"})
}

func TestBan(t *testing.T) {
	deny := file(t, "")
	g := &admission.Gate{DenyFiles: []string{deny}}
	for _, rule := range []string{"192.0.2.7", "2001:db8::/32", "198.51.100.1:53122", "[fe80::7%eth0]:53122", "203.0.113.1 203.0.113.2"} {
		if err := g.Ban(rule); err != nil {
			t.Errorf("ban %s: %v", rule, err)
		}
	}
	for _, rule := range []string{"", "somebody", "192.0.2.8 somebody", "[::1]"} {
		if _, ok := errors.AsType[*admission.RuleError](g.Ban(rule)); !ok {
			t.Errorf("ban %q: no *RuleError", rule)
		}
	}
	if err := g.Reload(); err != nil { // keeps the bans
		t.Fatal(err)
	}
	for peer, want := range map[string]string{
		"192.0.2.7": "denied", "::ffff:192.0.2.7": "denied", "2001:db8::1": "denied", "198.51.100.1": "denied", "203.0.113.2": "denied",
		"fe80::7%eth0": "denied", "fe80::7%eth1": "in", "192.0.2.8": "in", "::1": "in",
	} {
		if got := errorName(g.Admit(t.Context(), tcp(peer))); got != want {
			t.Errorf("%s: %s, want %s", peer, got, want)
		}
	}
}

// A peer that comes during a Reload is checked against the old or the new lists, never against half of a list.
func TestReloadWhileUsed(t *testing.T) {
	allow, deny := file(t, "192.0.2.0/24"), file(t, "192.0.2.66")
	g := &admission.Gate{AllowFiles: []string{allow}, DenyFiles: []string{deny}}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if got := errorName(g.Admit(ctx, tcp("192.0.2.1"))); got != "in" {
					t.Errorf("on each list of allowed addresses: %s", got)
				}
				if got := errorName(g.Check(tcp("192.0.2.66"))); got != "denied" {
					t.Errorf("on each list of denied addresses: %s", got)
				}
			}
		})
	}
	for i := range 50 {
		next := file(t, strings.Repeat("192.0.2.66\n10.0.0.1\n", i%2+1))
		if err := os.Rename(next, deny); err != nil {
			t.Fatal(err)
		}
		if err := g.Reload(); err != nil {
			t.Error(err)
		}
		if err := g.Ban("203.0.113.7"); err != nil {
			t.Error(err)
		}
	}
	stop()
	wg.Wait()
}
