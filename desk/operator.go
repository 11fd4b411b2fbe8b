package desk

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"duet.example/duet"
	"duet.example/duet/admission"
	"duet.example/duet/framing"
	"duet.example/duet/internal/nickname"
)

// A Gate keeps addresses out; for example an *admission.Gate.
type Gate interface {
	Ban(rule string) error
	Reload() error
}

// Errors of operators.
var (
	// ErrNoGate: the desk has no Gate, so it can keep no address out.
	ErrNoGate = errors.New("nobody is kept out here")
	// ErrBadName: the name has a character that is not allowed, or another conversation has it.
	ErrBadName = errors.New("not a name")
)

// An Operator is an operator of a desk in this process. Its name stands in the events of all that it does.
type Operator struct {
	desk *Desk
	name string
}

// Operator returns a new operator. The other operators see its name, which may be empty.
func (d *Desk) Operator(name string) *Operator { return &Operator{desk: d, name: name} }

// Watch is [Desk.Watch].
func (o *Operator) Watch() Watcher { return o.desk.Watch() }

// Numbers is [Desk.Numbers].
func (o *Operator) Numbers() []uint64 { return o.desk.Numbers() }

// Roster is [Desk.Roster].
func (o *Operator) Roster() []Entry { return o.desk.Roster() }

// Left is [Desk.Left].
func (o *Operator) Left() []Entry { return o.desk.Left() }

// Entry is [Desk.Entry].
func (o *Operator) Entry(n uint64) (Entry, error) { return o.desk.Entry(n) }

// SetFraming changes the framing of conversation n. framing.Parse says what names there are.
func (o *Operator) SetFraming(_ context.Context, n uint64, name string) error {
	f, err := framing.Parse(name)
	if err != nil {
		return err
	}
	return o.desk.SetFraming(n, f)
}

// SetEncoding changes the text encoding of conversation n. ParseEncoding says what names there are.
func (o *Operator) SetEncoding(_ context.Context, n uint64, name string) error {
	e, err := ParseEncoding(name)
	if err != nil {
		return err
	}
	return o.desk.SetEncoding(n, e)
}

// Name gives conversation n a name. A name has letters and digits of one script, marks on them, and "-", "_" and "."
// inside. It has at least one letter, at most 32 characters and at most 64 bytes, and does not look like the name of
// another conversation. Blanks around it are dropped. An empty name takes the name away. At a Hall, the Hall checks
// the name.
func (o *Operator) Name(ctx context.Context, n uint64, name string) error {
	s, err := o.desk.find(n)
	if err != nil {
		return err
	}
	if h := o.desk.hall(); h != nil {
		return o.rename(h, s, name)
	}
	name = nickname.Clean(name)
	if name != "" {
		if err := nickname.Check(name); err != nil {
			return fmt.Errorf("%w: %w", ErrBadName, err)
		}
	}
	d := o.desk
	d.mu.Lock()
	for _, other := range d.seats {
		if name != "" && other != s && other.name != "" && nickname.Alike(other.name, name) {
			d.mu.Unlock()
			return fmt.Errorf("%w: %s is conversation %d", ErrBadName, other.name, other.number)
		}
	}
	s.name = name
	e := s.event(Named)
	d.mu.Unlock()
	e.Operator = o.name
	d.tell(ctx, nil, d.watching(), e)
	return nil
}

// Note gives conversation n a note that all operators see. An empty note takes it away.
func (o *Operator) Note(ctx context.Context, n uint64, note string) error {
	s, err := o.desk.find(n)
	if err != nil {
		return err
	}
	d := o.desk
	d.mu.Lock()
	s.note = note
	e := s.event(Noted)
	d.mu.Unlock()
	e.Operator, e.Note = o.name, note
	d.tell(ctx, nil, d.watching(), e)
	return nil
}

// Kick ends conversation n as `kicked`. The peer gets the reason as a message, if it is not empty.
func (o *Operator) Kick(_ context.Context, n uint64, reason string) error {
	s, err := o.desk.find(n)
	if err != nil {
		return err
	}
	o.kick(s, reason)
	return nil
}

// Ban keeps an address or a network out from now on, and kicks the conversations from there. The other operators see
// the reason, which may be empty.
func (o *Operator) Ban(_ context.Context, rule, reason string) error {
	d := o.desk
	if d.Gate == nil {
		return ErrNoGate
	}
	if err := d.Gate.Ban(rule); err != nil {
		return err
	}
	rules, err := admission.ParseRules(rule)
	if err != nil {
		return err
	}
	d.tellNow(&Event{Kind: Banned, Time: time.Now(), Operator: o.name, Address: rule, Note: reason})
	d.mu.Lock()
	var in []*seat
	for _, s := range d.seats {
		if a, ok := addrOf(s.conn); ok && rules.Match(a) {
			in = append(in, s)
		}
	}
	d.mu.Unlock()
	for _, s := range in {
		o.kick(s, "")
	}
	return nil
}

func (o *Operator) kick(s *seat, reason string) {
	o.desk.mu.Lock()
	s.endedBy = o.name
	o.desk.mu.Unlock()
	s.conn.Kick(reason)
}

// Reload has the Gate read its lists again.
func (o *Operator) Reload(context.Context) error {
	if o.desk.Gate == nil {
		return ErrNoGate
	}
	return o.desk.Gate.Reload()
}

func addrOf(c *duet.Conn) (netip.Addr, bool) {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	a, ok := netip.AddrFromSlice(tcp.IP)
	return a.Unmap(), ok
}
