package event_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"

	"duet.example/duet/event"
)

func ExampleWriter() {
	w := event.NewWriter(os.Stdout)
	_ = w.WriteLine(event.Event{
		Type: event.Said, Time: time.Date(2026, 3, 1, 10, 0, 4, 0, time.UTC),
		Conn: 1, Peer: "192.0.2.7:53122", Body: []byte("你好\x1b[31m"),
	})
	// Output: {"v":1,"type":"said","time":"2026-03-01T10:00:04.000000Z","conn":1,"peer":"192.0.2.7:53122","text":"你好\u001b[31m"}
}

func ExampleReader_Request() {
	r := event.NewReader(strings.NewReader(`{"do":"send","conn":1,"text":"hello"}
{"do":"dance"}
{"do":"list"}
`), 0)
	for range 3 {
		request, err := r.Request()
		fmt.Println(request.Do, err)
	}
	// Output:
	// send <nil>
	//  line 2: no command "dance"
	// list <nil>
}

func ExampleReader_Next() {
	var server bytes.Buffer
	w := event.NewWriter(&server)
	_ = w.WriteLine(event.Hello{Program: "duet", Version: "0.3.0"})
	_ = w.WriteLine(event.Event{Type: event.Said, Conn: 1, Body: []byte("hello")})

	r := event.NewReader(&server, 0)
	for range 2 {
		line, err := r.Next()
		if err != nil {
			fmt.Println(err)
			return
		}
		switch l := line.(type) {
		case event.Hello:
			fmt.Println("this is", l.Program, l.Version)
		case event.Event:
			fmt.Printf("%d %s: %q\n", l.Conn, l.Type, l.DecodedText())
		}
	}
	// Output:
	// this is duet 0.3.0
	// 1 said: "hello"
}
