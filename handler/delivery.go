package handler

import (
	"time"

	"duet.example/duet"
)

const (
	// deliveryQuiet is how long awaitDelivery waits for a peer that takes nothing, and deliveryTime for one that takes something.
	deliveryQuiet = time.Second
	deliveryTime  = duet.DefaultSendTimeout
	// deliveryBlind is for a connection that cannot be asked what it still holds.
	deliveryBlind = 50 * time.Millisecond
)

// awaitDelivery waits until the peer's system has everything that was written, or has refused it. Before that, it is not known whether
// bytes were lost, and a reset would destroy them.
func (f *flow) awaitDelivery() {
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
		queue, now := f.inspector.state().queue, time.Now()
		if queue != last {
			last, moved = queue, now
		}
		patience := deliveryQuiet
		if queue < 0 {
			patience = deliveryBlind
		}
		if queue == 0 || now.Sub(moved) >= patience || now.Sub(begin) >= deliveryTime || f.c.Context().Err() != nil {
			return
		}
		<-t.C
		pause = min(2*pause, deliveryBlind)
		t.Reset(pause)
	}
}
