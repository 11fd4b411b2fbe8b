package duet_test

import (
	"context"
	"crypto/tls"
	"net"
	"path/filepath"
	"testing"
	"testing/synctest"

	"duet.example/duet/duettest"
)

// A network is what conversations run over in a test, and what may be expected of its connections. Each field promises
// something. Where a field is false the test of that promise is left out, and nothing else.
type network struct {
	name   string
	listen func(t *testing.T) (net.Listener, func() (net.Conn, error))

	inMemory      bool // it works in a bubble of testing/synctest, and no kernel buffers bytes
	halfCloses    bool // it can finish sending and go on receiving
	resets        bool // it can be closed with a reset, which the peer sees
	seesResets    bool // it fails with ECONNRESET when the peer resets it
	hasDescriptor bool // duet asks the system about it, and reads without waiting
	awaits        bool // duet can wait until there is something to read, and holds no buffer meanwhile
	ownBuffers    bool // it holds buffers of its own while it is idle
}

// networks are the rows of the table.
var networks = []network{
	{
		name: "memory", inMemory: true, halfCloses: true, seesResets: true,
		listen: func(*testing.T) (net.Listener, func() (net.Conn, error)) {
			l := duettest.NewListener()
			return l, func() (net.Conn, error) { return l.Dial(context.Background()) }
		},
	},
	{
		name: "tcp", halfCloses: true, resets: true, seesResets: true, hasDescriptor: true, awaits: true,
		listen: listenTCP,
	},
	{
		name: "unix", halfCloses: true, hasDescriptor: true, awaits: true,
		listen: func(t *testing.T) (net.Listener, func() (net.Conn, error)) {
			return listenOn(t, "unix", filepath.Join(t.TempDir(), "s"))
		},
	},
	{name: "wrapped", seesResets: true, listen: around(wrap, wrap)},
	{name: "awaiting", seesResets: true, awaits: true, listen: around(await, await)},
	{name: "flipped", halfCloses: true, resets: true, seesResets: true, listen: around(flip, flip)},
	{name: "tls", halfCloses: true, seesResets: true, ownBuffers: true, listen: around(tlsClient, tlsServer)},
	{name: "timeless", seesResets: true, listen: around(forgetDeadlines, forgetDeadlines)},
}

var (
	memory = networks[0]
	tcp    = networks[1]
)

func listenOn(t *testing.T, network, address string) (net.Listener, func() (net.Conn, error)) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return l, func() (net.Conn, error) { return net.Dial(network, l.Addr().String()) }
}

func listenTCP(t *testing.T) (net.Listener, func() (net.Conn, error)) {
	t.Helper()
	return listenOn(t, "tcp", "127.0.0.1:0")
}

// overEach runs a test over every network.
func overEach(t *testing.T, test func(t *testing.T, n network)) {
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) { test(t, n) })
	}
}

// overSockets runs a test over every network whose bytes go through a kernel.
func overSockets(t *testing.T, test func(t *testing.T, n network)) {
	for _, n := range networks {
		if !n.inMemory {
			t.Run(n.name, func(t *testing.T) { test(t, n) })
		}
	}
}

// overEachTimed runs a test whose times matter over every network. Over memory it runs in a bubble, where only waiting
// takes time, so that a busy machine changes nothing.
func overEachTimed(t *testing.T, test func(t *testing.T, n network)) {
	t.Helper()
	overEach(t, func(t *testing.T, n network) {
		if !n.inMemory {
			test(t, n)
			return
		}
		synctest.Test(t, func(t *testing.T) { test(t, n) })
	})
}

// plainConn is the connection as a peer uses it. A wrapper that hides what a connection can do hides it from duet alone.
func plainConn(nc net.Conn) net.Conn {
	if w, ok := nc.(interface{ plain() net.Conn }); ok {
		return w.plain()
	}
	return nc
}

func halfClose(nc net.Conn) error {
	if c, ok := nc.(*tls.Conn); ok {
		if err := c.Handshake(); err != nil {
			return err
		}
	}
	return nc.(interface{ CloseWrite() error }).CloseWrite()
}

// resetConn closes a connection with a reset where it knows one.
func resetConn(nc net.Conn) {
	switch c := nc.(type) {
	case duettest.Conn:
		c.Reset()
		return
	case *tls.Conn:
		resetConn(c.NetConn())
		return
	case interface{ SetLinger(sec int) error }:
		c.SetLinger(0)
	}
	nc.Close()
}
