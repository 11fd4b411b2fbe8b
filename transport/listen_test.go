package transport_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"duet.example/duet/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestListenAndDial(t *testing.T) {
	lc := transport.ListenConfig{Step: func(s transport.Step) { t.Logf("%+v", s) }}
	l, err := lc.Listen(context.Background(), transport.Address{Scheme: "tcp", Host: "127.0.0.1", Port: "0"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := transport.ParseAddress(transport.DefaultConnect, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	d := transport.Dialer{Step: lc.Step}
	c, err := d.Dial(context.Background(), a)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}
