package duet_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"duet.example/duet"
	"duet.example/duet/duettest"
	"duet.example/duet/framing"
)

// Text arrives whole wherever the network cuts it: at each byte, and into single bytes. A pause inside a character ends
// no message, in no framing. [F-6] [F-15]
func TestReceive_CutAtEveryByte(t *testing.T) {
	const text = "你好，世界！🙂 é"
	for _, tt := range []struct {
		name    string
		framing framing.Framing
		wire    string
	}{
		{"lf", framing.LF, text + "\n"},
		{"crlf", framing.CRLF, text + "\r\n"},
		{"cr", framing.CR, text + "\r"},
		{"nul", framing.NUL, text + "\x00"},
		{"length", framing.Length, "\x00\x00\x00" + string(rune(len(text))) + text},
		{"raw", framing.Raw, text},
		{"auto, lf", framing.Auto, text + "\n"},
		{"auto, crlf", framing.Auto, text + "\r\n"},
		{"auto, bare", framing.Auto, text},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for i := 1; i < len(tt.wire); i++ {
				receiveInParts(t, tt.framing, text, tt.wire[:i], tt.wire[i:])
			}
			var bytes []string
			for i := range len(tt.wire) {
				bytes = append(bytes, tt.wire[i:i+1])
			}
			receiveInParts(t, tt.framing, text, bytes...)
		})
	}
}

// receiveInParts has a peer send parts, with a pause after each.
func receiveInParts(t *testing.T, f framing.Framing, want string, parts ...string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		x, y := duettest.Pipe()
		d := duet.Dialer{Options: duet.Options{Framing: f}}
		c := d.NewConn(x)
		go func() {
			sent := ""
			for _, part := range parts {
				_, _ = io.WriteString(y, part)
				sent += part
				pause := framing.Quiet / 2
				if r, n := utf8.DecodeLastRuneInString(sent); r == utf8.RuneError && n == 1 {
					pause = 2 * framing.Quiet
				}
				time.Sleep(pause)
			}
			_ = y.Close()
		}()
		m, err := c.Receive(context.Background())
		if err != nil || string(m.Body) != want {
			t.Errorf("%q: received %q, %v", parts, m.Body, err)
		}
		wantEOF(t, c)
		_ = c.Close()
	})
}
