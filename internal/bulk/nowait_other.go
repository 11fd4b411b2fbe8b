//go:build unix && !linux

package bulk

import "golang.org/x/sys/unix"

// smallWrite is the least PIPE_BUF that POSIX allows.
const smallWrite = 512

func (d *descriptor) readNow(fd int, p []byte) (int, error)  { return d.blindRead(fd, p) }
func (d *descriptor) writeNow(fd int, p []byte) (int, error) { return d.blindWrite(fd, p) }

// isNull: only splice(2) needs to know.
func isNull(*unix.Stat_t) bool { return false }
