package bulk

import "golang.org/x/sys/unix"

// smallWrite is PIPE_BUF (pipe(7)).
const smallWrite = 4096

// readNow reads without waiting, also from a descriptor that blocks (RWF_NOWAIT, preadv2(2)): another process that shares it may have taken
// the bytes since poll(2) reported them. If the kernel cannot do that, it returns EAGAIN once, and sets onlyBlocks.
func (d *descriptor) readNow(fd int, p []byte) (int, error) {
	if d.onlyBlocks {
		return unix.Read(fd, p)
	}
	n, err := unix.Preadv2(fd, [][]byte{p}, -1, unix.RWF_NOWAIT)
	if isUnsupported(err) {
		d.onlyBlocks = true
		return 0, unix.EAGAIN
	}
	return n, err
}

// writeNow writes as much as fits, in the same way.
func (d *descriptor) writeNow(fd int, p []byte) (int, error) {
	if d.onlyBlocks {
		return d.blockingWrite(fd, p)
	}
	n, err := unix.Pwritev2(fd, [][]byte{p}, -1, unix.RWF_NOWAIT)
	if isUnsupported(err) {
		d.onlyBlocks = true
		return 0, unix.EAGAIN
	}
	return n, err
}

// isUnsupported reports whether err says that the call does not exist here, as against that it has failed. The filter of a container
// refuses with EPERM.
func isUnsupported(err error) bool {
	switch err {
	case unix.EINVAL, unix.ENOSYS, unix.EOPNOTSUPP, unix.EPERM:
		return true
	}
	return false
}

func isNull(st *unix.Stat_t) bool { return st.Rdev == unix.Mkdev(1, 3) }
