//go:build linux

package interop_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// relayed starts a relay, and n members of it. Each is a member when the next comes: the first has heard it.
func relayed(t *testing.T, n int) (port string, members []*socket) {
	t.Helper()
	_, port, _ = roomServer(t, "--relay")
	for range n {
		s := dialTo(t, port)
		_ = s.SetDeadline(time.Now().Add(3 * patience))
		members = append(members, s)
		switch len(members) {
		case 1:
			continue
		case 2:
			acquaint(t, members[0], s)
			continue
		}
		s.sends("!")
		for _, earlier := range members[:len(members)-1] {
			earlier.gets("!")
		}
	}
	return port, members
}

// acquaint has the first two speak until they hear each other, and then nothing is on its way: nobody tells a relay's members that they are in.
func acquaint(t *testing.T, one, other *socket) {
	t.Helper()
	for n := byte('a'); n <= 'z'; n++ {
		other.sends(string(n))
		_ = one.SetReadDeadline(time.Now().Add(time.Second))
		for heard := byte(0); ; {
			var err error
			if heard, err = one.r.ReadByte(); err != nil {
				break
			}
			if heard == n {
				_ = one.SetReadDeadline(time.Now().Add(3 * patience))
				return
			}
		}
	}
	t.Fatal("two members do not hear each other")
}

// What one writes, the others get, byte for byte and nothing else: words that mean something elsewhere, halves of characters, and bytes that are no text.
func TestRelay_Chunks(t *testing.T) {
	_, s := relayed(t, 3)
	for i, chunk := range []string{
		"no end", "bye", "bye\n", "Bye\r\n", "/quit\n", "/nick anna\n", "\n", "\x00", "\xff\xfe\x00", "\xe4\xbd", "\xa0", "\x1b[2J", "\r", "\r\n\r\n", "-- x has left\n",
		strings.Repeat("x", 64<<10),
	} {
		from := i % 3
		s[from].sends(chunk)
		for to := range s {
			if to != from {
				s[to].gets(chunk)
			}
		}
	}
	// One who has finished hears on.
	if err := s[0].CloseWrite(); err != nil {
		t.Fatal(err)
	}
	s[1].sends("after the end")
	s[2].gets("after the end")
}

