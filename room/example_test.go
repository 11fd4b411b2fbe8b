package room_test

import (
	"context"
	"fmt"

	"duet.example/duet"
	"duet.example/duet/room"
)

// A server whose peers hear each other, with the last ten lines for those who come later.
func Example() {
	hall := &room.Hall{History: 10, Watch: room.Watch{
		Said: func(_ *duet.Conn, room string, text []byte) { fmt.Printf("%s: %q\n", room, text) },
	}}
	server := &duet.Server{Handler: hall, Options: duet.Options{Farewell: "bye"}}

	ctx, cancel := context.WithCancel(context.Background())
	cancel() // an example does not stay
	_ = server.ListenAndServe(ctx, "127.0.0.1:0")
}

// An operator is a member without a conversation.
func ExampleHall_Speak() {
	hall := new(room.Hall)
	for _, line := range []string{"/join dev", "/topic what to do today", "/topic", "/rooms"} {
		answer, err := hall.Speak(context.Background(), "ops", line)
		fmt.Println(answer, err)
	}
	fmt.Println(hall.Room("ops"))
	// Output:
	// [you are in dev: @ops] <nil>
	// [] <nil>
	// [the topic is what to do today] <nil>
	// [lobby 0, dev 1] <nil>
	// dev
}
