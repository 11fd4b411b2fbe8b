package admission

import (
	"net/netip"
	"time"
)

// maxRemembered is how many hosts without a conversation are remembered for their bucket's sake.
const maxRemembered = 4096

// A host is one source of conversations. It is forgotten when it has none and its bucket is full
// again: who hangs up and comes back does not get a new one.
type host struct {
	conns  int // that have begun
	coming int // let in, and not begun yet
	bucket *bucket
	full   time.Time // when the bucket will be full; for one that has left
}

// hosts are all sources that the gate knows of. The gate's mu is held around each method.
type hosts struct {
	byAddr map[netip.Prefix]*host
	left   []departure // in the order in which they left
}

// A departure is a host that has left, to be forgotten when its bucket is full. One that came back
// has another full, or conversations.
type departure struct {
	source netip.Prefix
	full   time.Time
}

// of gives the host of a source, a new one if it is not known.
func (hs *hosts) of(source netip.Prefix) *host {
	hs.sweep(time.Now())
	h := hs.byAddr[source]
	if h == nil {
		if hs.byAddr == nil {
			hs.byAddr = make(map[netip.Prefix]*host)
		}
		h = new(host)
		hs.byAddr[source] = h
	}
	return h
}

// leave forgets a host that has no conversation any more, now or when its bucket is full.
func (hs *hosts) leave(source netip.Prefix) {
	h := hs.byAddr[source]
	if h == nil || h.conns+h.coming > 0 {
		return
	}
	now := time.Now()
	h.full = h.bucket.fullAt(now)
	if !h.full.After(now) {
		delete(hs.byAddr, source)
		return
	}
	hs.left = append(hs.left, departure{source, h.full})
	hs.sweep(now)
}

// sweep forgets those whose bucket is full, and the oldest where too many have left.
func (hs *hosts) sweep(now time.Time) {
	for len(hs.left) > 0 && (len(hs.left) > maxRemembered || !hs.left[0].full.After(now)) {
		d := hs.left[0]
		hs.left = hs.left[1:]
		if h := hs.byAddr[d.source]; h != nil && h.conns+h.coming == 0 && h.full.Equal(d.full) {
			delete(hs.byAddr, d.source)
		}
	}
	if len(hs.left) == 0 {
		hs.left = nil
	}
}
