// Package admission decides which peers a duet.Server admits, and how fast they may send. It has lists of addresses, limits
// for each host, and rates. It knows addresses and numbers of bytes. It knows nothing of messages. Read [Gate] first.
package admission

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"duet.example/duet"
)

// The errors of a peer that is not admitted, or that is read no further.
var (
	// ErrDenied means that the peer's address is on a list of denied addresses, or banned.
	ErrDenied = errors.New("address denied")
	// ErrNotAllowed means that there is a list of allowed addresses and the peer's address is not on it.
	ErrNotAllowed = errors.New("address not allowed")
	// ErrTooMany means that the peer's host has MaxPerHost conversations already.
	ErrTooMany = errors.New("too many conversations of this host")
	// ErrTooFast means that the peer has sent faster than Rate for too long.
	ErrTooFast = errors.New("sends faster than allowed")
)

// A Gate decides which peers are admitted. The zero Gate admits every peer. Its fields must not be changed after its first
// use. Several goroutines may call its methods at the same time.
type Gate struct {
	// Allow and Deny are lists of rules. The rules of AllowFiles and DenyFiles are added to them. If Allow holds a rule, or
	// there is an allow file, even an empty one, then only the peers that match an allow rule are admitted. A peer that
	// matches a deny rule is never admitted.
	Allow, Deny Rules
	// AllowFiles and DenyFiles are the paths of files with rules. Reload reads them. So does the first peer, unless Reload
	// has. Until they have been read once without an error, no peer is admitted.
	AllowFiles, DenyFiles []string
	// MaxPerHost is the number of conversations that one host may have at a time. A host is an IPv4 address or an IPv6
	// network of 64 bits. Zero: no limit.
	MaxPerHost int
	// Rate is the number of bytes that a conversation may send in a second. Zero: no limit, and none for hosts.
	//
	// Burst is the number of bytes that it may send at once. Zero: the bytes of 2 s. It is at least the bytes of 100 ms.
	Rate, Burst int
	// HostRate and HostBurst are the same limits for all conversations of a host together. If HostRate is zero, it is Rate,
	// and a HostBurst of zero is Burst. Otherwise a HostBurst of zero is the bytes of 2 s.
	HostRate, HostBurst int

	reloading sync.Mutex // held by Reload, so that the Reload that begins last sets the lists last

	mu          sync.Mutex             // guards the fields below
	read        bool                   // the files have been read
	allow, deny Rules                  // with the rules of the files
	banned      Rules                  // the rules of Ban
	hosts       hosts                  // those with a conversation, a pending peer or a bucket that is not full
	pending     map[netip.AddrPort]int // admitted peers whose conversation has not begun; nil until the first
	meters      map[*duet.Conn]*meter  // nil until the first conversation with a Rate
}

// Guard makes the server use the gate. It sets the server's Admit, Trace and, if the gate has a Rate, Throttle. The functions
// that the server has already are still called: its Admit before the gate's, and its Trace after the gate's. Both
// throttles see all bytes. The longer wait counts, and an error of either ends the conversation.
//
// Guard must be called before the server serves.
func (g *Gate) Guard(s *duet.Server) {
	previous := s.Admit
	s.Admit = func(ctx context.Context, peer net.Addr) error {
		if previous != nil {
			if err := previous(ctx, peer); err != nil {
				return err
			}
		}
		return g.Admit(ctx, peer)
	}
	s.Trace = duet.JoinTraces(g.Trace(), s.Trace)
	if g.Rate > 0 {
		s.Throttle = joinThrottles(s.Throttle, g.Delay)
	}
}

// joinThrottles returns a throttle that calls a and b. It calls b even if a returns an error, so that both count all bytes. a
// may be nil.
func joinThrottles(a, b func(*duet.Conn, int) (time.Duration, error)) func(*duet.Conn, int) (time.Duration, error) {
	if a == nil {
		return b
	}
	return func(c *duet.Conn, n int) (time.Duration, error) {
		waitA, errA := a(c, n)
		waitB, errB := b(c, n)
		if err := cmp.Or(errA, errB); err != nil {
			return 0, err
		}
		return max(waitA, waitB), nil
	}
}

// Reload reads the files again. If a file cannot be read or holds an invalid rule (*RuleError), the lists stay as they were.
// Conversations that have begun go on.
func (g *Gate) Reload() error {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	return g.reload()
}

