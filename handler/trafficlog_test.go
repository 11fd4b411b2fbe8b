package handler_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"duet.example/duet"
	"duet.example/duet/handler"
)

// A piece is one record of a TrafficLog.
type piece struct {
	at   time.Time
	id   uint64
	mark string
	data string
}

// pieces reads the records of a TrafficLog.
func pieces(t *testing.T, text string) []piece {
	t.Helper()
	var all []piece
	for r := bufio.NewReader(strings.NewReader(text)); ; {
		line, err := r.ReadString('\n')
		if err == io.EOF && line == "" {
			return all
		}
		must(t, err)
		var p piece
		var at string
		var n int
		if _, err := fmt.Sscanf(line, "%s %d %s %d\n", &at, &p.id, &p.mark, &n); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if len(at) != len("2026-11-22T18:03:09.481516Z") || p.mark != ">" && p.mark != "<" {
			t.Fatalf("the line is %q", line)
		}
		p.at = get(time.Parse(time.RFC3339Nano, at))(t)
		b := make([]byte, n+1)
		get(io.ReadFull(r, b))(t)
		if b[n] != '\n' {
			t.Fatalf("after %d bytes there is %q", n, b[n])
		}
		p.data = string(b[:n])
		all = append(all, p)
	}
}

// A record is written to by several, and can be read meanwhile.
type record struct {
	mu sync.Mutex
	bytes.Buffer
	room int // below zero: any
}

var errDiskFull = errors.New("no space left")

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.room >= 0 && r.Len()+len(p) > r.room {
		n, _ := r.Buffer.Write(p[:max(r.room-r.Len(), 0)])
		return n, errDiskFull
	}
	return r.Buffer.Write(p)
}

func (r *record) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.String()
}

// TestForwardTraffic: the records are the bytes that passed, in order, of several conversations at once.
func TestForwardTraffic(t *testing.T) {
	t.Parallel()
	eachHop(t, true, func(t *testing.T, peerKind, targetKind string) {
		const size = 300<<10 + 1
		rec := &record{room: -1}
		h := &handler.Forward{Traffic: handler.NewTrafficLog(rec)}
		accepted := listenFor(t, h, targetKind)
		server := &duet.Server{Handler: h, Options: duet.Options{CloseTimeout: 100 * time.Millisecond}}
		begin := time.Now()
		var both sync.WaitGroup
		for i := range 2 {
			peer, nc := ends(t, peerKind)
			both.Go(func() { _ = server.ServeNetConn(nc) })
			target := accepted()
			defer target.Close()
			both.Go(func() {
				_, _ = io.Copy(peer, random(byte(10+i), size))
				halfClose(t, peer)
				wantSum(t, "the peer heard", peer, byte(20+i), size)
			})
			both.Go(func() {
				wantSum(t, "the target heard", target, byte(10+i), size)
				_, _ = io.Copy(target, random(byte(20+i), size))
				halfClose(t, target)
			})
		}
		both.Wait()
		streams := map[string]*bytes.Buffer{}
		ended := map[string]bool{}
		last := begin.Truncate(time.Microsecond)
		for _, p := range pieces(t, rec.text()) {
			key := fmt.Sprint(p.id, p.mark)
			if streams[key] == nil {
				streams[key] = &bytes.Buffer{}
			}
			streams[key].WriteString(p.data)
			if ended[key] {
				t.Errorf("%s goes on after its end", key)
			}
			ended[key] = p.data == ""
			if p.at.Before(last) || time.Since(p.at) < 0 {
				t.Errorf("recorded at %v, after %v", p.at, last)
			}
			last = p.at
		}
		if len(streams) != 4 {
			t.Fatalf("recorded %d directions", len(streams))
		}
		seeds := map[string]byte{"1>": 10, "2>": 11, "1<": 20, "2<": 21}
		if got, _ := io.ReadAll(streams["1>"]); true { // they may have been numbered the other way round
			if want, _ := io.ReadAll(random(10, size)); !bytes.Equal(got, want) {
				seeds = map[string]byte{"2>": 10, "1>": 11, "2<": 20, "1<": 21}
			}
			streams["1>"] = bytes.NewBuffer(got)
		}
		for key, seed := range seeds {
			wantSum(t, "recorded as "+key, streams[strings.Replace(key, " ", "", 1)], seed, size)
			if !ended[key] {
				t.Errorf("%s has no end", key)
			}
		}
	})
}

// TestTrafficLogFormat: a small conversation, as a person reads it.
func TestTrafficLogFormat(t *testing.T) {
	rec := &record{room: -1}
	peer, target, s := forward(t, &handler.Forward{Traffic: handler.NewTrafficLog(rec)}, "tcp", "tcp")
	sendText(t, peer, "question\n> 3\n")
	wantText(t, target, "question\n> 3\n")
	sendText(t, target, "answer")
	halfClose(t, target)
	wantAll(t, peer, "answer")
	halfClose(t, peer)
	s.want(t, duet.EndPeerClosed, io.EOF)
	var got []string
	for _, p := range pieces(t, rec.text()) {
		got = append(got, fmt.Sprintf("%d %s %q", p.id, p.mark, p.data))
	}
	if want := `[1 > "question\n> 3\n" 1 < "answer" 1 < "" 1 > ""]`; fmt.Sprint(got) != want {
		t.Errorf("recorded %s, want %s", got, want)
	}
	_, after, _ := strings.Cut(rec.text(), " ")
	if want := "1 > 13\nquestion\n> 3\n\n"; !strings.HasPrefix(after, want) {
		t.Errorf("recorded %q, want %q", after, want)
	}
}

// TestForwardTrafficFails: bytes that cannot be recorded do not pass.
func TestForwardTrafficFails(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"peer", "target"} {
		t.Run(who, func(t *testing.T) {
			rec := &record{room: 60}
			h := &handler.Forward{Traffic: handler.NewTrafficLog(rec)}
			a, b, s := forward(t, h, "tcp", "tcp")
			if who == "target" {
				a, b = b, a
			}
			sendText(t, a, "recorded")
			wantText(t, b, "recorded")
			sendText(t, a, "not recorded")
			if got, err := io.ReadAll(b); len(got) > 0 || err == nil {
				t.Errorf("passed %q, and the end %v", got, err)
			}
			s.want(t, duet.EndHandlerFailed, errDiskFull)
			var te *handler.TrafficLogError
			if !errors.As(s.err, &te) || !errors.As(h.Traffic.Err(), &te) {
				t.Errorf("ended with %v; Err gives %v", s.err, h.Traffic.Err())
			}
			wrote := rec.text()

			// Nobody is let through any more, and nothing follows half a piece.
			peer, nc := ends(t, "tcp")
			s = serve(t, h, nc, "tcp")
			wantAll(t, peer, handler.DefaultForwardBusy+"\n")
			must(t, peer.Close())
			s.want(t, duet.EndHandlerFailed, errDiskFull)
			if rec.text() != wrote {
				t.Error("the record goes on after its fault")
			}
		})
	}
}
