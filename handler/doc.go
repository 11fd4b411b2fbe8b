// Package handler holds small handlers, a file each: what answers a
// conversation without a person.
//
// They know *duet.Conn and messages, or its bytes; never sockets' addresses or
// screens. Where nobody has to look at the bytes, the kernel copies them.
package handler
