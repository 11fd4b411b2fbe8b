// Package ring holds what is said in a room, once for all who hear it.
//
// A Ring is one sequence of entries. For each way in which its readers want
// the bytes on their wire (an Encoding) there is a row: each entry encoded
// once, one after the other in blocks that are only ever appended to. A Reader
// is a place in the sequence and a row, and little else: what it has not taken
// yet is one slice of the row, so that many entries cost one write.
//
//	Append -> rows of blocks -> Next of each Reader, called by its pump
//
// The ring knows no sockets. It calls each reader's pump when there is
// something for it, from goroutines that run only while there is, and never
// waits for a reader: one that falls behind by more than Options.Limit is told
// how much it has missed, or ends. Append waits if the machine itself, or most of
// the readers, cannot keep up; with Options.Patience also for a single reader, for a bounded time.
//
// At most half of the processors walk at the same time, so that a ring does not keep those who speak, and other conversations, from
// the rest: with a walk on each of two, a line to 1,000 cost a sixth more and came later.
//
// Locks, in this order: Ring.mu (the sequence, rows, who is here), shard.mu
// (its readers), pace.mu (who is far behind). Encodings run under Ring.mu; pumps
// and gaps under none.
package ring

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultLimit is how many bytes a reader may be behind, unless
// Options.Limit says otherwise.
const DefaultLimit = 16 << 20

var (
	// ErrLapped is what Next gives a reader that fell behind by more than the
	// limit, where there is no Options.Gap to tell it how much it has missed.
	ErrLapped = errors.New("fell too far behind")
	// ErrFull is what Tell gives where the reader has not taken what it was
	// told before.
	ErrFull = errors.New("reader's queue is full")
	// ErrLeft is what Tell gives after Leave.
	ErrLeft = errors.New("reader has left")
)

// Options are what a Ring may be told. The zero Options work.
type Options struct {
	// Limit is how many bytes of its row a reader may be behind; zero or less
	// is DefaultLimit. It is kept to within a block, which is an eighth of it
	// or less.
	Limit int
	// Gap makes the body that a reader gets in the place of what it has missed:
	// so many entries, its own not counted. It may be called by several
	// goroutines at once. Without it Next gives ErrLapped.
	Gap func(missed uint64) []byte
	// Patience is how long, in all, Append waits for one reader that is far
	// behind and still takes something, at most a minute; a tenth of the time
	// that passes comes back. Zero: Append waits only for a majority.
	Patience time.Duration
	// Quota is a limit for what this ring and others hold. Nil: none.
	Quota *Quota
}

// An Encoding is how readers want the bytes on their wire.
type Encoding struct {
	// Key names it: equal keys, equal bytes. Such readers share a row.
	Key string
	// Append appends a body as it goes over the wire to dst; an error leaves it
	// out for these readers. It must not keep body, and not call the ring.
	Append func(dst, body []byte) ([]byte, error)
}

// A Ring is one sequence of entries and those who read it. All methods may be
// called by several goroutines at once.
type Ring struct {
	limit  int
	gap    func(missed uint64) []byte
	start  time.Time
	shards []shard
	size   atomic.Int64  // readers
	head   atomic.Uint64 // the number of the next entry; changed under mu, after the rows
	looked atomic.Int64  // when somebody looked for stalled readers
	behind atomic.Int64  // full blocks that rows hold
	pace   pace
	quota  *Quota
	bytes  atomic.Int64 // that the quota knows of; changed under mu

	mu      sync.Mutex
	rows    []*row // those that are appended to
	held    []*row // these, and those in which only readers are that have left
	authors map[uint64]*author
}

// An author is one who has readers: what it says itself they do not get.
type author struct {
	number uint64
	total  uint64        // entries since it is known here; under Ring.mu
	last   atomic.Uint64 // the number after its last entry's
	first  *Reader       // of its readers, linked by sibling; under pace.mu, as those are
}

// New makes a Ring.
func New(o Options) *Ring {
	if o.Limit <= 0 {
		o.Limit = DefaultLimit
	}
	r := &Ring{
		limit:   o.Limit,
		gap:     o.Gap,
		quota:   o.Quota,
		start:   time.Now(),
		shards:  make([]shard, max(1, runtime.GOMAXPROCS(0)/2)),
		authors: map[uint64]*author{},
	}
	r.pace.bucket = uint64(max(1, o.Limit/(2*farBuckets)))
	r.pace.stalled = stalled
	if o.Patience > 0 {
		r.pace.stalled = stalledLong
		r.pace.patience = coarse(min(o.Patience, time.Minute).Milliseconds())
	}
	for i := range r.shards {
		s := &r.shards[i]
		s.ring = r
		s.unpumped.L = &s.mu
	}
	return r
}

