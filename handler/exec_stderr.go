package handler

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"duet.example/duet/internal/screen"
)

// A StderrPolicy says where the stderr of a program goes.
type StderrPolicy uint8

// The policies for stderr.
const (
	// StderrLog sends stderr to the handler's Log, line by line.
	StderrLog StderrPolicy = iota
	// StderrPeer sends stderr to the peer, together with stdout and in order.
	StderrPeer
	// StderrDrop throws stderr away.
	StderrDrop
)

var stderrNames = [...]string{"log", "peer", "drop"}

// String returns the name of the policy: log, peer or drop.
func (p StderrPolicy) String() string {
	if int(p) < len(stderrNames) {
		return stderrNames[p]
	}
	return fmt.Sprintf("policy-%d", uint8(p))
}

// MarshalText returns the name.
func (p StderrPolicy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText sets p to the policy with the name b.
func (p *StderrPolicy) UnmarshalText(b []byte) error {
	for i, n := range stderrNames {
		if n == string(b) {
			*p = StderrPolicy(i)
			return nil
		}
	}
	return fmt.Errorf("stderr goes to log, peer or drop, not to %q", b)
}

// Limits of what a program may log: the bytes of one line, the lines at once, and then the lines per second. A peer may be able to make it
// print as much as it likes.
const (
	logWidth = 1 << 10
	logBurst = 100
	logRate  = 10
)

// An allowance permits logBurst lines at once, and then logRate per second.
type allowance struct {
	spent   float64
	since   time.Time
	dropped int
}

func (a *allowance) permits() bool {
	now := time.Now()
	if !a.since.IsZero() {
		a.spent = max(0, a.spent-now.Sub(a.since).Seconds()*logRate)
	}
	a.since = now
	if a.spent >= logBurst {
		a.dropped++
		return false
	}
	a.spent++
	return true
}

// logLines calls log with each line of r, without control characters, until its end. It always reads on, so that the program never waits.
func logLines(r io.Reader, log func(line string)) {
	var a allowance
	missed := func() {
		if a.dropped > 0 {
			log(fmt.Sprintf("… %d lines left out", a.dropped))
			a.dropped = 0
		}
	}
	br := bufio.NewReaderSize(r, logWidth)
	for inside := false; ; {
		b, err := br.ReadSlice('\n')
		cut := errors.Is(err, bufio.ErrBufferFull)
		if !inside && len(b) > 0 && a.permits() {
			missed()
			line := screen.Line(screen.Untrusted(bytes.TrimRight(b, "\r\n")), screen.Style{})
			if cut {
				line += "…"
			}
			log(line)
		}
		inside = cut
		if err != nil && !cut {
			missed()
			return
		}
	}
}
