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

const dialTimeout = 5 * time.Second

// Proxy passes TCP connections on to a target, with faults. All its methods may be called by any
// number of goroutines at the same time.
type Proxy struct {
	// Addr is where the proxy listens, "127.0.0.1:40123" for one. It is not to be changed.
	Addr string

	target   string
	listener net.Listener
	faults   atomic.Pointer[Faults]
	ctx      context.Context // ends with Close; dials watch it
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu     sync.Mutex
	closed bool
	links  map[*link]struct{}
}

// NewProxy listens on a free port of 127.0.0.1 and passes each connection on to target, a TCP
// address "host:port", which need not listen yet. A client whose connection cannot be passed on is
// reset, maybe while it still dials. The caller closes the proxy.
func NewProxy(target string, f Faults) (*Proxy, error) {
	ctx, cancel := context.WithCancel(context.Background())
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // a RST by SO_LINGER is a matter of plain TCP
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

// StartProxy is [NewProxy] for a test: it fails the test if it cannot listen, and closes the proxy
// at the test's end.
func StartProxy(tb testing.TB, target string, f Faults) *Proxy {
	tb.Helper()
	p, err := NewProxy(target, f)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { p.Close() })
	return p
}

// SetFaults changes what happens to connections, those too that are there already, from the next
// chunk of bytes on. Cut and Seed are for connections made later.
func (p *Proxy) SetFaults(f Faults) { p.faults.Store(&f) }

// Conns returns how many connections the proxy holds.
func (p *Proxy) Conns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Reset resets all connections: each client and the target get a RST. The proxy goes on.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.reset()
	}
}

// Close stops listening, closes all connections, and waits until nothing of the proxy is left.
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
