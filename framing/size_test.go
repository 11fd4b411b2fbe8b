package framing

import (
	"testing"
	"unsafe"
)

// A codec is a part of what an idle conversation costs [F-18].
func TestCodec_F18_Size(t *testing.T) {
	for name, size := range map[string]uintptr{
		"delimited": unsafe.Sizeof(delimitedCodec{}), "length": unsafe.Sizeof(lengthCodec{}),
		"raw": unsafe.Sizeof(rawCodec{}), "auto": unsafe.Sizeof(autoCodec{}),
	} {
		if size > 64 {
			t.Errorf("%s codec has %d bytes, more than 64", name, size)
		}
	}
}
