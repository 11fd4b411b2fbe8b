package handler

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"duet.example/duet"
	"duet.example/duet/framing"
)

const (
	// pace is the number of bytes that may wait for the fastest peer while the program is read on. It is checked after as many bytes.
	pace = 64 << 10
	// paceLook is the time between two checks while too many wait.
	paceLook = time.Millisecond
)

// A programRun is one run of a Shared's program.
type programRun struct {
	s     *Shared
	p     *process
	began time.Time
	lines chan []byte        // whole lines for the program
	done  context.Context    // ends when the program has ended and its output was sent
	end   context.CancelFunc // of done

	stopping chan struct{} // closed by stop
	once     sync.Once
	rushed   atomic.Bool // the rest of the output is sent without regard to pace
	asked    bool        // the program was made to end; set before done ends
	status   error       // how the program ended; set before done ends

	mu      sync.Mutex
	members map[*member]struct{}
	omitted allowance // for the log of lines that cannot be delivered
}

// begin makes a run of p with its first member. s.mu is held.
func (s *Shared) begin(p *process, first *member) *programRun {
	b := &programRun{
		s: s, p: p, began: time.Now(), lines: make(chan []byte),
		stopping: make(chan struct{}), members: map[*member]struct{}{first: {}},
	}
	b.done, b.end = context.WithCancel(context.Background())
	go b.supervise()
	return b
}

func (b *programRun) stop() { b.once.Do(func() { close(b.stopping) }) }

// supervise owns the goroutines of a run, from its beginning to its end.
func (b *programRun) supervise() {
	defer b.end()
	heard := b.p.logStderr(func(line string) { b.s.Log(line) })
	out, release := cancelable(b.p.out)
	printed, written := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(printed)
		b.print(out)
	}()
	go func() {
		defer close(written)
		b.write()
	}()
	select {
	case <-b.p.exited:
	case <-b.stopping:
	}
	b.asked = !isClosed(b.p.exited)
	b.rushed.Store(true)
	grace := graceOf(b.s.Grace)
	if !b.asked {
		within(grace, printed)
		grace /= 2
	}
	b.p.end(grace)
	if !within(grace+lastWords, printed) {
		_ = b.p.out.SetReadDeadline(time.Now()) // a process that has left the group holds it open
		release()
	}
	<-printed
	release()
	b.stop()
	_ = b.p.in.SetWriteDeadline(time.Now())
	<-written
	heard()
	b.p.close()
	b.status = b.p.status()
	b.s.noteEnd(time.Since(b.began), b.status)
}

func within(d time.Duration, done <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}

// ended returns how c ends because ctx has ended: with the conversation, or with the run.
func (b *programRun) ended(ctx context.Context, c *duet.Conn) error {
	switch {
	case b.done.Err() == nil:
		return ended(c, context.Cause(ctx))
	case b.asked:
		return failure(c, "exec", duet.EndShutdown, duet.ErrServerClosed)
	case b.status != nil:
		return failure(c, "exec", duet.EndHandlerFailed, b.status)
	}
	return nil
}

func (b *programRun) enter(m *member) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.members[m] = struct{}{}
}

func (b *programRun) leave(m *member) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.members, m)
}

// inputLine returns a message as a line for the program.
func inputLine(id uint64, numbers bool, body []byte) []byte {
	body = bytes.TrimRight(body, "\r\n")
	line := make([]byte, 0, len(body)+24)
	if numbers {
		line = append(strconv.AppendUint(line, id, 10), ' ')
	}
	for _, c := range body {
		if c == '\n' || c == '\r' {
			c = ' '
		}
		line = append(line, c)
	}
	return append(line, '\n')
}

// input hands a line to the goroutine that writes to the program. It waits for at most patience.
func (b *programRun) input(ctx context.Context, c *duet.Conn, line []byte, patience time.Duration) error {
	select {
	case b.lines <- line:
		return nil
	default:
	}
	var late <-chan time.Time
	if patience == 0 {
		patience = duet.DefaultSendTimeout
	}
	if patience > 0 {
		t := time.NewTimer(patience)
		defer t.Stop()
		late = t.C
	}
	for lost := c.Lost(); ; {
		select {
		case b.lines <- line:
			return nil
		case <-ctx.Done():
			return b.ended(ctx, c)
		case <-late:
			return failure(c, "exec", duet.EndTimeout, ErrProgramDeaf)
		case <-lost:
			if err := lostBy(c); err != nil {
				return err
			}
			lost = nil // the program still gets the line
		}
	}
}

// write writes whole lines to the program, one after another.
func (b *programRun) write() {
	deaf := false
	for {
		select {
		case line := <-b.lines:
			if !deaf {
				_, err := b.p.in.Write(line)
				deaf = err != nil
			}
		case <-b.stopping:
			return
		}
	}
}

// print sends the lines of the program to the members.
func (b *programRun) print(out io.Reader) {
	r := bufio.NewReaderSize(out, pace)
	var long []byte // the beginning of a line that is longer than the buffer
	given := 0
	for {
		part, err := r.ReadSlice('\n')
		if len(long)+len(part) > framing.DefaultMaxMessage {
			b.give(long)
			long = long[:0]
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			long = append(long, part...)
			continue
		case len(long) > 0:
			part = append(long, part...)
		}
		if len(part) > 0 {
			b.give(bytes.TrimRight(bytes.TrimSuffix(part, []byte("\n")), "\r"))
			given += len(part)
		}
		long = nil
		if err != nil {
			return
		}
		if given >= pace || r.Buffered() == 0 {
			given = 0
			b.keepPace()
		}
	}
}

// give posts a line to the members for which it is.
func (b *programRun) give(line []byte) {
	var to uint64 // 0: all
	if b.s.Numbers {
		head, body, _ := bytes.Cut(line, []byte(" "))
		n, err := strconv.ParseUint(string(head), 10, 64)
		if string(head) != "*" && (err != nil || n == 0) {
			b.leaveOut("a line without a number or * before it was left out")
			return
		}
		to, line = n, body
	}
	now := time.Now().UnixNano()
	unfit := false
	b.mu.Lock()
	for m := range b.members {
		if to != 0 && m.c.ID() != to {
			continue
		}
		m.lastSent.Store(now)
		switch err := m.c.Post(line); {
		case errors.Is(err, duet.ErrDelimiter):
			unfit = true
		case err != nil:
			delete(b.members, m) // its conversation knows why
		}
	}
	b.mu.Unlock()
	if unfit {
		b.leaveOut("a line that the framing of a conversation cannot carry was left out there")
	}
}

func (b *programRun) leaveOut(notice string) {
	if b.s.Log != nil && b.omitted.permits() {
		b.s.Log(notice)
	}
}

// keepPace waits until the fastest peer has room. The others fall behind, until their queues are full.
func (b *programRun) keepPace() {
	for !b.rushed.Load() && !b.hasRoom() {
		select {
		case <-time.After(paceLook):
		case <-b.stopping:
			return
		}
	}
}

func (b *programRun) hasRoom() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	goOn := true
	for m := range b.members {
		if why, _ := m.c.Result(); why != duet.EndNone && why != duet.EndPeerClosed {
			continue
		}
		if m.c.Queued() < pace {
			return true
		}
		goOn = false
	}
	return goOn
}
