package admission

import (
	"net/netip"
	"time"
)

// maxRemembered is the highest number of hosts that are kept only because their bucket is not full.
const maxRemembered = 4096

// A host is one source of conversations. It is kept until it has no conversation and its bucket is full. So a peer that
// reconnects does not get a new bucket.
type host struct {
	conns   int       // conversations that have begun
	pending int       // peers that are admitted and whose conversation has not begun
	bucket  *bucket   // nil: none, because the gate has no Rate
	full    time.Time // the time at which the bucket is full; set when the last conversation ends
}

// hosts are all hosts that the gate keeps. The gate's mu is held during each method.
type hosts struct {
	byAddr     map[netip.Prefix]*host
	departures []departure // in the order in which the hosts left
}

// A departure is a host without conversations that is removed when its bucket is full. If the host has come back since, it
// has conversations, or another time at which its bucket is full.
type departure struct {
	source netip.Prefix
	full   time.Time
}

// get returns the host of a source. It makes a new one if there is none.
func (hs *hosts) get(source netip.Prefix) *host {
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

// release removes a host if it has no conversation, either now or when its bucket is full.
func (hs *hosts) release(source netip.Prefix) {
	h := hs.byAddr[source]
	if h == nil || h.conns+h.pending > 0 {
		return
	}
	now := time.Now()
	h.full = h.bucket.fullAt(now)
	if !h.full.After(now) {
		delete(hs.byAddr, source)
		return
	}
	hs.departures = append(hs.departures, departure{source, h.full})
	hs.sweep(now)
}

// sweep removes the hosts whose buckets are full, and the oldest departures if there are too many.
func (hs *hosts) sweep(now time.Time) {
	for len(hs.departures) > 0 && (len(hs.departures) > maxRemembered || !hs.departures[0].full.After(now)) {
		d := hs.departures[0]
		hs.departures = hs.departures[1:]
		if h := hs.byAddr[d.source]; h != nil && h.conns+h.pending == 0 && h.full.Equal(d.full) {
			delete(hs.byAddr, d.source)
		}
	}
	if len(hs.departures) == 0 {
		hs.departures = nil
	}
}
