package duet

// A ReadAwaiter is a net.Conn that can be waited on without a buffer. A conversation over one holds no memory for bytes while its
// peer is silent. Sockets of the system need no AwaitRead. Over any other connection, a goroutine waits with a
// buffer of 1 KiB.
//
// A wrapper should implement it if its own Read can tell that bytes are there: because it has some, or because the connection below
// has.
type ReadAwaiter interface {
	// AwaitRead returns nil when a Read would return without waiting for the peer. Otherwise it waits, until the deadline of
	// SetReadDeadline: then its error is os.ErrDeadlineExceeded for errors.Is. Any other error is one that Read would return too.
	AwaitRead() error
}
