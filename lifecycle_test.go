package duet

import (
	"errors"
	"testing"
)

func TestLifecycle(t *testing.T) {
	cause := errors.New("cause")
	for _, test := range []struct {
		name   string
		course func(l *lifecycle)
		phase  phase
		reason EndReason
		cause  error
	}{
		{"nothing", func(*lifecycle) {}, phaseOpen, EndNone, nil},
		{"facts change no phase", func(l *lifecycle) { l.note(farewellSaid); l.note(finSent) }, phaseOpen, EndNone, nil},
		{"a request is no result yet", func(l *lifecycle) { l.requestEnd(EndKicked, cause) }, phaseEnding, EndNone, nil},
		{"granted", func(l *lifecycle) { l.requestEnd(EndKicked, cause); l.grantRequest() }, phaseEnding, EndKicked, cause},
		{"nothing to grant", func(l *lifecycle) { l.grantRequest() }, phaseOpen, EndNone, nil},
		{"the first request counts", func(l *lifecycle) {
			l.requestEnd(EndKicked, cause)
			l.requestEnd(EndShutdown, nil)
			l.grantRequest()
		}, phaseEnding, EndKicked, cause},
		{"a request decides before the handler", func(l *lifecycle) {
			l.requestEnd(EndKicked, cause)
			l.beginClosing(EndHandlerFailed, nil)
		}, phaseClosing, EndKicked, cause},
		{"the result decides before a request", func(l *lifecycle) {
			l.setEnd(EndReset, cause)
			l.requestEnd(EndKicked, nil)
			l.beginClosing(EndClosed, nil)
		}, phaseClosing, EndReset, cause},
		{"a peer that has finished is kicked", func(l *lifecycle) {
			l.setEnd(EndPeerClosed, nil)
			l.requestEnd(EndKicked, cause)
			l.beginClosing(EndPeerClosed, nil)
		}, phaseClosing, EndKicked, cause},
		{"lost while closing", func(l *lifecycle) {
			l.beginClosing(EndClosed, nil)
			l.setEnd(EndSlowPeer, cause)
		}, phaseClosing, EndSlowPeer, cause},
		{"a request while closing", func(l *lifecycle) {
			l.beginClosing(EndClosed, nil)
			l.requestEnd(EndShutdown, nil)
		}, phaseClosing, EndClosed, nil},
		{"closed is final", func(l *lifecycle) {
			l.beginClosing(EndPeerClosed, nil)
			l.close()
			l.requestEnd(EndKicked, cause)
			l.grantRequest()
			l.setEnd(EndReset, cause)
			l.peerSaidFarewell()
		}, phaseClosed, EndPeerClosed, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := new(lifecycle)
			test.course(l)
			if p := l.phase(); p != test.phase {
				t.Errorf("phase %d, want %d", p, test.phase)
			}
			if r, err := l.result(); r != test.reason || !errors.Is(err, test.cause) {
				t.Errorf("result %v, %v, want %v, %v", r, err, test.reason, test.cause)
			}
		})
	}
}

func TestLifecycle_Once(t *testing.T) {
	l := new(lifecycle)
	if !l.requestEnd(EndKicked, nil) || l.requestEnd(EndKicked, nil) {
		t.Error("requestEnd: not exactly the first call is the first")
	}
	if !l.note(rawWanted) || l.note(rawWanted) {
		t.Error("note: not exactly the first call is the first")
	}
	if l.withdraw(rawWanted); l.has(rawWanted) || l.request() != EndKicked {
		t.Error("withdraw did not undo note, or undid more")
	}
	if _, first := l.beginClosing(EndClosed, nil); !first {
		t.Error("beginClosing: the first call is not the first")
	}
	if _, first := l.beginClosing(EndClosed, nil); first {
		t.Error("beginClosing: the second call is the first")
	}
	before := l.closed()
	l.close()
	<-before
	<-l.closed()
}
