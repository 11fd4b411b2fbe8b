package duettest_test

import (
	"fmt"
	"io"
	"net"

	"duet.example/duet/duettest"
)

func ExamplePipe() {
	client, server := duettest.Pipe()
	defer client.Close()
	defer server.Close()

	io.WriteString(client, "how are you?")
	client.(duettest.Conn).CloseWrite()

	question, err := io.ReadAll(server)
	fmt.Printf("%s %v\n", question, err)
	// Output: how are you? <nil>
}

func ExampleStartProxy() {
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer target.Close()

	// In a test: proxy := duettest.StartProxy(t, target.Addr().String(), faults)
	proxy, err := duettest.NewProxy(target.Addr().String(), duettest.Faults{
		Up: duettest.Direction{
			Pieces:   duettest.Pieces{Min: 1, Max: 7},
			CutAfter: 11,
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Close()

	client, err := net.Dial("tcp", proxy.Addr)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	io.WriteString(client, "how are you?")

	server, err := target.Accept()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	question, err := io.ReadAll(server)
	fmt.Printf("%s %v\n", question, err)
	// Output: how are you <nil>
}
