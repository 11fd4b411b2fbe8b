//go:build linux

package hostile_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// One peer of several never reads while the operator says 100,000 lines to all. The others get them all, in order and without delay.
// The silent one ends as slow-peer, and the operator is told.
//
// A peer whose queue is full ends as slow-peer, even if it reads [C-13]. So the operator stays less than a queue ahead of the others.
func TestNeverReads(t *testing.T) {
	const (
		lines   = 100_000
		readers = 4
		block   = 1000 // lines
		// ahead is how many blocks the operator may be ahead of a reader: 1 MB, a quarter of what its queue holds.
		ahead = 9
		// longest is far more than the lines need, and less than the --send-timeout of a peer that does not
		// read: nobody waited for that.
		longest = 25 * time.Second
	)
	words := strings.Repeat("说 ", 25)
	said := make([]string, lines)
	for i := range said {
		said[i] = fmt.Sprintf("line %d %s\n", i, words)
	}
	var told atomic.Bool
	s := startDuet(t, 1000, 0, func(line []byte) {
		if bytes.HasPrefix(line, departure) && bytes.Contains(line, []byte("has ended: slow-peer")) {
			told.Store(true)
		}
	}, "listen", "--console", "--send-timeout", "60s", ":0")

	silent := connect(t, s)
	_ = silent.(*net.TCPConn).SetReadBuffer(4 << 10) // the system is not to read for it
	introduce(t, silent)
	began := make(chan struct{})
	var wg sync.WaitGroup
	failed := make(chan error, readers)
	took := make([]time.Duration, readers)
	var heard [readers]chan struct{} // one for each block that the reader has; closed when it reads no more
	for i := range readers {
		c := connect(t, s)
		introduce(t, c)
		heard[i] = make(chan struct{}, lines/block)
		wg.Go(func() {
			defer close(heard[i])
			<-began
			start := time.Now()
			_ = c.SetReadDeadline(start.Add(2 * patience))
			r := bufio.NewReaderSize(c, 64<<10)
			for b := range slices.Chunk(said, block) {
				if err := hearLines(r, b); err != nil {
					failed <- fmt.Errorf("reader %d: %w", i, err)
					break
				}
				heard[i] <- struct{}{}
			}
			took[i] = time.Since(start)
		})
	}
	if !eventually(t, func() bool { in, _ := s.account(); return in == readers+1 }) {
		t.Fatal("not all have come in")
	}
	close(began)
	w := bufio.NewWriter(s.in)
	for n, b := range slices.Collect(slices.Chunk(said, block)) {
		for _, line := range b {
			_, _ = w.WriteString("/all " + line)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if n < ahead {
			continue
		}
		reading := 0
		for i := range heard {
			if _, ok := <-heard[i]; ok {
				reading++
			}
		}
		if reading == 0 {
			break // where nobody is left the server reads no more of its script
		}
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	for i, d := range took {
		t.Logf("reader %d had its %d lines (%.1f MB) after %v", i, lines, float64(lines*len(said[0]))/1e6, d.Round(time.Millisecond))
		if d > longest {
			t.Errorf("reader %d waited %v for its lines, more than %v", i, d, longest)
		}
	}
	if !eventually(t, told.Load) {
		t.Errorf("the operator is not told of the slow peer: %v", s.reasons())
	}
	if n := s.reasons()["slow-peer"]; n > 1 {
		t.Errorf("%d ended as slow-peer", n)
	}
	s.wantWell()
}

// introduce has a peer say a line, so that the server knows what ends its lines, and takes the greeting.
func introduce(t *testing.T, c net.Conn) {
	t.Helper()
	const greeting = "Can I help you?\n"
	got := make([]byte, len(greeting))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != greeting {
		t.Fatalf("greeted with %q, %v", got, err)
	}
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		t.Fatal(err)
	}
}

func hearLines(r *bufio.Reader, want []string) error {
	for _, words := range want {
		line, err := r.ReadSlice('\n')
		if err != nil || string(line) != words {
			return fmt.Errorf("got %q, %w, want %q", line, err, words)
		}
	}
	return nil
}