// Append adds entries: each body is one, and all of one call stand together.
// Readers that joined as author do not get them; author 0 is nobody. The bodies
// may be changed afterwards.
//
// Append waits while readers that could be written to have not been yet, or
// most of those that take anything at all are behind, by more than half of the
// limit; it returns ctx's error if that ends first, and has then added nothing.
// It does not wait for one or a few slow readers, except within Options.Patience.
// A caller must hold no lock that a pump needs.
func (r *Ring) Append(ctx context.Context, author uint64, bodies ...[]byte) error {
	if len(bodies) == 0 {
		return nil
	}
	return r.append(ctx, author, bodies, func() {})
}

// append is Append. It calls behind, with mu held, when they have been added.
func (r *Ring) append(ctx context.Context, author uint64, bodies [][]byte, behind func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for {
		added, w := r.tryAppend(author, bodies, behind)
		if added {
			if r.wake() {
				r.trim()
			}
			r.quota.shed()
			return nil
		}
		if err := r.wait(ctx, w); err != nil {
			return err
		}
	}
}

// tryAppend adds the bodies, or gives what to wait for.
func (r *Ring) tryAppend(number uint64, bodies [][]byte, behind func()) (added bool, w *waiter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.authors[number]
	if w := r.pace.hold(a); w != nil {
		return false, w
	}
	head := r.head.Load()
	views := make([]*view, 0, 4)
	for _, row := range r.rows {
		views = append(views, row.extend(r.limit, head, number, bodies))
	}
	head += uint64(len(bodies))
	if a != nil {
		a.total += uint64(len(bodies))
		a.last.Store(head)
	}
	for i, row := range r.rows {
		r.publish(row, views[i])
		r.pace.advance(row, views[i].head().off)
	}
	r.countFull()
	r.head.Store(head)
	behind()
	return true, nil
}

// trim drops the blocks that all readers have taken.
func (r *Ring) trim() {
	if r.behind.Load() == 0 {
		return
	}
	least := r.head.Load()
	for i := range r.shards {
		least = r.shards[i].holds(least)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, row := range r.held {
		v := row.view.Load()
		if len(v.old) > 0 && v.old[0].end <= least {
			r.publish(row, v.without(least))
		}
	}
	r.countFull()
}

// Join adds a reader, from what is appended next. Entries of its own author
// (none, if that is 0) it does not get. Pump is called when there is something
// for it, also before Join has returned, by one goroutine at a time that holds
// no lock; it must not wait, and must not call Leave. It calls Next, and reports
// busy if it could not pass on what that gave: whoever goes on with it then
// calls Next until that gives nothing, and until then pump is not called. A pump
// that took nothing and is not busy is called again after the next Append or Tell.
func (r *Ring) Join(author uint64, e Encoding, pump func() (busy bool)) *Reader {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.join(author, e, pump)
}

// Enter is Join behind entries that the reader adds as author, as Append does: nothing stands between them and what it gets. With an error
// of Append's it has joined without them. Pump may be called by Enter itself.
func (r *Ring) Enter(ctx context.Context, author uint64, e Encoding, pump func() (busy bool), bodies ...[]byte) (rd *Reader, err error) {
	if err = r.append(ctx, author, bodies, func() { rd = r.join(author, e, pump) }); err != nil {
		rd = r.Join(author, e, pump)
	}
	return rd, err
}

// join is Join. mu is held.
func (r *Ring) join(author uint64, e Encoding, pump func() (busy bool)) *Reader {
	s := r.shardForNext()
	rd := &Reader{shard: s, pump: pump}
	rd.row = r.row(e)
	rd.pos = r.head.Load()
	rd.seen = rd.pos
	rd.off = rd.row.view.Load().head().off
	if author != 0 {
		rd.who = r.author(author)
		rd.own = rd.who.total
	}
	s.mu.Lock()
	s.add(rd)
	r.pace.join(rd)
	s.mu.Unlock()
	r.size.Add(1)
	return rd
}

func (r *Ring) author(number uint64) *author {
	a := r.authors[number]
	if a == nil {
		a = &author{number: number}
		r.authors[number] = a
	}
	return a
}
