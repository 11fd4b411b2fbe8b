// Package admission says who may come in, and how much: lists of addresses,
// limits per host, rates. A [Gate] stands before a duet.Server; it knows addresses and
// counts, and nothing of what is said.
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

// Why a peer is not let in, or not heard any longer.
var (
	// ErrDenied: its address is on a list of those to be kept out.
	ErrDenied = errors.New("address denied")
	// ErrNotAllowed: there is a list of those who may come in, and it is not on it.
	ErrNotAllowed = errors.New("address not allowed")
	// ErrTooMany: its host has as many conversations as one may have.
	ErrTooMany = errors.New("too many conversations of this host")
	// ErrTooFast: it sends faster than it may, for too long.
	ErrTooFast = errors.New("sends faster than allowed")
)

// A Gate says who may come in. The zero Gate lets everybody in. Its fields must not
// be changed once it is used; its methods may be called by several goroutines at the same time.
type Gate struct {
	// Allow and Deny are the rules that were given; those of AllowFiles and DenyFiles are added to them. Where
	// there is a rule of Allow, or a file, also an empty one, who is on none is kept out. Deny comes first.
	Allow, Deny Rules
	// AllowFiles and DenyFiles are read by Reload, or when the first peer comes; until they
	// could be read once, nobody is let in.
	AllowFiles, DenyFiles []string
	// MaxPerHost is how many conversations one host may have at a time: an IPv4 address, or an
	// IPv6 network of 64 bits. Zero: no limit.
	MaxPerHost int
	// Rate is how many bytes a second a conversation may send; Burst how many at once. A Rate of zero is no limit, neither
	// for hosts. A Burst of zero is two seconds' worth; one below a tenth of a second's counts as that.
	Rate, Burst int
	// HostRate and HostBurst are the same for all conversations of a host together. A HostRate of zero is Rate;
	// a HostBurst of zero is then Burst, otherwise two seconds' worth.
	HostRate, HostBurst int

	reloading sync.Mutex // one Reload at a time, so that the last to begin has the last word

	mu          sync.Mutex
	read        bool // the files have been read
	allow, deny Rules
	banned      Rules
	hosts       hosts
	admitted    map[netip.AddrPort]int // let in, and not begun yet
	talking     map[*duet.Conn]*talker // while there is a Rate
}

// Guard puts the gate before a server: it joins Trace, Admit and, if there is a Rate, Throttle with those that the server
// has. The server's Admit is asked first. Both throttles are told of all bytes: the longer wait holds, and an error of either
// ends the conversation. It must be called before the server serves.
func (g *Gate) Guard(s *duet.Server) {
	before := s.Admit
	s.Admit = func(ctx context.Context, peer net.Addr) error {
		if before != nil {
			if err := before(ctx, peer); err != nil {
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

// joinThrottles asks both, also if one gives an error, so that what they count stays right. a may be nil.
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

// Reload reads the files again. Where one cannot be read, or holds a rule that is none (*RuleError), everything stays as it
// was. Those who talk already go on.
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

// readOnce reads the files if nobody has.
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

// Ban keeps addresses and networks out from now on, until the program ends. Rule is as ParseRules takes
// it, or a peer's address with its port, which does not count. Those who talk already go on; Check tells which of them it is about.
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

// Check says what the lists say about a peer: nil, ErrDenied, ErrNotAllowed, or that they cannot be
// read. It counts nothing. Peers without an IP address (unix sockets) pass.
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

// check asks the lists. g.mu is held.
func (g *Gate) check(e endpoint) error {
	switch a := e.Addr(); {
	case g.deny.Match(a), g.banned.Match(a):
		return ErrDenied
	case g.allow.Len()+len(g.AllowFiles) > 0 && !g.allow.Match(a):
		return ErrNotAllowed
	}
	return nil
}

// Admit is for duet.Server's Admit: it asks the lists as Check does, and then takes a place of the peer's host. The place
// is given back when the conversation has ended, or when the server refuses the peer after all, which the gate learns from its Trace.
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
	h := g.hosts.of(e.source())
	if n := h.conns + h.coming; n >= g.MaxPerHost {
		return fmt.Errorf("%w: %d", ErrTooMany, n)
	}
	h.coming++
	if g.admitted == nil {
		g.admitted = make(map[netip.AddrPort]int)
	}
	g.admitted[e.AddrPort]++
	return nil
}

// Trace counts conversations by host; it must be the server's, or part of it, where MaxPerHost or Rate is set: Guard does that.
func (g *Gate) Trace() *duet.Trace {
	return &duet.Trace{ConnStart: g.began, Refused: g.refused, ConnEnd: g.ended}
}

// counts reports whether anything is counted at all.
func (g *Gate) counts() bool { return g.MaxPerHost > 0 || g.Rate > 0 }

// began turns the place that Admit took into a conversation.
func (g *Gate) began(c *duet.Conn) {
	if !g.counts() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	e := endpointOf(c.RemoteAddr())
	if e.IsValid() {
		g.giveBack(e)
		g.hosts.of(e.source()).conns++
	}
	g.meet(c, e)
}

// refused gives back the place of a peer that was let in here and refused by somebody else: the server is full or
// closed by now. Who was not let in has none.
func (g *Gate) refused(peer net.Addr, _ error) {
	e := endpointOf(peer)
	if g.MaxPerHost <= 0 || !e.IsValid() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.giveBack(e) {
		g.hosts.leave(e.source())
	}
}

// giveBack takes back what Admit gave; false where it gave nothing. The host stays. g.mu is held.
func (g *Gate) giveBack(e endpoint) bool {
	n := g.admitted[e.AddrPort]
	switch n {
	case 0:
		return false
	case 1:
		delete(g.admitted, e.AddrPort)
	default:
		g.admitted[e.AddrPort] = n - 1
	}
	g.hosts.of(e.source()).coming--
	return true
}

func (g *Gate) ended(c *duet.Conn, _ duet.EndReason, _ error) {
	if !g.counts() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.talking, c)
	e := endpointOf(c.RemoteAddr())
	if !e.IsValid() {
		return
	}
	g.hosts.of(e.source()).conns--
	g.hosts.leave(e.source())
}
