//go:build !unix

package bulk

import "syscall"

// stream: no socket can be read without waiting.
func stream(any) syscall.RawConn { return nil }

func (l *Little) take(uintptr) bool { return true }

func (l *Little) give(uintptr) bool { return true }
