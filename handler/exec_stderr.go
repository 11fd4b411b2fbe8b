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

// A StderrPolicy says who gets what a program prints on stderr.
type StderrPolicy uint8

// What may become of stderr.
const (
	// StderrLog gives it to the handler's Log, line by line.
	StderrLog StderrPolicy = iota
	// StderrPeer gives it to the peer, with stdout and in order.
	StderrPeer
	// StderrDrop throws it away.
	StderrDrop
)

var stderrNames = [...]string{"log", "peer", "drop"}

// String is the policy's name.
func (p StderrPolicy) String() string {
	if int(p) < len(stderrNames) {
		return stderrNames[p]
	}
	return fmt.Sprintf("policy-%d", uint8(p))
}

// MarshalText gives the name.
func (p StderrPolicy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText takes a name that MarshalText gave.
func (p *StderrPolicy) UnmarshalText(b []byte) error {
	for i, n := range stderrNames {
		if n == string(b) {
			*p = StderrPolicy(i)
			return nil
		}
	}
	return fmt.Errorf("stderr goes to log, peer or drop, not to %q", b)
}

// What a program may have logged: the bytes of one line, and how many lines at once and then in each second. A peer
// may be able to make it print as much as it likes.
const (
	logWidth = 1 << 10
	logBurst = 100
	logRate  = 10
)

// An allowance lets logBurst through at once, and then logRate in a second.
type allowance struct {
	spent   float64
	since   time.Time
	dropped int
}

func (a *allowance) take() bool {
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

// logLines tells of each line of r, in the safe form, until its end. It always reads on, so that who prints never
// waits.
func logLines(r io.Reader, tell func(line string)) {
	var a allowance
	missed := func() {
		if a.dropped > 0 {
			tell(fmt.Sprintf("… %d lines left out", a.dropped))
			a.dropped = 0
		}
	}
	br := bufio.NewReaderSize(r, logWidth)
	for inside := false; ; {
		b, err := br.ReadSlice('\n')
		cut := errors.Is(err, bufio.ErrBufferFull)
		if !inside && len(b) > 0 && a.take() {
			missed()
			line := screen.Line(screen.Untrusted(bytes.TrimRight(b, "\r\n")), screen.Style{})
			if cut {
				line += "…"
			}
			tell(line)
		}
		inside = cut
		if err != nil && !cut {
			missed()
			return
		}
	}
}
