// Package wire owns the bytes and both deadlines of one connection. Nobody else sets a deadline on it.
//
// It knows three ways to wait for bytes. A socket of the system (exactly *net.TCPConn or *net.UnixConn) is read when it is
// readable, so that no buffer is held while it waits. A connection with an AwaitRead method is waited on with that, and holds no
// buffer either. Any other connection is read by a goroutine that exists while one read is outstanding; it
// holds a small buffer, and no read deadline is ever set on it.
//
// The package knows no messages and no conversations. Read [Conn] first, then [RawConn].
package wire
