package console

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"duet.example/duet"
	"duet.example/duet/transport"
)

// An Explainer narrates what happens on the network, step by step, for people who
// learn sockets. What duet does not do or see itself, but knows of, is marked `(inferred)`.
type Explainer struct {
	on  atomic.Bool
	mu  sync.Mutex
	out func(line string)
}

// NewExplainer makes an Explainer that narrates if on. Lines, which are safe text, go to out until SetOut changes
// that; several goroutines call it at the same time.
func NewExplainer(on bool, out func(line string)) *Explainer {
	x := &Explainer{out: out}
	x.on.Store(on)
	return x
}

// On reports whether it narrates.
func (x *Explainer) On() bool { return x.on.Load() }

// Set turns it on or off.
func (x *Explainer) Set(on bool) { x.on.Store(on) }

// SetOut says where lines go from now on.
func (x *Explainer) SetOut(out func(line string)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.out = out
}

func (x *Explainer) say(format string, args ...any) {
	if !x.on.Load() {
		return
	}
	x.mu.Lock()
	out := x.out
	x.mu.Unlock()
	if out != nil {
		out("explain: " + safe(fmt.Sprintf(format, args...)))
	}
}

// Step narrates a call that package transport made or knows of.
func (x *Explainer) Step(st transport.Step) {
	result := st.Result
	if st.Err != nil {
		result = st.Err.Error()
	}
	mark := ""
	if st.Inferred {
		mark = "  (inferred)"
	}
	x.say("%s(%s) → %s%s", st.Call, st.Args, result, mark)
}

// Trace narrates conversations.
func (x *Explainer) Trace() *duet.Trace {
	return &duet.Trace{
		Read: func(c *duet.Conn, n int, err error) {
			if !x.On() {
				return
			}
			if n > 0 {
				x.say("recv from %s → %s", name(c), count(n, "byte", "bytes"))
			}
			switch {
			case err == nil, errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
				// Nothing was received: this side stopped waiting.
			case errors.Is(err, io.EOF):
				x.say("recv from %s → 0: the peer sent FIN, it has finished sending", name(c))
			case errors.Is(err, syscall.ECONNRESET):
				x.say("recv from %s → %s: the peer sent RST", name(c), rootCause(err))
			default:
				x.say("recv from %s → %s", name(c), rootCause(err))
			}
		},
		Wrote: func(c *duet.Conn, n int, err error) {
			if !x.On() {
				return
			}
			if err != nil {
				x.say("send to %s → %s after %s", name(c), rootCause(err), count(n, "byte", "bytes"))
				return
			}
			x.say("send to %s → %s", name(c), count(n, "byte", "bytes"))
		},
		HalfClosed: func(c *duet.Conn, err error) {
			if err != nil {
				x.say("shutdown(%s, SHUT_WR) → %s", name(c), rootCause(err))
				return
			}
			x.say("shutdown(%s, SHUT_WR) → ok: we send FIN, nothing more to say", name(c))
		},
		Reset: func(c *duet.Conn, err error) {
			if err != nil {
				x.say("setsockopt(%s, SO_LINGER, 0 seconds) → %s", name(c), rootCause(err))
				return
			}
			x.say("setsockopt(%s, SO_LINGER, 0 seconds) → ok: the close will not wait and sends RST", name(c))
		},
		Closed: func(c *duet.Conn, unread bool, _ error) {
			if unread {
				x.say("close(%s): not everything was read, so the system may send RST  (inferred)", name(c))
				return
			}
			x.say("close(%s) → ok", name(c))
		},
		ConnEnd: func(c *duet.Conn, reason duet.EndReason, err error) {
			x.say("the conversation with %s ended: %s", name(c), EndWords(reason, err))
		},
		Refused: func(addr net.Addr, err error) {
			peer := "a peer"
			if addr != nil {
				peer = addr.String()
			}
			x.say("close: %s was refused: %s", peer, rootCause(err))
		},
		AcceptPaused: func(err error, d time.Duration) {
			x.say("accept → %s: again in %v", rootCause(err), d)
		},
	}
}

func name(c *duet.Conn) string {
	if a := c.RemoteAddr(); a != nil && a.String() != "" {
		return a.String()
	}
	return "the peer"
}
