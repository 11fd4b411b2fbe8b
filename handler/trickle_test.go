package handler

import (
	"testing"
	"unsafe"
)

// TestTrickle_Size: an idle echo holds a trickle and no flow. The next size that the allocator has is 112 bytes.
func TestTrickle_Size(t *testing.T) {
	if n := unsafe.Sizeof(trickle{}); n > 96 {
		t.Errorf("a trickle has %d bytes, want at most 96", n)
	}
}
