package console_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/console"
	"duet.example/duet/duettest"
	"duet.example/duet/framing"
)

// tricky is the content of a file with all that a framing or a farewell could be mistaken for.
func tricky(n int) []byte {
	all := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{3})
	_, _ = rng.Read(all)
	for at := 0; at+20 < n; at += 997 {
		copy(all[at:], "a\r\nb\r\nbye\n\x00bye\r\n")
	}
	return all
}

func fileOf(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// connectRaw has somebody arrive who reads bytes when the test does.
func (b *booth) connectRaw(f framing.Framing) net.Conn {
	b.t.Helper()
	peer, c := duettest.ConnPair(b.t, with(f), func(s *duet.Server) { s.Farewell, s.ShowFarewell = "bye", true })
	nc, err := peer.Raw(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	b.converse(c)
	return nc
}

// A file arrives as it is, in every framing, and what is typed meanwhile behind it.
func TestSend(t *testing.T) {
	data := tricky(3_000_000)
	path := fileOf(t, data)
	second := fileOf(t, []byte("the second file"))
	for _, f := range []framing.Framing{framing.Auto, framing.Raw, framing.LF, framing.CRLF, framing.NUL, framing.Length} {
		t.Run(f.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := open(t, console.Options{Server: true})
				nc := b.connectRaw(f)
				b.face.take()
				b.types("/send "+path, "/hex 02 41 03", "/send "+second, "/bye")
				b.shows("sent 3 bytes: 02 41 03", "it follows when the file is sent", "the farewell follows when the file is sent")
				all, err := io.ReadAll(nc)
				if err != nil {
					t.Error(err)
				}
				if len(all) < len(data) || sha256.Sum256(all[:len(data)]) != sha256.Sum256(data) {
					t.Fatalf("%d bytes came, and not those of the file", len(all))
				}
				rest := all[len(data):]
				if !bytes.HasPrefix(rest, []byte("\x02A\x03the second file")) || !bytes.Contains(rest[18:], []byte("bye")) {
					t.Errorf("then came %q", rest)
				}
				synctest.Wait()
				b.shown("sent 3,000,000 bytes of "+path+" to 1", "sent 15 bytes of "+second+" to 1")
				b.goesOn()
				if b.Unsent() {
					t.Error("something was not sent")
				}
				_ = nc.Close()
			})
		})
	}
}

// Lines of a file and other files go one after the other, in the order of the commands; no line is the farewell.
func TestSendInOrder(t *testing.T) {
	lines := fileOf(t, []byte("one\nbye\nthree\n"))
	whole := fileOf(t, []byte("whole\n"))
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{})
		nc := b.connectRaw(framing.LF)
		b.types("/send "+whole, "/send --lines "+lines, "/send "+whole, "/send --lines "+lines, "/bye")
		want := strings.Repeat("whole\none\nbye\nthree\n", 2) + "bye\n"
		if all, err := io.ReadAll(nc); string(all) != want || err != nil {
			t.Errorf("came %q, %v", all, err)
		}
		_ = nc.Close()
		synctest.Wait()
		b.shown("sent 6 bytes of "+whole, "sent "+lines+": 3 messages, 11 bytes")
	})
}

// /quit waits for a file; a Ctrl-C, or a peer that does not read, ends the wait, and what was not sent is said.
func TestQuitWaitsForFiles(t *testing.T) {
	data := make([]byte, 300_000)
	path := fileOf(t, data)
	begin := func(t *testing.T) (*booth, net.Conn) {
		b := open(t, console.Options{Server: true})
		nc := b.connectRaw(framing.LF)
		b.face.take()
		b.types("/send "+path, "/quit")
		b.shows("ending when the file is sent; Ctrl-C ends at once")
		b.goesOn()
		return b, nc
	}
	inBubble(t, func(t *testing.T) {
		b, nc := begin(t)
		if n, err := io.CopyN(io.Discard, nc, 300_000); err != nil {
			t.Errorf("%d bytes came, %v", n, err)
		}
		if out := b.outcome(); out != console.Quit || b.Unsent() {
			t.Errorf("outcome %d, unsent %v", out, b.Unsent())
		}
		b.shows("sent 300,000 bytes of " + path + " to 1")
	})
	inBubble(t, func(t *testing.T) {
		b, _ := begin(t)
		b.does(console.Interrupt)
		if out := b.outcome(); out != console.Interrupted {
			t.Errorf("outcome %d", out)
		}
		b.end()
		if !b.Unsent() {
			t.Error("all was sent")
		}
		b.shown("not all sent: only ", " bytes of "+path+" to 1 have left: duet ends")
	})
	inBubble(t, func(t *testing.T) {
		b, _ := begin(t)
		time.Sleep(duet.DefaultSendTimeout + time.Second)
		if out := b.outcome(); out != console.Quit {
			t.Errorf("outcome %d", out)
		}
		b.shown("not all sent: only ", " bytes of "+path+" to 1 have left: the peer does not read")
	})
}

// A script in which a file is not sent has failed, however it goes on.
func TestUnsentInScript(t *testing.T) {
	path := fileOf(t, make([]byte, 300_000))
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{HoldInput: true})
		nc := b.connectRaw(framing.LF)
		b.types("/send " + path)
		_ = nc.Close()
		synctest.Wait()
		b.shown("not all sent: only ")
		if !b.Unsent() {
			t.Error("all was sent")
		}
		b.goesOn()
	})
}
