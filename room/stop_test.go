package room_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"duet.example/duet"
	"duet.example/duet/room"
)

// What has come before the end of a conversation is told after it, too; what is not said, but done, is not done any more.
func TestSaidBeforeKick(t *testing.T) {
	const lines = 600 // more than a member takes in one go
	var speaker atomic.Pointer[duet.Conn]
	h := &room.Hall{Watch: room.Watch{Said: func(c *duet.Conn, _ string, _ []byte) {
		if c == speaker.Load() {
			c.Kick("")
		}
	}}}
	a, b := called(t, h, "anna"), join(t, h, farewell)
	a.expect("-- guest-1 has joined")
	speaker.Store(b.server)
	var all strings.Builder
	for i := range lines {
		fmt.Fprintf(&all, "%d\n", i)
	}
	all.WriteString("/nick bob\n")
	if err := b.conn.PostRaw([]byte(all.String())); err != nil {
		t.Fatal(err)
	}
	for i := range lines {
		a.expect(fmt.Sprintf("guest-1: %d", i))
	}
	a.expect("-- guest-1 has left: kicked")
	_ = b.conn.Close()
	if r := b.gone(); r != duet.EndKicked {
		t.Errorf("ended as %v", r)
	}
}
