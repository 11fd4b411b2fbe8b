package console_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet/console"
	"duet.example/duet/framing"
)

// row is a row of hexdump -C.
func row(digits, letters string) string { return fmt.Sprintf("00000000  %-48s  |%s|", digits, letters) }

// A dump shows what was on the wire, with what the framing put around it.
func TestHexDump_Marks(t *testing.T) {
	for _, tt := range []struct {
		framing            framing.Framing
		received, answered string
	}{
		{framing.LF, row("68 69 0a", "hi."), row("6f 6b 0a", "ok.")},
		{framing.CRLF, row("68 69 0d 0a", "hi.."), row("6f 6b 0d 0a", "ok..")},
		{framing.CR, row("68 69 0d", "hi."), row("6f 6b 0d", "ok.")},
		{framing.NUL, row("68 69 00", "hi."), row("6f 6b 00", "ok.")},
		{framing.Length, row("00 00 00 02 68 69", "....hi"), row("00 00 00 02 6f 6b", "....ok")},
		{framing.Raw, row("68 69", "hi"), row("6f 6b", "ok")},
		{framing.Auto, row("68 69 0a", "hi."), row("6f 6b 0a", "ok.")},
		{framing.WithEOL(framing.LF, []byte("!\n")), row("68 69 21 0a", "hi!."), row("6f 6b 21 0a", "ok!.")},
	} {
		t.Run(tt.framing.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := open(t, console.Options{Hex: true, Server: true})
				p := b.connect(with(tt.framing))
				b.face.take()
				b.says(p, "hi")
				time.Sleep(2 * framing.Quiet)
				synctest.Wait()
				b.shows("【Client】 " + tt.received)
				if err := b.desk.Operator("bob").Say(t.Context(), 1, "ok"); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				b.shows("【bob → 1】 " + tt.answered)
			})
		})
	}
}

// What the framing put around a message is dimmed; no bytes of the peer can pose as it.
func TestHexDump_Dimmed(t *testing.T) {
	for _, tt := range []struct {
		name    string
		framing framing.Framing
		in      string
		want    []string
	}{
		{"a line end", framing.LF, "hi", []string{
			"00000000  68 69 \x1b[2m0a\x1b[0m                                          |hi\x1b[2m.\x1b[0m|",
		}},
		{"a line end in a row of its own", framing.LF, "0123456789abcdef", []string{
			"00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|",
			"00000010  \x1b[2m0a\x1b[0m                                                |\x1b[2m.\x1b[0m|",
		}},
		{"a length", framing.Length, "a\n", []string{
			"00000000  \x1b[2m00 00 00 02\x1b[0m 61 0a                                 |\x1b[2m....\x1b[0ma.|",
		}},
		{"an empty line", framing.LF, "", []string{
			"00000000  \x1b[2m0a\x1b[0m                                                |\x1b[2m.\x1b[0m|",
		}},
		{"the line end of another", framing.NUL, "a\n", []string{
			"00000000  61 0a \x1b[2m00\x1b[0m                                          |a.\x1b[2m.\x1b[0m|",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := open(t, console.Options{Hex: true, Color: true, Terminal: true})
				p := b.connect(with(tt.framing))
				b.face.take()
				b.says(p, tt.in)
				for i, l := range tt.want {
					tt.want[i] = "\x1b[1;36m【Server】\x1b[0m " + l
				}
				b.shows(tt.want...)
			})
		})
	}
}

// A message without a byte on the wire is (empty).
func TestHexDump_Empty(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Hex: true, Server: true})
		b.connect(with(framing.Raw))
		b.face.take()
		if err := b.desk.Operator("bob").Say(t.Context(), 1, ""); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.shows("【bob → 1】 (empty)")
	})
}
