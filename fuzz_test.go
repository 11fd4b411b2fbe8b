package duet

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"duet.example/duet/framing"
)

// FuzzSniff: sniff returns a known name or none, and none for text that a person types.
func FuzzSniff(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		switch got := sniff(b); got {
		case "TLS":
			if b[0] >= ' ' {
				t.Errorf("%q is text, not TLS", b)
			}
		case "HTTP":
			if !bytes.Contains(b, []byte("HTTP/")) {
				t.Errorf("%q is no HTTP", b)
			}
		case "SSH":
			if !bytes.HasPrefix(b, []byte("SSH-")) {
				t.Errorf("%q is no SSH", b)
			}
		case "":
		default:
			t.Errorf("%q is called %q", b, got)
		}
	})
}

// FuzzIsFarewell: blanks and case do not matter, the word itself is a farewell, and a longer text is none.
func FuzzIsFarewell(f *testing.F) {
	f.Add([]byte("Bye"), "bye")
	f.Fuzz(func(t *testing.T, body []byte, word string) {
		got := IsFarewell(body, word)
		if got && word == "" {
			t.Error("no word, but a farewell")
		}
		if padded := append([]byte(" \t"), append(bytes.Clone(body), " \r\n"...)...); got != IsFarewell(padded, word) {
			t.Errorf("blanks around %q make a difference to %q", body, word)
		}
		if got && !strings.EqualFold(strings.TrimSpace(string(body)), word) {
			t.Errorf("%q is no %q", body, word)
		}
		if word != "" && strings.TrimSpace(word) == word && !IsFarewell([]byte(word), word) {
			t.Errorf("%q is not itself", word)
		}
	})
}

// FuzzConversation sends any bytes to a conversation, in pieces. The conversation ends with a named reason, and its messages have no more
// bytes than were sent.
func FuzzConversation(f *testing.F) {
	f.Add([]byte("hello\nbye\n"), uint8(0), uint8(3))
	names := []framing.Framing{framing.LF, framing.CRLF, framing.CR, framing.NUL, framing.Length, framing.Raw, framing.Auto}
	f.Fuzz(func(t *testing.T, stream []byte, kind, size uint8) {
		x, y := net.Pipe()
		d := Dialer{Options: Options{Framing: names[int(kind)%len(names)], MaxMessage: 100, Farewell: "bye", CloseTimeout: -1}}
		c := d.NewConn(x)
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			go io.Copy(io.Discard, y)
			for b := stream; len(b) > 0; {
				n := min(len(b), int(size)+1)
				if _, err := y.Write(b[:n]); err != nil {
					break
				}
				b = b[n:]
			}
			y.Close()
		}()
		total := 0
		for m, err := range c.Messages(context.Background()) {
			if err != nil {
				break
			}
			if total += len(m.Body); len(m.Body) > 100 || total > len(stream) {
				t.Errorf("message %q, %d bytes in all of %d", m.Body, total, len(stream))
			}
		}
		c.Close()
		<-gone
		if r, _ := c.Result(); r == EndNone {
			t.Error("it ended without a reason")
		}
	})
}

// Each fuzz target has its corpus. Without one it tests nothing.
func TestCorpora(t *testing.T) {
	for _, target := range []string{"FuzzSniff", "FuzzIsFarewell", "FuzzConversation"} {
		files, err := os.ReadDir(filepath.Join("testdata", "fuzz", target))
		if err != nil || len(files) < 4 {
			t.Errorf("%s has %d files, %v", target, len(files), err)
		}
	}
}
