package main

import (
	"context"
	"sync"

	"duet.example/duet"
	"duet.example/duet/desk"
)

// A link is a client's conversation, or one after another where it comes back after a cut.
type link struct {
	k    *connect
	d    *duet.Dialer
	desk *desk.Desk

	ended chan struct{} // closed when there is no conversation any more, and none will follow
	err   error         // how the last one ended, if badly; valid after ended

	mu      sync.Mutex
	conn    *duet.Conn
	leaving bool
	cancel  context.CancelFunc // ends waiting for the server
}

func newLink(k *connect, d *duet.Dialer, ds *desk.Desk) *link {
	return &link{k: k, d: d, desk: ds, ended: make(chan struct{})}
}

// run holds the conversation c and what comes after it. When ctx ends, a conversation goes on until goodbye or
// cut ends it, but no other begins.
func (l *link) run(ctx context.Context, c *duet.Conn) {
	defer close(l.ended)
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	l.mu.Lock()
	l.cancel = cancel
	l.mu.Unlock()
	for {
		if !l.hold(c) {
			_ = c.Close()
			return
		}
		l.k.say("connected to %s (not encrypted, peer unknown)", words(c.RemoteAddr()))
		err := duet.Serve(context.WithoutCancel(ctx), c, l.desk)
		reason, cause := c.Result()
		l.err = newEnding(c, reason, cause).result(err)
		if !l.comesBack(reason) {
			return
		}
		l.k.say("%s, trying again", reason)
		if c, err = l.k.persist(waiting, l.d); err != nil {
			if waiting.Err() == nil {
				l.err = err
			}
			return
		}
	}
}

// hold takes c as the conversation that is going on; false where duet is leaving.
func (l *link) hold(c *duet.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = c
	return !l.leaving
}

// comesBack reports whether an ending is one to come back from.
func (l *link) comesBack(r duet.EndReason) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leaving || !l.k.reconnect {
		return false
	}
	switch r {
	case duet.EndPeerClosed, duet.EndReset, duet.EndCut, duet.EndTimeout, duet.EndIdle, duet.EndSlowPeer:
		return true
	}
	return false
}

// leave ends waiting, and gives the conversation that goes on, if one does.
func (l *link) leave() *duet.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaving = true
	if l.cancel != nil {
		l.cancel()
	}
	return l.conn
}

// goodbye says the farewell; the conversation ends when the peer has answered or its time is over.
func (l *link) goodbye() {
	if c := l.leave(); c != nil {
		_ = c.PostBye()
	}
}

// finish ends without a farewell.
func (l *link) finish() {
	if c := l.leave(); c != nil {
		_ = c.CloseWrite(context.Background())
		go func() { _ = c.Close() }()
	}
}

// cut ends at once.
func (l *link) cut() {
	if c := l.leave(); c != nil {
		_ = c.Abort()
	}
}

// onInterrupt calls f at the next Ctrl-C that the face delivers.
func (b *booth) onInterrupt(f func()) {
	go b.Session.AwaitInterrupt(f)
}
