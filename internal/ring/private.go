package ring

import "bytes"

const (
	maxTold      = 1000
	maxToldBytes = 1 << 20
	encoded      = 4 // bytes that an encoding adds to a body, as a rule, or fewer
)

// A told body is for one reader, from a place on.
type told struct {
	from uint64
	body []byte
}

// Tell queues bodies for this reader alone. They come out of Next between two
// entries, before those that wait, in its encoding. Where the bodies would make
// more than 1000, or with others that wait more than 1 MiB, Tell gives ErrFull
// and none of them is queued; after Leave it gives ErrLeft. The bodies may be
// changed afterwards. Tell may call the reader's pump, also without bodies if
// there is something to take: a caller must hold no lock that the pump needs.
func (rd *Reader) Tell(bodies ...[]byte) error {
	s := rd.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	if rd.left {
		return ErrLeft
	}
	if x := rd.extra; x != nil && x.err != nil {
		return x.err
	}
	if len(bodies) > 0 {
		if err := rd.note(bodies); err != nil {
			return err
		}
	}
	rd.again = true
	if rd.due() {
		s.pump(rd)
		if rd.due() {
			s.walkAgain()
		}
	}
	return nil
}

// note queues what the reader is told. shard.mu is held.
func (rd *Reader) note(bodies [][]byte) error {
	x := rd.more()
	size := 0
	for _, b := range bodies {
		size += len(b)
	}
	if len(x.told)+len(bodies) > maxTold || len(x.told) > 0 && x.bytes+size > maxToldBytes {
		return ErrFull
	}
	// What is told after a change of encoding waits for it.
	var from uint64
	if len(x.legs) > 0 {
		from = x.legs[len(x.legs)-1].end.seq
	}
	for _, b := range bodies {
		x.told = append(x.told, told{from, bytes.Clone(b)})
	}
	x.bytes += size
	return nil
}

// hear gives what the reader has been told. shard.mu is held.
func (rd *Reader) hear() (bodies [][]byte) {
	x, n := rd.extra, 0
	for n < len(x.told) && x.told[n].from <= rd.pos {
		bodies = append(bodies, x.told[n].body)
		x.bytes -= len(x.told[n].body)
		n++
	}
	if x.told = x.told[n:]; len(x.told) == 0 {
		x.told = nil
		rd.spare()
	}
	return bodies
}

// spare lets go of extra, if there is nothing in it: most readers were told something once, when they joined. shard.mu is held.
func (rd *Reader) spare() {
	if x := rd.extra; x != nil && len(x.told) == 0 && len(x.legs) == 0 && x.err == nil && x.missed == 0 && x.over == nil && !rd.left {
		rd.extra = nil
	}
}

// encode gives bodies for the wire, without those that cannot be.
func encode(e Encoding, bodies [][]byte) (wire []byte, n int) {
	size := 0
	for _, b := range bodies {
		size += len(b) + encoded
	}
	wire = make([]byte, 0, size)
	for _, b := range bodies {
		if longer, err := e.Append(wire, b); err == nil {
			wire = longer
			n++
		}
	}
	return wire, n
}
