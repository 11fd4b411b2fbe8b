package duettest

import (
	"net"
	"testing"

	"duet.example/duet"
)

// ServeForTest is NewServer for one connection of any kind.
func ServeForTest(tb testing.TB, h duet.Handler, c net.Conn) {
	s := newServer(tb, h, nil)
	serve(tb, s, func() error { return s.ServeNetConn(c) })
}