// Fifty get a megabyte of one after another's, by digest.
func TestRelay_Digest(t *testing.T) {
	const (
		many = 50
		size = 1 << 20
	)
	_, s := relayed(t, many)
	for turn := range 3 {
		said := make([]byte, size)
		for rng, i := rand.New(rand.NewPCG(4, uint64(turn))), 0; i < size; i += 8 {
			binary.NativeEndian.PutUint64(said[i:], rng.Uint64())
		}
		errs := make(chan error, many)
		for i, m := range s {
			if i == turn {
				go func() {
					_, err := m.Write(said)
					errs <- err
				}()
				continue
			}
			go func() {
				h := sha256.New()
				if n, err := io.CopyN(h, m.r, size); err != nil {
					errs <- fmt.Errorf("member %d got %d bytes: %w", i, n, err)
				} else if sum := sha256.Sum256(said); !bytes.Equal(h.Sum(nil), sum[:]) {
					errs <- fmt.Errorf("member %d got other bytes", i)
				} else {
					errs <- nil
				}
			}()
		}
		for range many {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	}
	// Nothing more came to anybody: what is said now is the next that all get.
	s[0].sends("the last")
	for _, m := range s[1:] {
		m.gets("the last")
	}
}

// A chunk that was read at once is passed on at once: those of several are never torn.
func TestRelay_NeverTorn(t *testing.T) {
	const (
		speakers  = 8
		listeners = 12
		each      = 300
	)
	_, s := relayed(t, speakers+listeners)
	errs := make(chan error, speakers+listeners)
	// A speaker waits until its chunk has come to one who hears all before it says the next, so that each is one read.
	heard := make([]chan struct{}, speakers)
	for i := range heard {
		heard[i] = make(chan struct{}, 1)
	}
	for i, m := range s[:speakers] {
		go func() {
			rng := rand.New(rand.NewPCG(5, uint64(i)))
			for n := range each {
				if _, err := m.Write(chunk(i, n, 16+rng.IntN(4<<10))); err != nil {
					errs <- fmt.Errorf("speaker %d: %w", i, err)
					return
				}
				<-heard[i]
			}
			errs <- nil
		}()
	}
	for i, m := range s[speakers:] {
		go func() {
			var next [speakers]int
			for range speakers * each {
				who, n, err := readChunk(m)
				if err != nil || who >= speakers || n != next[who] {
					errs <- fmt.Errorf("listener %d got chunk %d of %d, %w; want %d", i, n, who, err, next)
					_ = m.Close()
					return
				}
				next[who]++
				if i == 0 {
					heard[who] <- struct{}{}
				}
			}
			errs <- nil
		}()
	}
	for _, m := range s[:speakers] { // what speakers hear must not fill their queues
		go func() { _, _ = io.Copy(io.Discard, m.Conn) }()
	}
	for range speakers + listeners {
		select {
		case err := <-errs:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(4 * patience):
			t.Fatal("chunks are missing")
		}
	}
}

// chunk is n bytes of speaker who, with a head and a body that is its own.
func chunk(who, n, size int) []byte {
	b := bytes.Repeat([]byte{byte('a' + who)}, size)
	binary.BigEndian.PutUint32(b, uint32(size))
	binary.BigEndian.PutUint32(b[4:], uint32(who))
	binary.BigEndian.PutUint32(b[8:], uint32(n))
	return b
}

func readChunk(s *socket) (who, n int, err error) {
	var head [12]byte
	if _, err := io.ReadFull(s.r, head[:]); err != nil {
		return 0, 0, err
	}
	size := binary.BigEndian.Uint32(head[:])
	who, n = int(binary.BigEndian.Uint32(head[4:])), int(binary.BigEndian.Uint32(head[8:]))
	if size < 12 || size > 64<<10 {
		return who, n, fmt.Errorf("it says that it has %d bytes", size)
	}
	body := make([]byte, size-12)
	if _, err := io.ReadFull(s.r, body); err != nil {
		return who, n, err
	}
	if i := bytes.IndexFunc(body, func(r rune) bool { return r != rune('a'+who) }); i >= 0 {
		return who, n, fmt.Errorf("torn after %d bytes", i)
	}
	return who, n, nil
}

// Plain tools talk through a relay: each hears exactly what the others send.
func TestRelay_Tools(t *testing.T) {
	port, s := relayed(t, 2)
	watcher := s[0]
	tools := []struct {
		name  string
		start func() *program
	}{
		{"python", func() *program { return python(t, "hearer.py", port) }},
		{"another python", func() *program { return python(t, "hearer.py", port) }},
		{"nc", func() *program { return run(t, "nc.openbsd", "-N", "127.0.0.1", port) }},
		{"socat", func() *program { return run(t, "socat", "-", "TCP:127.0.0.1:"+port) }},
	}
	said := func(name string) string { return "from " + name + " 你好\n" }
	var programs []*program
	for _, tool := range tools {
		p := tool.start()
		programs = append(programs, p)
		p.types("here") // when that is heard, it hears the others
		watcher.gets("here\n")
	}
	for i, tool := range tools {
		programs[i].types(strings.TrimSuffix(said(tool.name), "\n"))
		watcher.gets(said(tool.name))
	}
	watcher.sends("to all\n")
	for i, tool := range tools {
		programs[i].says("to all\n")
		want := strings.Repeat("here\n", len(tools)-1-i)
		for _, other := range tools {
			if other.name != tool.name {
				want += said(other.name)
			}
		}
		if got := programs[i].out.text(); got != want+"to all\n" {
			t.Errorf("%s got %q, want %q", tool.name, got, want)
		}
	}
}
