//go:build unix

package transport_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"duet.example/duet/transport"
)

// With OwnerOnly, a unix socket closes the connections of other users and accepts the next.
func TestOwnerOnly(t *testing.T) {
	own := os.Geteuid()
	for _, tt := range []struct {
		name     string
		uid      int
		err      error
		accepted bool
	}{
		{"own", own, nil, true},
		{"root", 0, nil, true},
		{"another", own + 1, nil, false},
		{"a failure", own, errors.New("no more"), false},
		{"unknown", -1, errors.ErrUnsupported, true}, // the mode of the file keeps others out
	} {
		t.Run(tt.name, func(t *testing.T) {
			lc := transport.ListenConfig{OwnerOnly: true}
			asked := 0
			lc.SetPeerUser(func(net.Conn) (int, error) {
				if asked++; asked > 1 {
					return own, nil
				}
				return tt.uid, tt.err
			})
			l, err := lc.Listen(t.Context(), parse(t, "unix:"+filepath.Join(t.TempDir(), "s")))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			first, second := dial(t, l), dial(t, l)
			c := accept(t, l)
			want := first
			if !tt.accepted {
				want = second
				if n, err := first.Read(make([]byte, 1)); err == nil {
					t.Errorf("the connection is not closed: it reads %d bytes", n)
				}
			}
			if _, err := fmt.Fprint(c, "x"); err != nil {
				t.Error(err)
			}
			if n, err := want.Read(make([]byte, 1)); n != 1 {
				t.Errorf("the other connection was accepted: %v", err)
			}
		})
	}
}

// Without OwnerOnly, every user is accepted.
func TestEveryUserByDefault(t *testing.T) {
	var lc transport.ListenConfig
	lc.SetPeerUser(func(net.Conn) (int, error) { return os.Geteuid() + 1, nil })
	l, err := lc.Listen(t.Context(), parse(t, "unix:"+filepath.Join(t.TempDir(), "s")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	dial(t, l)
	accept(t, l)
}
