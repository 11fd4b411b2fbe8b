package duettest

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// dialTimeout is how long a connect to the target may take.
const dialTimeout = 5 * time.Second

// Proxy passes TCP connections on to a target, with faults. Any number of goroutines may call its methods at the same time.
type Proxy struct {
	// Addr is the address of the proxy, for example "127.0.0.1:40123". Do not change it.
	Addr string

	target   string
	listener net.Listener
	faults   atomic.Pointer[Faults]
	ctx      context.Context // for dials; ends with Close
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	closed bool
	links  map[*link]struct{}
}

// NewProxy listens on a free port of 127.0.0.1 and passes each connection on to target, a TCP address "host:port". The
// target need not listen yet. If the target cannot be reached, the client gets a RST, maybe while it still dials. The caller
// closes the proxy.
func NewProxy(target string, f Faults) (*Proxy, error) {
	ctx, cancel := context.WithCancel(context.Background())
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // a RST by SO_LINGER needs plain TCP
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		cancel()
		return nil, fmt.Errorf("duettest: proxy to %s: %w", target, err)
	}
	p := &Proxy{
		Addr: l.Addr().String(), target: target, listener: l,
		ctx: ctx, cancel: cancel, links: make(map[*link]struct{}),
	}
	p.faults.Store(&f)
	p.wg.Go(p.accept)
	return p, nil
}

// StartProxy is [NewProxy] for a test. It fails the test if it cannot listen, and closes the proxy at the end of the test.
func StartProxy(tb testing.TB, target string, f Faults) *Proxy {
	tb.Helper()
	p, err := NewProxy(target, f)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { p.Close() })
	return p
}

// SetFaults changes the faults of all connections, from the next chunk of bytes on. Cut and Seed change only for connections
// that are made later.
func (p *Proxy) SetFaults(f Faults) { p.faults.Store(&f) }

// Conns returns the number of connections that the proxy holds.
func (p *Proxy) Conns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Reset resets all connections: the clients and the target get a RST. The proxy goes on.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.reset()
	}
}

// Close stops listening, closes all connections, and waits until the proxy's goroutines have ended.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	for l := range p.links {
		l.close()
	}
	p.mu.Unlock()
	p.cancel()
	err := p.listener.Close()
	p.wg.Wait()
	return err
}

func (p *Proxy) accept() {
	for n := uint64(0); ; n++ {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.carry(c, n) })
	}
}

func (p *Proxy) carry(client net.Conn, n uint64) {
	d := net.Dialer{Timeout: dialTimeout}
	d.SetMultipathTCP(false)
	server, err := d.DialContext(p.ctx, "tcp", p.target)
	if err != nil {
		reset(client)
		return
	}
	l := newLink(client, server, p.faults.Load, n)
	if !p.add(l) {
		l.close()
		return
	}
	defer p.remove(l)
	l.run()
}

func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.links[l] = struct{}{}
	return true
}

func (p *Proxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}
