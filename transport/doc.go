// Package transport turns an address into a [net.Listener] or a [net.Conn]: TCP, unix sockets, and
// sockets that were opened by somebody else (a parent process, systemd). It knows nothing of messages.
//
// What it adds to package net: a backlog that can be chosen, dead peers noticed in seconds, unix sockets
// nobody else may open, stale ones removed, descriptors checked before they are used, and a [Step] for
// each system call, for people who want to see what a program does with its sockets.
package transport
