package handler_test

import (
	"net"
	"testing"

	"duet.example/duet/transport"
)

// deadAddress returns an address on whose port nothing listens, and nothing can until the test ends: a connection to
// somewhere else is bound to it.
func deadAddress(t *testing.T) transport.Address {
	t.Helper()
	l := get(net.Listen("tcp", "127.0.0.1:0"))(t)
	t.Cleanup(func() { l.Close() })
	// The port is bound by name, so that the system gives it to no other connection, not even to one that dials it.
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}
	holder := get(d.Dial("tcp", l.Addr().String()))(t)
	t.Cleanup(func() { holder.Close() })
	return addressOf(t, holder.LocalAddr())
}
