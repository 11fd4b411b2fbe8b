//go:build !unix

package wire

import "syscall"

// useSocket leaves the connection with its own Read and Write: only those can wait here.
func (w *Conn) useSocket(syscall.Conn, Gate) {}

// readReady is never called, like the others of a socket below.
func (w *Conn) readReady(uintptr) bool { return true }

func (w *Conn) trySocket() {}

func (w *Conn) awaitSocket() error { return nil }

// HasUnread cannot be known here.
func (w *Conn) HasUnread() bool { return false }

// TakeRest cannot read without waiting here.
func (w *Conn) TakeRest(int) (rest []byte, unread bool, err error) { return nil, false, nil }

func (w *writing) writeReady(uintptr) bool { return true }

func (w *writing) writeOnce(uintptr) {}
