//go:build unix

package transport

import "golang.org/x/sys/unix"

// netReuses reports whether package net sets SO_REUSEADDR on listening sockets.
const netReuses = true

func setListenOptions(*narrator, int) error { return nil }

func listenAgain(fd, backlog int) error { return unix.Listen(fd, backlog) }
