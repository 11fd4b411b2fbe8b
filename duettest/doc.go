// Package duettest helps to test programs that use package duet, as net/http/httptest helps to test programs that use net/http.
//
// [Pipe] and [Listener] make connections in memory that behave like TCP: they have a bounded buffer each way, deadlines,
// half-close, reset, and the error values of package net. They wait only on channels, condition variables and timers. So they
// work in a testing/synctest bubble, in which a test of a timeout takes no time.
//
// [Proxy] stands between two sockets, and [Chaos] around any connection. Both do to the bytes what [Faults] says: delay them,
// slow them down, cut them into pieces, damage or drop them, and half-close, close or reset the connection.
//
// [NewServer] runs a server for one test. [ConnPair] returns both ends of one conversation in memory.
package duettest
