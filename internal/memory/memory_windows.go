package memory

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// A status is MEMORYSTATUSEX, without what stands behind the total.
type status struct {
	length, load uint32
	total        uint64
	_            [6]uint64
}

// Available is how many bytes this process may use. Zero: it is not known.
func Available() int64 {
	s := status{length: uint32(unsafe.Sizeof(status{}))}
	ask := windows.NewLazySystemDLL("kernel32.dll").NewProc("GlobalMemoryStatusEx")
	if ok, _, _ := ask.Call(uintptr(unsafe.Pointer(&s))); ok == 0 {
		return 0
	}
	return int64(s.total)
}
