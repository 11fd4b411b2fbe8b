package admission_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"duet.example/duet"
	"duet.example/duet/admission"
)

func ExampleGate() {
	office, err := admission.ParseRules("127.0.0.0/8", "2001:db8::/32")
	if err != nil {
		fmt.Println(err)
		return
	}
	gate := &admission.Gate{Allow: office, MaxPerHost: 10}
	server := &duet.Server{Greeting: "Can I help you?"}
	gate.Guard(server)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	defer func() { _ = server.Close(); <-done }()

	visit := func() {
		c, err := duet.Dial(context.Background(), l.Addr().String())
		if err != nil {
			fmt.Println(err)
			return
		}
		defer c.Close()
		m, err := c.Receive(context.Background())
		if err != nil {
			fmt.Println("not let in")
			return
		}
		fmt.Printf("%s\n", m.Body)
	}
	visit()
	if err := gate.Ban("127.0.0.1"); err != nil {
		fmt.Println(err)
	}
	visit()
	// Output:
	// Can I help you?
	// not let in
}

func ExampleParseRules() {
	rules, err := admission.ParseRules("192.0.2.0/24, 2001:db8::1", "fe80::7%eth0")
	fmt.Println(rules.Len(), err)
	fmt.Println(rules.Match(netip.MustParseAddr("::ffff:192.0.2.99")))

	_, err = admission.ParseRules("192.0.2.300")
	fmt.Println(err)
	// Output:
	// 3 <nil>
	// true
	// "192.0.2.300" is no address and no network (want 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32)
}
