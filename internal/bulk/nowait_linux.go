package bulk

import "golang.org/x/sys/unix"

// smallWrite is PIPE_BUF, see pipe(7).
const smallWrite = 4096

// readNow reads without blocking where the kernel can do so on a blocking
// descriptor (RWF_NOWAIT, preadv2(2)): another process that shares it may have
// taken the bytes since poll(2) reported them.
func (d *descriptor) readNow(fd int, p []byte) (int, error) {
	if !d.blind {
		n, err := unix.Preadv2(fd, [][]byte{p}, -1, unix.RWF_NOWAIT)
		if !unsupported(err) {
			return n, err
		}
		d.blind = true
	}
	return d.blindRead(fd, p)
}

// writeNow writes what fits, in the same way.
func (d *descriptor) writeNow(fd int, p []byte) (int, error) {
	if !d.blind {
		n, err := unix.Pwritev2(fd, [][]byte{p}, -1, unix.RWF_NOWAIT)
		if !unsupported(err) {
			return n, err
		}
		d.blind = true
	}
	return d.blindWrite(fd, p)
}

// unsupported reports whether err says that the call is not to be had here, as
// against that it failed. EPERM is how a container's filter refuses.
func unsupported(err error) bool {
	switch err {
	case unix.EINVAL, unix.ENOSYS, unix.EOPNOTSUPP, unix.EPERM:
		return true
	}
	return false
}

func isNull(st *unix.Stat_t) bool { return st.Rdev == unix.Mkdev(1, 3) }
