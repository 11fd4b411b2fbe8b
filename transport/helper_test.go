package transport_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http/httptrace"
	"os"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"duet.example/duet/transport"
)

// helperEnv names the environment variable that makes the test binary call helper and print its steps as lines of JSON.
const helperEnv = "DUET_TRANSPORT_HELPER"

func TestMain(m *testing.M) {
	if task := os.Getenv(helperEnv); task != "" {
		if err := helper(task, os.Getenv(helperEnv+"_ADDRESS")); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// helperEnviron returns the environment of a helper. Its race detector does not sleep before it exits.
func helperEnviron(task, address string) []string {
	return append(os.Environ(), "GORACE=atexit_sleep_ms=0", helperEnv+"="+task, helperEnv+"_ADDRESS="+address)
}

// watchConnect is a typical Dialer.WatchConnect.
func watchConnect(ctx context.Context, done func(network, address string, err error)) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{ConnectDone: done})
}

// jsonStep is a Step whose error is text, as JSON needs it.
type jsonStep struct {
	Call, Args, Result, Err string
	Inferred                bool
}

func helper(task, address string) error {
	ctx := context.Background()
	tell := func(s transport.Step) {
		t := jsonStep{s.Call, s.Args, s.Result, "", s.Inferred}
		if s.Err != nil {
			t.Err = s.Err.Error()
		}
		b, _ := json.Marshal(t)
		fmt.Println("step", string(b))
	}
	lc := transport.ListenConfig{Step: tell}
	d := transport.Dialer{Step: tell, WatchConnect: watchConnect}
	var (
		a   transport.Address
		err error
	)
	if address != "" {
		if a, err = transport.ParseAddress(transport.Address{}, address); err != nil {
			return err
		}
	}
	serve := func(l net.Listener, err error) error {
		if err != nil {
			return err
		}
		fmt.Println("ready", l.Addr())
		for range 2 {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			c.Close()
		}
		return l.Close()
	}
	end := func(c net.Conn, err error) error {
		if err != nil {
			return err
		}
		return c.Close()
	}
	switch task {
	case "listen":
		return serve(lc.Listen(ctx, a))
	case "listen6":
		lc.Family = transport.IPv6
		return serve(lc.Listen(ctx, a))
	case "listenfd":
		return serve(lc.File(3))
	case "systemd":
		if os.Getenv("LISTEN_PID") == "self" {
			os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
		}
		l, err := lc.Systemd()
		for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
			if v, ok := os.LookupEnv(name); ok {
				return fmt.Errorf("%s is still set: %q", name, v)
			}
		}
		if err == nil {
			if _, err := lc.Systemd(); err == nil {
				return fmt.Errorf("a second call found a socket")
			}
			if _, err := lc.File(3); err == nil {
				return fmt.Errorf("descriptor 3 is still open")
			}
		}
		return serve(l, err)
	case "connect":
		return end(d.Dial(ctx, a))
	case "connect6":
		d.Family = transport.IPv6
		return end(d.Dial(ctx, a))
	case "enter": // prints whether the connection is accepted
		c, err := d.Dial(ctx, a)
		if err != nil {
			return err
		}
		defer c.Close()
		if n, _ := c.Read(make([]byte, 1)); n == 0 {
			fmt.Println("closed")
		}
		return nil
	case "connectslow":
		d.Timeout = 100 * time.Millisecond
		return end(d.Dial(ctx, a))
	case "connectalone":
		d.WatchConnect = nil
		return end(d.Dial(ctx, a))
	case "connectfd":
		return end(d.File(3))
	}
	return fmt.Errorf("unknown helper %q", task)
}
