//go:build unix && !linux

package transport

import (
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

func setSocketMode(*narrator, int) error { return nil }

var umaskMu sync.Mutex

// listenPrivately calls listen under a mask that keeps other users out of the socket's file from the start. The mask
// belongs to the whole process. A file that another goroutine makes at that moment may become more private, never less.
func listenPrivately(listen func() (net.Listener, error)) (net.Listener, error) {
	umaskMu.Lock()
	defer umaskMu.Unlock()
	defer unix.Umask(unix.Umask(0o177))
	return listen()
}
