//go:build unix && !linux

package transport

import (
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

func setSocketMode(*narrator, int) error { return nil }

var umaskMu sync.Mutex

// listenPrivately keeps others out of the file while it is made. The mask belongs to the whole process: files made
// elsewhere at that moment become more private than meant, never less.
func listenPrivately(listen func() (net.Listener, error)) (net.Listener, error) {
	umaskMu.Lock()
	defer umaskMu.Unlock()
	defer unix.Umask(unix.Umask(0o177))
	return listen()
}
