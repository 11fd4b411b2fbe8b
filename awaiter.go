package duet

// A ReadAwaiter is a net.Conn that can be waited on without a buffer. A conversation over one holds no memory for bytes while its
// peer is silent. A *net.TCPConn and a *net.UnixConn need no AwaitRead. Over any other connection, a conversation holds 1 KiB and a
// second goroutine while it waits.
//
// A wrapper should implement it if it can tell whether its Read would wait: it has bytes that were not read yet, or it can wait on the
// connection below. The goroutine that calls Read also calls AwaitRead. Other goroutines may call SetReadDeadline meanwhile.
type ReadAwaiter interface {
	// AwaitRead waits until a Read would return without waiting for the peer, and returns nil then. If the deadline of
	// SetReadDeadline passes first, the error is os.ErrDeadlineExceeded for errors.Is. Any other error is one that Read would return too.
	AwaitRead() error
}
