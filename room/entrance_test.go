package room_test

import (
	"context"
	"errors"
	"testing"

	"duet.example/duet/duettest"
	"duet.example/duet/room"
)

// A member that waits to enter does so when others have, and gives up when its context ends.
func TestEntrance(t *testing.T) {
	h := new(room.Hall)
	let := room.Crowded(h)
	_, server := duettest.ConnPair(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.ServeConn(ctx, server) }()
	waits := enter(t, h)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	select {
	case err := <-waits.served:
		t.Fatalf("the one that waits has ended: %v", err)
	default:
	}
	let()
	waits.expect("-- you are guest-1 in lobby; nobody else is here; /help shows the commands")
	join(t, h)
	waits.expect("-- guest-2 has joined")
	// Each has left its place: nobody is kept out.
	for range 40 {
		p := join(t, h)
		_ = p.conn.Close()
		p.gone()
	}
}
