package main

import (
	"net"
	"testing"
)

func TestDialAll(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const many = 8
	accepted := make(chan int)
	go func() {
		n := 0
		defer func() { accepted <- n }()
		for ; n < many; n++ {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			defer nc.Close()
		}
	}()
	took, err := dialAll(t.Context(), l.Addr().String(), many)
	if n := <-accepted; err != nil || len(took) != many || n != many {
		t.Errorf("%d of %d dials were told of, and %d were accepted: %v", len(took), many, n, err)
	}
	l.Close()
	if _, err := dialAll(t.Context(), l.Addr().String(), many); err == nil {
		t.Error("dials to a place where nobody listens failed without an error")
	}
}
