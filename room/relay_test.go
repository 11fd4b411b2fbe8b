package room_test

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/room"
)

// A flood is a relay in which one member sends more than the limit, one reads at once, and one as the test wants.
type flood struct {
	lagging *peer
	sent    time.Duration // how long the sender took
	prompt  int           // bytes that the prompt reader got
	flowed  chan struct{} // closed when both are known
}

const (
	floodChunk  = 32 << 10
	floodChunks = 64
	floodSize   = floodChunk * floodChunks
)

// flooded starts a flood. Everything runs in a bubble.
func flooded(t *testing.T) *flood {
	h := &room.Hall{Relay: true, Limit: 256 << 10}
	noTimeout := func(s *duet.Server) { s.SendTimeout = -1 }
	f := &flood{lagging: join(t, h, noTimeout), flowed: make(chan struct{})}
	reader, sender := join(t, h, noTimeout), join(t, h, noTimeout)
	synctest.Wait() // until all are members
	start := time.Now()
	sending := make(chan struct{})
	go func() {
		defer close(sending)
		for range floodChunks {
			sender.say(string(bytes.Repeat([]byte("x"), floodChunk)))
		}
	}()
	go func() {
		defer close(f.flowed)
		f.prompt = reader.bytes(floodSize)
		<-sending
		f.sent = time.Since(start)
	}()
	return f
}

// bytes takes so many bytes, as they come, and gives how many came before the conversation ended.
func (p *peer) bytes(want int) (got int) {
	for got < want {
		m, err := p.conn.Receive(context.Background())
		if err != nil {
			break
		}
		got += len(m.Body)
	}
	return got
}

// A member of a relay that does not read for a moment is waited for, although most others keep up.
func TestLaggingMemberOfRelayIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := flooded(t)
		time.Sleep(time.Second)
		if got := f.lagging.bytes(floodSize); got != floodSize {
			reason, _ := f.lagging.server.Result()
			t.Errorf("ended as %v after %d bytes of %d", reason, got, floodSize)
		}
		<-f.flowed
	})
}

// One that reads nothing at all holds the others up for a moment, once.
func TestDeadMemberOfRelayIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := flooded(t)
		<-f.flowed
		if f.prompt != floodSize || f.sent < 2*time.Second || f.sent > 3*time.Second {
			t.Errorf("the prompt member got %d bytes of %d, sent in %v", f.prompt, floodSize, f.sent)
		}
		f.ends(t)
	})
}

// One that reads all the time, but never fast enough, holds the others up for a bounded time.
func TestSlowMemberOfRelayIsWaitedForNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := flooded(t)
		for f.lagging.bytes(1) > 0 {
			time.Sleep(time.Second / 2)
		}
		f.ends(t)
		<-f.flowed
		if f.prompt != floodSize || f.sent > 8*time.Second {
			t.Errorf("the prompt member got %d bytes of %d, sent in %v", f.prompt, floodSize, f.sent)
		}
	})
}

// ends wants the member that lags to be ended.
func (f *flood) ends(t *testing.T) {
	t.Helper()
	f.lagging.bytes(floodSize)
	if reason := f.lagging.gone(); reason != duet.EndSlowPeer {
		t.Errorf("ended as %v", reason)
	}
}
