//go:build !unix

package wire

import "syscall"

// useSocket does nothing: only Read and Write of the connection can wait here.
func (w *Conn) useSocket(syscall.Conn, Gate) {}

// readReady is never called, nor are the other methods of a socket below.
func (w *Conn) readReady(uintptr) bool { return true }

func (w *Conn) trySocket() {}

func (w *Conn) awaitSocket() error { return nil }

// HasUnread returns false: it is not known here.
func (w *Conn) HasUnread() bool { return false }

// ReadRest reads nothing: no read without a wait is possible here.
func (w *Conn) ReadRest(int) (rest []byte, unread bool, err error) { return nil, false, nil }

func (w *writeOp) writeReady(uintptr) bool { return true }

func (w *writeOp) writeOnce(uintptr) {}
