package duet

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"
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
