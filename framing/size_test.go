package framing

import (
	"testing"
	"unsafe"
)

// A decoder is a part of the memory of an idle conversation. [F-18]
func TestDecoder_F18_Size(t *testing.T) {
	for name, size := range map[string]uintptr{
		"delimited": unsafe.Sizeof(delimitedDecoder{}), "length": unsafe.Sizeof(lengthDecoder{}),
		"raw": unsafe.Sizeof(rawDecoder{}), "auto": unsafe.Sizeof(autoDecoder{}),
	} {
		if size > 64 {
			t.Errorf("%s decoder has %d bytes, more than 64", name, size)
		}
	}
}
