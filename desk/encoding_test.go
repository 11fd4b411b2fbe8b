package desk_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/desk"
	"duet.example/duet/framing"
)

func encoding(t *testing.T, name string) *desk.Encoding {
	t.Helper()
	e, err := desk.ParseEncoding(name)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The encoding of the conversation decides what one message is, also after it has changed [F-6].
func TestEncoding_F6_Messages(t *testing.T) {
	for _, fr := range []framing.Framing{framing.Raw, framing.Auto} {
		t.Run(fr.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &desk.Desk{Encoding: encoding(t, "gb18030")}
				w := watch(t, d)
				peer, _ := pair(t, d, func(s *duet.Server) { s.Framing = fr })
				next(t, w, desk.Arrived)
				nc, err := peer.Raw(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				// says sends pieces, 300 ms apart, and wants one message 20 ms after the last.
				says := func(want string, pieces ...string) {
					t.Helper()
					for i, p := range pieces {
						if i > 0 {
							time.Sleep(300 * time.Millisecond)
						}
						if _, err := nc.Write([]byte(p)); err != nil {
							t.Fatal(err)
						}
					}
					began := time.Now()
					e := next(t, w, desk.Said)
					if took := time.Since(began); string(e.Text) != want || took < framing.Quiet || took > framing.Quiet+5*time.Millisecond {
						t.Errorf("%q is said after %v, want %q after %v", e.Text, took, want, framing.Quiet)
					}
					time.Sleep(300*time.Millisecond - time.Since(began))
				}
				for _, word := range []string{"\xc4\xe3", "\xba\xc3", "\xe4\xbd"} {
					says(string(d.Encoding.Decode([]byte(word))), word)
				}
				says("你好", "\xc4", "\xe3\xba", "\xc3")
				says("😀", "\x94", "\x39", "\xfc", "\x36")
				says("\x02你\xba", "\x02\xc4\xe3\xba")
				for _, change := range []struct{ name, in, out string }{
					{"latin1", "caf\xe9", "café"},
					{"latin1", "pr\xeat \xe0", "prêt à"},
					{"utf-8", "\x02A\x03\xe5", "\x02A\x03\xe5"},
				} {
					if err := d.SetEncoding(1, encoding(t, change.name)); err != nil {
						t.Fatal(err)
					}
					says(change.out, change.in)
				}
				says("你", "\xe4\xbd", "\xa0")
				if err := d.SetEncoding(1, encoding(t, "shift_jis")); err != nil {
					t.Fatal(err)
				}
				if err := d.SetFraming(1, framing.Raw); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				says("日本", "\x93", "\xfa\x96", "\x7b")
				says("ｱ", "\xb1")
				_ = nc.Close()
				next(t, w, desk.Left)
			})
		})
	}
}
