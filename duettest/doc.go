// Package duettest helps to test what holds conversations, as net/http/httptest helps to test what
// serves HTTP.
//
// [Pipe] and [Listener] give connections in memory that behave like TCP's: a bounded buffer each
// way, deadlines, half-close, reset, and the error values of package net. They wait on nothing but
// channels, condition variables and timers, so that they work inside a testing/synctest bubble,
// where a test of a timeout takes no time.
//
// [Proxy] stands between two sockets, and [Chaos] around any connection, and do to the bytes what
// [Faults] says: delay, slow down, cut into pieces, damage, swallow, half-close, close, reset.
//
// [NewServer] runs a server for one test, and [ConnPair] gives both ends of one conversation in memory.
package duettest
