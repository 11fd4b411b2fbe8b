package room_test

import (
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/framing"
	"duet.example/duet/internal/charset"
	"duet.example/duet/room"
)

// A member's words are messages in the encoding of the hall: a word that ends like a character of UTF-8 begins is not
// waited for [F-6].
func TestEncoding_F6_Messages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := charset.Lookup("gb18030")
		if err != nil {
			t.Fatal(err)
		}
		h := &room.Hall{Encoding: e}
		a := join(t, h)
		b := join(t, h, func(s *duet.Server) { s.Framing = framing.Raw })
		a.expect("-- guest-2 has joined")
		for _, word := range []string{"\xc4\xe3", "\xba\xc3", "\xe4\xbd"} {
			time.Sleep(300 * time.Millisecond)
			began := time.Now()
			b.say(word)
			a.expect("guest-2: " + word)
			if took := time.Since(began); took < framing.Quiet || took > framing.Quiet+5*time.Millisecond {
				t.Errorf("%q has come after %v, want %v", word, took, framing.Quiet)
			}
		}
		_ = a.conn.Close()
		_ = b.conn.Close()
		a.gone()
		b.gone()
	})
}
