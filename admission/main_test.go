package admission_test

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"duet.example/duet/admission"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func rules(t testing.TB, texts ...string) admission.Rules {
	t.Helper()
	r, err := admission.ParseRules(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// tcp returns the address of a peer. text is an IP address, with or without a zone and a port.
func tcp(text string) *net.TCPAddr {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return net.TCPAddrFromAddrPort(ap)
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(text), 53122))
}

// file writes a file of rules and returns its path.
func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules")
	write(t, path, text)
	return path
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
