package duet

import (
	"context"
	"errors"
	"math"
	"net"
	"os"
	"testing"
	"time"
	"unsafe"
)

// Giving up and a writer that sets its next deadline may meet in any order: none waits on.
func TestWire_GiveUpStays(t *testing.T) {
	x, y := net.Pipe()
	defer x.Close()
	defer y.Close()
	var w wire
	w.init(x)
	w.giveUp()
	n, err := w.write(context.Background(), []byte("nobody reads"), time.Hour)
	if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("wrote %d, %v", n, err)
	}
}

// A conversation takes 512 bytes, the size class below is 480 and the one above 576: each that waits is paid for.
func TestConn_Size(t *testing.T) {
	if n := unsafe.Sizeof(Conn{}); n > 512 {
		t.Errorf("a Conn has %d bytes", n)
	}
}

// A limit that is as good as none must not turn into one that has passed.
func TestMoment(t *testing.T) {
	c := &Conn{began: time.Now()}
	if m := c.now().after(math.MaxInt64); m != math.MaxInt64 || !c.deadline(m).After(time.Now().AddDate(100, 0, 0)) {
		t.Errorf("the end of time is %d, %v", m, c.deadline(m))
	}
	if d := c.deadline(c.moment(c.began)); !d.Equal(c.began) {
		t.Errorf("it began at %v, not %v", c.began, d)
	}
	if d := c.deadline(0); !d.IsZero() {
		t.Errorf("no moment is the deadline %v", d)
	}
	if d := c.deadline(past); !d.Before(c.began) {
		t.Errorf("the past is the deadline %v", d)
	}
}
