package duet

import (
	"testing"
	"unsafe"
)

// A Conn must fit in 512 bytes. The next size class is 576, and each idle conversation would pay for it.
func TestConn_Size(t *testing.T) {
	if n := unsafe.Sizeof(Conn{}); n > 512 {
		t.Errorf("a Conn has %d bytes", n)
	}
}
