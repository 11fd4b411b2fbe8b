package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// A server is a program that listens; {} in its arguments is the port.
type server struct {
	name, path string
	args       []string
	duet       bool
}

// start runs it until it listens, at the port that it gives. Stop it.
func (s server) start(ctx context.Context) (*process, string, error) {
	port, err := freePort()
	if err != nil {
		return nil, "", err
	}
	p, err := startProcess(ctx, s.path, withPort(s.args, port)...)
	if err != nil {
		return nil, "", err
	}
	if err := listening(ctx, port, p.ended); err != nil {
		p.stop()
		if errors.Is(err, errEnded) {
			err = p.hasEnded()
		}
		return nil, "", err
	}
	return p, port, nil
}

// measured is the server as a subject: it runs while measure does. If it ends meanwhile, the error says so.
func (s server) measured(measure func(ctx context.Context, p *process, port string) (Sample, error)) Subject {
	return Subject{Name: s.name, Duet: s.duet, Measure: func(ctx context.Context) (Sample, error) {
		ctx, cancel := context.WithTimeout(ctx, longest)
		defer cancel()
		p, port, err := s.start(ctx)
		if err != nil {
			return Sample{}, err
		}
		defer p.stop()
		sample, err := measure(ctx, p, port)
		if err == nil {
			return sample, nil
		}
		select {
		case <-p.ended:
			return sample, fmt.Errorf("%w; %w", err, p.hasEnded())
		default:
			return sample, err
		}
	}}
}

var errEnded = errors.New("the server has ended")

// listening waits until somebody listens at a port, without connecting: a server of one conversation would take that for it.
func listening(ctx context.Context, port string, ended <-chan struct{}) error {
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	for began := time.Now(); time.Since(began) < 10*time.Second; {
		for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
			if b, err := os.ReadFile(file); err == nil && listens(string(b), n) {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ended:
			return errEnded
		case <-time.After(5 * time.Millisecond):
		}
	}
	return fmt.Errorf("nobody listens at port %s after ten seconds", port)
}

// listens looks for a listening socket in the text of /proc/net/tcp: number, local address and port, the other's, state.
func listens(table string, port int) bool {
	at := fmt.Sprintf(":%04X", port)
	for line := range strings.Lines(table) {
		if words := strings.Fields(line); len(words) > 3 && words[3] == "0A" && strings.HasSuffix(words[1], at) {
			return true
		}
	}
	return false
}

// freePort is one that was free a moment ago.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// dialNew connects to a server that may not be there yet.
func dialNew(ctx context.Context, p *process, address string) (net.Conn, error) {
	for {
		var d net.Dialer
		nc, err := d.DialContext(ctx, "tcp", address)
		if err == nil {
			return nc, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-p.ended:
			return nil, p.hasEnded()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// withPort puts the port in the place of {}.
func withPort(args []string, port string) []string {
	with := make([]string, len(args))
	for i, a := range args {
		with[i] = strings.ReplaceAll(a, "{}", port)
	}
	return with
}
