package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"
)

// idle is what a conversation costs in which each side has spoken once, and says nothing more.
type idle struct{}

func (idle) About() About {
	return About{
		Name:    "idle",
		What:    "memory of the server for one more conversation that has spoken once, has its answer and says nothing more: the slope between two numbers of conversations",
		Columns: []Column{{Name: "idle", What: "in user space", Unit: "bytes", Target: "4,500, aim 3,900"}},
	}
}

// Sizes between which the slope is taken. Each conversation is a descriptor on either side, and ncat and socat bear fewer.
var (
	many = [2]int{2000, 9000}
	some = [2]int{200, 900}
	few  = [2]int{50, 250}
)

func (idle) Subjects(lab *Lab) ([]Subject, error) {
	duet, err := lab.duet()
	if err != nil {
		return nil, err
	}
	floor, err := lab.goReference("idle")
	if err != nil {
		return nil, err
	}
	all := []Subject{
		crowd{sizes: many, echoes: true, duet: true, column: "idle"}.of("duet", duet, "listen", "--echo", "--framing", "lf", "127.0.0.1:{}"),
		crowd{sizes: many, echoes: true, column: "idle"}.of("Go, goroutine and connection alone", floor, "127.0.0.1:{}"),
	}
	if c := lab.cReference("idle"); c != "" {
		all = append(all, crowd{sizes: many, echoes: true, column: "idle"}.of("C, epoll", c, "{}"))
	}
	if ncat := lab.tool("ncat", "--version"); ncat != "" {
		all = append(all, crowd{sizes: some, prints: true, column: "idle"}.of("ncat -lk", ncat, "-l", "-k", "--max-conns", "1000", "127.0.0.1", "{}"))
	}
	if socat := lab.tool("socat", "-V"); socat != "" {
		all = append(all, crowd{sizes: few, echoes: true, column: "idle"}.of("socat, fork", socat, "TCP-LISTEN:{},bind=127.0.0.1,fork,reuseaddr,backlog=500", "PIPE"))
	}
	return all, nil
}

// ncatQueue is how many may come at once: ncat lets ten wait to be accepted, and the eleventh tries again after a second.
const ncatQueue = 8

// idleDesk is idle with a server whose operator answers at the console.
type idleDesk struct{}

func (idleDesk) About() About {
	return About{
		Name:    "idle-desk",
		What:    "the same at a desk: greeted, and shown to the operator",
		Columns: []Column{{Name: "idle-desk", What: "in user space", Unit: "bytes"}},
	}
}

func (idleDesk) Subjects(lab *Lab) ([]Subject, error) {
	duet, err := lab.duet()
	if err != nil {
		return nil, err
	}
	desk := crowd{sizes: many, prints: true, greeting: "Can I help you?\n", duet: true, column: "idle-desk"}
	echo := crowd{sizes: many, echoes: true, duet: true, column: "idle-desk"}
	return []Subject{
		desk.of("duet, desk", duet, "listen", "--console", "--framing", "lf", "127.0.0.1:{}"),
		echo.of("duet, echo", duet, "listen", "--echo", "--framing", "lf", "127.0.0.1:{}"),
	}, nil
}

// A crowd is many peers of one server, each of which speaks once.
type crowd struct {
	sizes    [2]int
	greeting string // what the server says first
	echoes   bool   // the server says the word back
	prints   bool   // the server prints the word
	duet     bool
	column   string // whose figure it is
}

// of is the crowd at a server; {} in args is the port.
func (c crowd) of(name, path string, args ...string) Subject {
	return Subject{Name: name, Duet: c.duet, Measure: func(ctx context.Context) (Sample, error) {
		port, err := freePort()
		if err != nil {
			return Sample{}, err
		}
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		p, err := startProcess(ctx, path, withPort(args, port)...)
		if err != nil {
			return Sample{}, err
		}
		defer p.stop()
		slope, err := c.slope(ctx, p, "127.0.0.1:"+port)
		return Sample{Figures: map[string]float64{c.column: slope}}, err
	}}
}

func (c crowd) slope(ctx context.Context, p *process, address string) (float64, error) {
	var peers []net.Conn
	defer func() {
		for _, nc := range peers {
			// A reset: thousands of ports that wait for their time to pass would be missed by the next.
			_ = nc.(*net.TCPConn).SetLinger(0)
			_ = nc.Close()
		}
	}()
	var used [2]int64
	for i, size := range c.sizes {
		for len(peers) < size {
			nc, err := dialNew(ctx, p, address)
			if err != nil {
				return 0, fmt.Errorf("after %d conversations: %w", len(peers), err)
			}
			peers = append(peers, nc)
			if err := c.speak(ctx, nc); err != nil {
				return 0, fmt.Errorf("after %d conversations: %w", len(peers)-1, err)
			}
			if c.greeting == "" && len(peers)%ncatQueue == 0 {
				if err := c.heard(ctx, p, len(peers)); err != nil {
					return 0, err
				}
			}
		}
		if err := c.heard(ctx, p, size); err != nil {
			return 0, err
		}
		var err error
		if used[i], err = p.settled(ctx); err != nil {
			return 0, err
		}
	}
	return float64(used[1]-used[0]) / float64(c.sizes[1]-c.sizes[0]), nil
}

// speak says the word and waits for what the server is to say.
func (c crowd) speak(ctx context.Context, nc net.Conn) error {
	end, _ := ctx.Deadline()
	nc.SetDeadline(end)
	want := c.greeting
	if c.echoes {
		want += word + "\n"
	}
	if _, err := io.WriteString(nc, word+"\n"); err != nil {
		return err
	}
	_, err := io.ReadFull(nc, make([]byte, len(want)))
	return err
}

// heard waits until the server has printed the word of everybody.
func (c crowd) heard(ctx context.Context, p *process, size int) error {
	for c.prints && p.words.Load() < int64(size) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d words were printed: %w", p.words.Load(), size, ctx.Err())
		case <-p.ended:
			return p.hasEnded()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}
