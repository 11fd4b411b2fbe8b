package wire

import (
	"context"
	"errors"
	"math"
	"net"
	"os"
	"testing"
	"time"
)

// A Write after Abandon does not wait, although it sets its next deadline later.
func TestAbandon_Stays(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *Conn, _ *net.TCPConn) {
		w.Abandon()
		n, err := w.Write(context.Background(), make([]byte, 64<<20), time.Hour)
		if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("wrote %d, %v", n, err)
		}
	})
}

// A limit that is nearly infinite must not become one that has passed.
func TestMoment(t *testing.T) {
	w := &Conn{began: time.Now()}
	if m := w.Now().After(math.MaxInt64); m != math.MaxInt64 || !w.deadline(m).After(time.Now().AddDate(100, 0, 0)) {
		t.Errorf("the end of time is %d, %v", m, w.deadline(m))
	}
	if d := w.deadline(w.At(w.began)); !d.Equal(w.began) {
		t.Errorf("it began at %v, not %v", w.began, d)
	}
	if d := w.deadline(0); !d.IsZero() {
		t.Errorf("no moment is the deadline %v", d)
	}
	if d := w.deadline(past); !d.Before(w.began) {
		t.Errorf("the past is the deadline %v", d)
	}
}
