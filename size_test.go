package duet

import (
	"testing"
	"unsafe"
)

// A conversation takes 512 bytes, the size class below is 480 and the one above 576: each that waits is paid for.
func TestConn_Size(t *testing.T) {
	if n := unsafe.Sizeof(Conn{}); n > 512 {
		t.Errorf("a Conn has %d bytes", n)
	}
}
