//go:build linux

package interop_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"
)

// relayed starts a relay, and n members of it, all of whom it knows.
func relayed(t *testing.T, n int) (srv *program, port string, members []*socket) {
	t.Helper()
	srv, port, _ = roomServer(t, "--relay")
	for range n {
		members = append(members, joinRelay(t, srv, port))
	}
	return srv, port, members
}

func joinRelay(t *testing.T, srv *program, port string) *socket {
	t.Helper()
	s := dialTo(t, port)
	_ = s.SetDeadline(time.Now().Add(4 * patience))
	_, from, _ := net.SplitHostPort(s.LocalAddr().String())
	srv.says("The Server has received a connection from 127.0.0.1: " + from + "\n")
	return s
}

// What one writes, the others get, byte for byte and nothing else: words that mean something elsewhere, halves of characters, and bytes that are no text.
func TestRelay_Chunks(t *testing.T) {
	_, _, s := relayed(t, 3)
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
	_, _, s := relayed(t, many)
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
	_, _, s := relayed(t, speakers+listeners)
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
	srv, port, _ := relayed(t, 0)
	watcher := joinRelay(t, srv, port)
	programs := map[string]*program{}
	for name, start := range map[string]func() *program{
		"python":  func() *program { return python(t, "hearer.py", port) },
		"python2": func() *program { return python(t, "hearer.py", port) },
		"nc":      func() *program { return run(t, "nc.openbsd", "-N", "127.0.0.1", port) },
		"socat":   func() *program { return run(t, "socat", "-", "TCP:127.0.0.1:"+port) },
	} {
		programs[name] = start()
		srv.says("The Server has received a connection from ")
	}
	want := ""
	for name, p := range programs {
		text := "from " + name + " 你好\n"
		p.types(strings.TrimSuffix(text, "\n"))
		watcher.gets(text)
		want += text
	}
	watcher.sends("to all\n")
	for name, p := range programs {
		p.says("to all\n")
		own := "from " + name + " 你好\n"
		if got := p.out.text(); got != strings.Replace(want, own, "", 1)+"to all\n" {
			t.Errorf("%s got %q, want %q without %q", name, got, want, own)
		}
	}
}
