package main

import (
	"errors"
	"io"
	"net"

	"duet.example/duet"
	"duet.example/duet/console"
)

// An ending notes how one conversation ended.
type ending struct {
	reason duet.EndReason
	err    error
	peer   string
	said   bool // the peer has said something
}

func newEnding(c *duet.Conn, reason duet.EndReason, err error) *ending {
	e := &ending{reason: reason, err: err, said: c.Stats().BytesIn > 0}
	if a := c.RemoteAddr(); a != nil && a.String() != "@" {
		e.peer = a.String()
	}
	return e
}

func (e *ending) trace() *duet.Trace {
	return &duet.Trace{ConnEnd: func(c *duet.Conn, reason duet.EndReason, err error) {
		*e = *newEnding(c, reason, err)
	}}
}

// result is the error to report, nil if the conversation ended well. served is what serving it
// returned, for where the end was not noted.
func (e *ending) result(served error) error {
	switch {
	case e.reason == duet.EndNone:
		return served
	case codeOf(e.reason) == exitOK:
		if e.err != nil && !errors.Is(e.err, io.EOF) && outputGone(e.err) {
			return codeError(exitFailed) // as any filter whose reader has gone
		}
		return nil
	}
	err := e.err
	if err == nil {
		err = errors.New(e.reason.String())
	}
	return &duet.Error{Op: "converse", Addr: e.peer, Reason: e.reason, Err: err}
}

// endWords names an ending for people.
func endWords(r duet.EndReason, err error) string { return console.EndWords(r, err) }

// words shows an address as people say it.
func words(a net.Addr) string {
	if a == nil {
		return "a peer"
	}
	return console.AddressWords(a.String())
}
