package desk

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"duet.example/duet"
	"duet.example/duet/event"
)

// SayRaw queues exactly the bytes of b for conversation n, without framing. ErrNobody: there is no conversation n.
func (o *Operator) SayRaw(ctx context.Context, n uint64, b []byte) error {
	s, err := o.desk.find(n)
	if err != nil {
		return err
	}
	w := words{body: b, text: o.desk.encodingOf(s).Decode(b), raw: true}
	return o.speak(ctx, s, w, func() error { return s.conn.PostRaw(b) })
}

// Transfer takes a place in the queue of conversation n for the bytes of from. Later messages and transfers leave
// after them. The caller must call send. It sends the bytes without framing, waits until the system has all of them,
// and returns how many have left. Then operators get one event (Transferred).
//
// If ctx ends, or from fails, before a byte has left, nothing is sent. If that happens later, the conversation ends
// as cut ([duet.Transfer]). ErrNobody: there is no conversation n.
func (o *Operator) Transfer(ctx context.Context, n uint64, from io.Reader) (send func() (int64, error), err error) {
	d := o.desk
	s, err := d.find(n)
	if err != nil {
		return nil, err
	}
	told := make(chan struct{})
	d.mu.Lock()
	defer d.mu.Unlock() // so that the places are in the order of told
	t, err := s.conn.Transfer()
	if err != nil {
		return nil, err
	}
	s.transfers++
	before := s.told
	s.told = told
	return func() (int64, error) {
		size, err := t.SendFrom(ctx, from)
		tell := func() {
			defer close(told)
			if before != nil {
				<-before // those before have ended, and are told first
			}
			if size > 0 || err == nil {
				o.transferred(s, size, err)
			}
		}
		if size > 0 || err == nil {
			tell()
		} else {
			go tell() // those before may still go on
		}
		d.transferEnds(s)
		return size, err
	}, nil
}

func (d *Desk) transferEnds(s *seat) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.transfers--; s.transfers == 0 && s.transferred != nil {
		close(s.transferred)
		s.transferred = nil
	}
}

// transferred tells that a transfer has ended, unless the conversation has left: nothing comes after that.
func (o *Operator) transferred(s *seat, size int64, err error) {
	d := o.desk
	d.mu.Lock()
	if d.seats[s.number] != s {
		d.mu.Unlock()
		return
	}
	s.answered()
	e := s.event(Transferred)
	e.Operator, e.Err = o.name, err
	e.Stats.BytesOut = size
	var full []*Watch
	var waits []*waiter
	for _, w := range d.watchers {
		if x := w.offer(e); x != nil {
			full, waits = append(full, w), append(waits, x)
		}
	}
	d.mu.Unlock()
	for i, w := range full {
		w.await(s.conn.Done(), waits[i])
	}
}

// hasTransfers reports whether the transfers to a peer are waited for, after its handler returned err. A peer that has finished
// sending still gets them. One that was broken off has ended the conversation, and is told before that.
func (d *Desk) hasTransfers(s *seat, err error) bool {
	_, cause := s.conn.Result()
	return errors.Is(err, io.EOF) || errors.Is(cause, duet.ErrBrokenOff)
}

// awaitTransfers waits for the transfers to a peer that has finished sending, or whose handler has: what is under way
// is for it. When the conversation is to end they end as well, and are told; only one that waits for its reader is waited for no longer
// than brokenTime.
func (d *Desk) awaitTransfers(s *seat) {
	ended := s.ctx.Done()
	var late <-chan time.Time
	for {
		d.mu.Lock()
		if s.transfers == 0 {
			d.mu.Unlock()
			return
		}
		if s.transferred == nil {
			s.transferred = make(chan struct{})
		}
		done := s.transferred
		d.mu.Unlock()
		select {
		case <-done:
		case <-ended:
			ended, late = nil, time.After(brokenTime)
		case <-late:
			return
		}
	}
}

