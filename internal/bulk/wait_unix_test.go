//go:build unix

package bulk_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"duet.example/duet/internal/bulk"
)

func TestPollTakesNothing(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	want := func(name string, f *os.File, events int16, ready bool, bits int16) {
		t.Helper()
		if got := bulk.Ready(f.Fd(), events); got != ready {
			t.Errorf("%s: Ready = %v", name, got)
		}
		if got, err := bulk.Poll(f.Fd(), events); got&bits != bits || (got != 0) != ready || err != nil {
			t.Errorf("%s: Poll = %#x, %v, want %#x in it", name, got, err, bits)
		}
	}
	want("an empty pipe", r, unix.POLLIN, false, 0)
	want("its other end", w, unix.POLLOUT, true, unix.POLLOUT)
	w.Write([]byte("x"))
	for range 2 { // nothing is taken
		want("a pipe with a byte", r, unix.POLLIN, true, unix.POLLIN)
	}
	r.Read(make([]byte, 1))
	w.Close()
	want("a pipe that has ended", r, unix.POLLIN, true, unix.POLLHUP)
}
