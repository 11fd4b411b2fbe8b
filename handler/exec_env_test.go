//go:build unix

package handler_test

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"duet.example/duet"
	"duet.example/duet/handler"
)

// TestExecEnvironment: a program gets the variables on the list and those of the conversation, and no others.
func TestExecEnvironment(t *testing.T) {
	t.Setenv("DUET_SECRET", "x")
	t.Setenv("SECRET", "x")
	t.Setenv("LD_PRELOAD", "")
	t.Setenv("HOME", "/home/somebody")
	t.Setenv("LC_ALL", "C")
	t.Setenv("LC_x", "x")
	t.Setenv("DUET_ID", "99")
	for _, kind := range kinds {
		peer, nc := ends(t, kind)
		s := serve(t, &handler.Exec{Args: child("env")}, nc, kind)
		env := map[string]string{}
		for line := range strings.Lines(string(get(io.ReadAll(peer))(t))) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			env[name] = value
		}
		peer.Close()
		s.want(t, duet.EndClosed, nil)
		want := map[string]string{
			"DUET_REMOTE_ADDR": "", "DUET_REMOTE_PORT": "", "DUET_LOCAL_ADDR": "", "DUET_LOCAL_PORT": "",
			"DUET_PROTO": kind, "DUET_ID": "1", "HOME": "/home/somebody", "LC_ALL": "C",
		}
		switch local := peer.RemoteAddr().(type) {
		case *net.TCPAddr:
			remote := peer.LocalAddr().(*net.TCPAddr)
			want["DUET_PROTO"] = "tcp"
			want["DUET_REMOTE_ADDR"], want["DUET_REMOTE_PORT"] = "127.0.0.1", fmt.Sprint(remote.Port)
			want["DUET_LOCAL_ADDR"], want["DUET_LOCAL_PORT"] = "127.0.0.1", fmt.Sprint(local.Port)
		case *net.UnixAddr:
			want["DUET_LOCAL_ADDR"] = local.Name
		}
		for name, value := range want {
			if got, ok := env[name]; !ok || got != value {
				t.Errorf("%s: %s is %q (%v), want %q", kind, name, got, ok, value)
			}
		}
		for name := range env {
			if _, ok := want[name]; !ok && !slices.Contains([]string{"PATH", "LANG", "LANGUAGE", "TERM", "TZ", "TMPDIR"}, name) && !strings.HasPrefix(name, "LC_") {
				t.Errorf("%s: %s is there", kind, name)
			}
		}
		if _, ok := env["LC_x"]; ok {
			t.Errorf("LC_x is no locale")
		}
	}
}

// TestExecAddresses: a script does not see the parts of an address that could harm it.
func TestExecAddresses(t *testing.T) {
	tests := []struct {
		remote, local net.Addr
		proto         string
		want          string
	}{
		{nil, nil, "", "||||"},
		{&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "$(reboot)\n", Port: 7}, &net.TCPAddr{IP: net.IPv6loopback, Port: 1}, "", "fe80::1|7|::1|1|tcp"},
		{&net.TCPAddr{IP: net.ParseIP("::ffff:10.0.0.1"), Port: 7}, &net.TCPAddr{Port: 1}, "tls", "10.0.0.1|7|||tls"},
		{&net.UnixAddr{Net: "unix", Name: "@"}, &net.UnixAddr{Net: "unix", Name: "/run/a b"}, "", "||/run/a b||unix"},
		{&net.UnixAddr{Net: "unix"}, &net.UnixAddr{Net: "unix", Name: "/run/\x1b[2J"}, "", "||||unix"},
		{name("x\ny"), name("é:1"), "t\xffp", "||||"},
	}
	for _, tt := range tests {
		peer, nc := ends(t, "memory")
		h := &handler.Exec{Shell: `printf "%s|%s|%s|%s|%s" "$DUET_REMOTE_ADDR" "$DUET_REMOTE_PORT" "$DUET_LOCAL_ADDR" "$DUET_LOCAL_PORT" "$DUET_PROTO"`, Proto: tt.proto}
		s := serve(t, h, addressed{nc, tt.remote, tt.local}, "memory")
		wantAll(t, peer, tt.want)
		peer.Close()
		<-s.done
		if s.reason != duet.EndClosed {
			t.Errorf("%v: ended as %v (%v)", tt.remote, s.reason, s.err)
		}
	}
}

type name string

func (name) Network() string  { return "odd" }
func (n name) String() string { return string(n) }

// addressed is a connection with other addresses.
type addressed struct {
	net.Conn
	remote, local net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.remote }
func (a addressed) LocalAddr() net.Addr  { return a.local }
func (a addressed) CloseWrite() error {
	return a.Conn.(interface{ CloseWrite() error }).CloseWrite()
}
