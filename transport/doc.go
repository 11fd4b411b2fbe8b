// Package transport turns an address into a [net.Listener] or a [net.Conn]. It knows TCP, unix sockets, and sockets that
// a parent process or systemd has opened. It knows nothing of messages. Read [Address], [ListenConfig] and [Dialer] first.
//
// The package adds to package net:
//
//   - The backlog of a listening socket can be chosen.
//   - A dead peer is noticed within seconds.
//   - A unix socket is private to its user, and a stale one is replaced.
//   - A descriptor is checked before it is used.
//   - Each system call can be shown as a [Step], for people who want to see what a program does with its sockets.
package transport
