//go:build unix && !linux

package bulk

import (
	"context"

	"golang.org/x/sys/unix"
)

// smallWrite is the smallest PIPE_BUF that POSIX allows.
const smallWrite = 512

// copyFast handles nothing here.
func copyFast(context.Context, *side, *side, *counter) (bool, error) { return false, nil }

func (d *descriptor) readNow(fd int, p []byte) (int, error)  { return unix.Read(fd, p) }
func (d *descriptor) writeNow(fd int, p []byte) (int, error) { return d.blockingWrite(fd, p) }

// isNull does not matter here.
func isNull(*unix.Stat_t) bool { return false }
