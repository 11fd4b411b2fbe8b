package bulk

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	lowWaterMark   = 512 << 10
	lowWaterBulk   = 1 << 20
	lowWaterPeriod = 2 * time.Millisecond
)

// A lowWater raises SO_RCVLOWAT (socket(7)) of a TCP socket while bulk flows,
// that is, while at least 1 MiB comes in 2 ms: in bulk the wake-ups cost more
// than the copies. A raised mark would strand the tail of a burst for as long
// as the connection stays open, so the first period of 2 ms in which less has
// come sets it back to 1, at which the kernel reports what is waiting. Nothing
// ticks while the mark is down.
//
// A nil lowWater does nothing.
type lowWater struct {
	src   *descriptor
	begin time.Time // of the present period, while the mark is down
	came  int       // in it

	raised atomic.Bool
	total  atomic.Int64

	mu    sync.Mutex // guards what follows, and the socket's option
	timer *time.Timer
	seen  int64 // total, one tick ago
	done  bool
}

func newLowWater(src *descriptor) *lowWater {
	if !src.tcp {
		return nil
	}
	return &lowWater{src: src}
}

// add is told of each arrival, by the goroutine that reads.
func (l *lowWater) add(n int) {
	if l == nil {
		return
	}
	l.total.Add(int64(n))
	if l.raised.Load() {
		return
	}
	now := time.Now()
	if now.Sub(l.begin) > lowWaterPeriod {
		l.begin, l.came = now, 0
	}
	if l.came += n; l.came >= lowWaterBulk {
		l.begin, l.came = now, 0
		l.raise()
	}
}

// flows reports whether bulk flows.
func (l *lowWater) flows() bool { return l != nil && l.raised.Load() }

func (l *lowWater) raise() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.set(lowWaterMark) {
		return
	}
	l.raised.Store(true)
	l.seen = l.total.Load()
	if l.timer == nil {
		l.timer = time.AfterFunc(lowWaterPeriod, l.tick)
	} else {
		l.timer.Reset(lowWaterPeriod)
	}
}

func (l *lowWater) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done || !l.raised.Load() {
		return
	}
	total := l.total.Load()
	if total-l.seen < lowWaterBulk {
		l.lower()
		return
	}
	l.seen = total
	l.timer.Reset(lowWaterPeriod)
}

func (l *lowWater) lower() {
	l.set(1)
	l.raised.Store(false)
}

func (l *lowWater) set(bytes int) bool {
	ok := false
	err := l.src.raw.Control(func(fd uintptr) {
		ok = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, bytes) == nil
	})
	return err == nil && ok
}

// close takes the mark down for whoever reads next. A tick that is under way
// has left when close returns, and later ones do nothing.
func (l *lowWater) close() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = true
	if l.timer != nil {
		l.timer.Stop()
	}
	if l.raised.Load() {
		l.lower()
	}
}