// reload is Reload with g.reloading held.
func (g *Gate) reload() error {
	allow, err := readAll(g.Allow, g.AllowFiles)
	if err != nil {
		return fmt.Errorf("allowed addresses: %w", err)
	}
	deny, err := readAll(g.Deny, g.DenyFiles)
	if err != nil {
		return fmt.Errorf("denied addresses: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.allow, g.deny, g.read = allow, deny, true
	return nil
}

// readOnce reads the files unless they have been read.
func (g *Gate) readOnce() error {
	if g.hasRead() {
		return nil
	}
	g.reloading.Lock()
	defer g.reloading.Unlock()
	if g.hasRead() {
		return nil
	}
	return g.reload()
}

func (g *Gate) hasRead() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.read
}

// readAll returns the rules of r and of the files.
func readAll(r Rules, paths []string) (Rules, error) {
	for _, path := range paths {
		more, err := ReadRules(path)
		if err != nil {
			return Rules{}, err
		}
		r = r.Join(more)
	}
	return r, nil
}

// Ban denies addresses and networks from now on, for the life of the gate. rule is a text for [ParseRules], or a peer's
// address with its port, which is ignored. Conversations that have begun go on. [Gate.Check] tells which of them it concerns.
func (g *Gate) Ban(rule string) error {
	if ap, err := netip.ParseAddrPort(rule); err == nil {
		rule = ap.Addr().String()
	}
	r, err := ParseRules(rule)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.banned = g.banned.Join(r)
	return nil
}

// Check looks a peer up in the lists and counts nothing. The error is nil, ErrDenied, ErrNotAllowed, or the error of reading
// the files. It is nil for a peer without an IP address, as on a unix socket.
func (g *Gate) Check(peer net.Addr) error {
	e := endpointOf(peer)
	if e.local {
		return nil
	}
	if err := g.readOnce(); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.check(e)
}

// check looks a peer up in the lists. g.mu is held.
func (g *Gate) check(e endpoint) error {
	switch a := e.Addr(); {
	case g.deny.Match(a), g.banned.Match(a):
		return ErrDenied
	case g.allow.Len()+len(g.AllowFiles) > 0 && !g.allow.Match(a):
		return ErrNotAllowed
	}
	return nil
}

// Admit is a function for the field Admit of a duet.Server. It looks a peer up as Check does, and then counts it as a
// conversation of its host. The gate's Trace ends that count when the conversation ends or when the server refuses the peer.
func (g *Gate) Admit(_ context.Context, peer net.Addr) error {
	e := endpointOf(peer)
	if e.local {
		return nil
	}
	if err := g.readOnce(); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.check(e); err != nil {
		return err
	}
	if g.MaxPerHost <= 0 || !e.IsValid() {
		return nil
	}
	h := g.hosts.get(e.source())
	if n := h.conns + h.pending; n >= g.MaxPerHost {
		return fmt.Errorf("%w: %d", ErrTooMany, n)
	}
	h.pending++
	if g.pending == nil {
		g.pending = make(map[netip.AddrPort]int)
	}
	g.pending[e.AddrPort]++
	return nil
}

// Trace returns a trace that counts the conversations of each host. If MaxPerHost or Rate is set, it must be the server's Trace
// or a part of it. [Gate.Guard] does that.
func (g *Gate) Trace() *duet.Trace {
	return &duet.Trace{ConnStart: g.connStart, Refused: g.connRefused, ConnEnd: g.connEnd}
}

// isCounting reports whether the gate counts conversations or bytes.
func (g *Gate) isCounting() bool { return g.MaxPerHost > 0 || g.Rate > 0 }

// connStart counts a conversation that has begun instead of the pending peer that Admit has counted.
func (g *Gate) connStart(c *duet.Conn) {
	if !g.isCounting() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	e := endpointOf(c.RemoteAddr())
	if e.IsValid() {
		g.releasePlace(e)
		g.hosts.get(e.source()).conns++
	}
	g.addMeter(c, e)
}

// connRefused ends the count of a peer that Admit has admitted and the server has refused, because it is full or closed. A
// peer that Admit has refused is not counted.
func (g *Gate) connRefused(peer net.Addr, _ error) {
	e := endpointOf(peer)
	if g.MaxPerHost <= 0 || !e.IsValid() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.releasePlace(e) {
		g.hosts.release(e.source())
	}
}

// releasePlace ends the count of a pending peer, and reports whether there was one. It keeps the host. g.mu is held.
func (g *Gate) releasePlace(e endpoint) bool {
	n := g.pending[e.AddrPort]
	switch n {
	case 0:
		return false
	case 1:
		delete(g.pending, e.AddrPort)
	default:
		g.pending[e.AddrPort] = n - 1
	}
	g.hosts.get(e.source()).pending--
	return true
}

// connEnd ends the count of a conversation.
func (g *Gate) connEnd(c *duet.Conn, _ duet.EndReason, _ error) {
	if !g.isCounting() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.meters, c)
	e := endpointOf(c.RemoteAddr())
	if !e.IsValid() {
		return
	}
	g.hosts.get(e.source()).conns--
	g.hosts.release(e.source())
}
