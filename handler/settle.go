package handler

import (
	"time"

	"duet.example/duet"
)

const (
	// settleQuiet is how long settle waits for a peer that takes nothing, and settleTime how long for one that does.
	settleQuiet = time.Second
	settleTime  = duet.DefaultSendTimeout
	// settleBlind is for a connection that cannot be asked what it still holds.
	settleBlind = 50 * time.Millisecond
)

// settle waits until the peer's system has everything that was written, or has refused it: only then is it known whether something
// was lost, and only then does a reset destroy nothing.
func (f *flow) settle() {
	a := f.raw.RemoteAddr()
	if a == nil || a.Network() != "tcp" {
		return
	}
	pause := time.Millisecond
	t := time.NewTimer(pause)
	defer t.Stop()
	begin, last := time.Now(), -1
	moved := begin
	for {
		queue, now := f.meter.state().queue, time.Now()
		if queue != last {
			last, moved = queue, now
		}
		patience := settleQuiet
		if queue < 0 {
			patience = settleBlind
		}
		if queue == 0 || now.Sub(moved) >= patience || now.Sub(begin) >= settleTime || f.c.Context().Err() != nil {
			return
		}
		<-t.C
		pause = min(2*pause, settleBlind)
		t.Reset(pause)
	}
}
