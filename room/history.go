package room

import (
	"bytes"
	"sync"
	"time"

	"duet.example/duet/internal/ring"
)

// How much a room remembers at most: lines (a reader takes a thousand that are for it alone), and bytes.
const (
	historyLines = 900
	historyBytes = 256 << 10
)

// A past is one line that was said.
type past struct {
	seq  uint64 // its number in the room's ring
	at   time.Time
	line []byte
}

// A history is the last lines said in a room. It hears them as a row of the room's ring, so that they stand in it in
// the order in which all get them, and each has its number there.
type history struct {
	limit  int // lines
	reader *ring.Reader

	mu    sync.Mutex
	next  uint64 // number of the next entry
	lines []past
	bytes int
}

// listen makes the history of r, before anything is said there.
func (h *history) listen(r *ring.Ring) {
	h.reader = r.Join(0, ring.Encoding{Key: "history", Append: h.note}, func() bool {
		for {
			if _, n, err := h.reader.Next(); n == 0 || err != nil {
				return false
			}
		}
	})
}

// end remembers nothing any more.
func (h *history) end() {
	h.reader.Leave()
	h.reader.Drop()
}

// note remembers an entry, unless the hall says it. It adds nothing to its row.
func (h *history) note(dst, line []byte) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seq := h.next
	h.next++
	if bytes.HasPrefix(line, []byte(announced)) {
		return dst, nil
	}
	h.lines = append(h.lines, past{seq, time.Now(), bytes.Clone(line)})
	h.bytes += len(line)
	drop := 0
	for drop < len(h.lines) && (len(h.lines)-drop > h.limit || h.bytes > historyBytes) {
		h.bytes -= len(h.lines[drop].line)
		drop++
	}
	clear(h.lines[:drop])
	h.lines = h.lines[drop:]
	return dst, nil
}

// tell adds to b what was said before rd joined: `[14:03:22] anna: hello`, in local time. Nothing may have been taken from rd.
func (h *history) tell(b *batch, rd *ring.Reader) {
	began := h.where(rd)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.lines {
		if p.seq < began {
			b.buf = p.at.AppendFormat(b.buf, "[15:04:05] ")
			b.addBytes(p.line)
		}
	}
}

// where is the number of the entry with which rd begins. When Behind counts, what was noted before is in the ring; if nothing
// was noted meanwhile, that is all there is.
func (h *history) where(rd *ring.Reader) uint64 {
	for {
		noted := h.noted()
		behind := rd.Behind()
		if h.noted() == noted {
			return noted - behind
		}
	}
}

func (h *history) noted() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.next
}
