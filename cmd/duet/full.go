package main

import (
	"errors"
	"net"
	"strconv"
	"sync"
	"time"

	"duet.example/duet"
)

// fullEvery is how often it is told that the server is full: those who are refused may be very many.
const fullEvery = 10 * time.Second

// fullness tells an operator who sees no refusals that there are some because the server is full. Peers come and go on
// many goroutines.
type fullness struct {
	say func(format string, args ...any)

	mu   sync.Mutex
	live int
	told time.Time
}

// trace counts conversations and tells of peers for whom there was no place.
func (f *fullness) trace() *duet.Trace {
	return &duet.Trace{
		ConnStart: func(*duet.Conn) { f.count(1) },
		ConnEnd:   func(*duet.Conn, duet.EndReason, error) { f.count(-1) },
		Refused:   func(_ net.Addr, err error) { f.refused(err) },
	}
}

func (f *fullness) count(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live += n
}

func (f *fullness) refused(err error) {
	if !errors.Is(err, duet.ErrFull) {
		return
	}
	f.mu.Lock()
	live, tell := f.live, f.told.IsZero() || time.Since(f.told) >= fullEvery
	if tell {
		f.told = time.Now()
	}
	f.mu.Unlock()
	if tell {
		f.say("full: %s; peers are refused", conversations(live))
	}
}

func conversations(n int) string {
	if n == 1 {
		return "1 conversation"
	}
	return strconv.Itoa(n) + " conversations"
}
