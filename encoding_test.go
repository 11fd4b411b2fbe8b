package duet_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/framing"
)

// halves is an encoding in which each byte from 0x80 on is one half of a character.
type halves struct{}

func (halves) Unfinished(b []byte) (tail int, text bool) {
	for i := 0; i < len(b); i++ {
		if b[i] >= 0x80 {
			if i++; i == len(b) {
				tail = 1
			}
		}
	}
	return tail, true
}

// SetEncoding holds at once, also for an unfinished message, and stays after SetFraming.
func TestSetEncoding_F6(t *testing.T) {
	inMemory(t, duet.Dialer{Options: duet.Options{Framing: framing.Raw}}, func(t *testing.T, c *duet.Conn, p net.Conn) {
		got := make(chan string, 10)
		go func() {
			defer close(got)
			for m := range c.Messages(t.Context()) {
				got <- string(m.Body)
			}
		}()
		wantAfter := func(in, want string, after time.Duration) {
			t.Helper()
			began := time.Now()
			io.WriteString(p, in)
			if m := <-got; m != want || !about(time.Since(began), after) {
				t.Errorf("after %v received %q, want %q after %v", time.Since(began), m, want, after)
			}
		}
		wantAfter("\x81\xe5", "\x81\xe5", framing.Quiet) // not UTF-8
		wantAfter("a\xe5", "a\xe5", framing.MaxAge)
		c.SetEncoding(halves{})
		wantAfter("\x81\xe5", "\x81\xe5", framing.Quiet)
		wantAfter("\xe5", "\xe5", framing.MaxAge)
		c.SetFraming(framing.Auto)
		wantAfter("\xe5", "\xe5", framing.MaxAge)
		io.WriteString(p, "a\xe5\x81")
		synctest.Wait()
		c.SetEncoding(nil) // the last bytes are an unfinished character of UTF-8
		time.Sleep(100 * time.Millisecond)
		wantAfter("\x82", "a\xe5\x81\x82", framing.Quiet)
		p.Close()
		if m, ok := <-got; ok {
			t.Errorf("received %q", m)
		}
	})
}

// A burst that is not text ends with its pause, also if its first 64 KiB have been a message and nothing is left of it.
func TestSetEncoding_F6_NothingPending(t *testing.T) {
	inMemory(t, duet.Dialer{Options: duet.Options{Framing: framing.Raw}}, func(t *testing.T, c *duet.Conn, p net.Conn) {
		go func() {
			io.WriteString(p, strings.Repeat("\x00", framing.MaxBare))
			time.Sleep(5 * framing.Quiet)
			io.WriteString(p, "\xe5")
			time.Sleep(5 * framing.Quiet)
			io.WriteString(p, "\xa5\xbd")
		}()
		wantReceive(t, c, strings.Repeat("\x00", framing.MaxBare))
		wantReceive(t, c, "好")
	})
}