// brokenTime is how long a transfer may take to be told of when its conversation is to end.
const brokenTime = time.Second

// transferPatience is how long a control socket waits for the next bytes of a transfer.
const transferPatience = 10 * time.Second

// Why a transfer through a control socket is broken off. Neither is io.EOF, which would be its good end.
var (
	errTransferLate = errors.New("the rest of the transfer did not come in time")
	errSenderGone   = errors.New("the operator who sends it is gone")
)

// An inflow is a transfer whose bytes come through a control socket.
type inflow struct {
	conn   uint64
	to     *io.PipeWriter
	left   atomic.Int64 // bytes that have left
	cancel context.CancelFunc
	late   *time.Timer // breaks it off; set while the next bytes are waited for

	ended chan struct{} // closed when the transfer has; size and err are valid then
	size  int64
	err   error
}

// countLeft tells inflow.left what has left: when a transfer reads again, all that it read before has.
type countLeft struct {
	from io.Reader
	x    *inflow
	read int64
}

func (c *countLeft) Read(p []byte) (int, error) {
	c.x.left.Store(c.read)
	n, err := c.from.Read(p)
	c.read += int64(n)
	return n, err
}

// beginTransfer takes the place of a transfer.
func (c *controlled) beginTransfer(ctx context.Context, o *Operator, n uint64) (*inflow, error) {
	from, to := io.Pipe()
	x := &inflow{conn: n, to: to, ended: make(chan struct{})}
	ctx, x.cancel = context.WithCancel(ctx)
	send, err := o.Transfer(ctx, n, &countLeft{from: from, x: x})
	if err != nil {
		x.cancel()
		return nil, err
	}
	go func() {
		defer close(x.ended)
		defer x.cancel()
		x.size, x.err = send()
		_ = from.CloseWithError(io.ErrClosedPipe)
	}()
	return x, nil
}

// breakOff ends the transfer before its end.
func (x *inflow) breakOff(why error) {
	_ = x.to.CloseWithError(why)
	x.cancel()
}

// transfer does one request of a transfer. While its bytes wait for the peer, the end of what is asked breaks it off.
func (c *controlled) transfer(ctx context.Context, o *Operator, r event.Request) event.Reply {
	reply := event.Reply{ID: r.ID}
	x := c.inflow
	switch {
	case x == nil:
		var err error
		if x, err = c.beginTransfer(ctx, o, r.Conn); err != nil {
			reply.Error = err.Error()
			return reply
		}
		c.inflow = x
	case x.conn != r.Conn:
		reply.Error = "another transfer goes on here"
		return reply
	default:
		x.late.Stop()
	}
	var err error
	if len(r.Bytes) > 0 {
		if r.More {
			c.watchEnd(x)
		}
		_, err = x.to.Write(r.Bytes)
	}
	if r.More && err == nil {
		x.late = time.AfterFunc(transferPatience, func() { x.breakOff(errTransferLate) })
		reply.OK, reply.BytesOut = true, x.left.Load()
		return reply
	}
	c.inflow = nil
	_ = x.to.Close()
	<-x.ended
	reply.OK, reply.BytesOut = x.err == nil, x.size
	if x.err != nil {
		reply.Error = x.err.Error()
	}
	return reply
}

// watchEnd breaks x off at the end of what is asked, though nothing is read from there at the moment. The next read waits for it.
func (c *controlled) watchEnd(x *inflow) {
	if c.ahead != nil {
		return
	}
	ahead := make(chan struct{})
	c.ahead = ahead
	go func() {
		defer close(ahead)
		if c.in.Await() != nil {
			x.breakOff(errSenderGone)
		}
	}()
}

// endTransfer breaks off the transfer that is under way, and waits for it.
func (c *controlled) endTransfer() {
	if x := c.inflow; x != nil {
		x.breakOff(errSenderGone)
		<-x.ended
		if x.late != nil {
			x.late.Stop()
		}
	}
}
