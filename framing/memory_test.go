package framing_test

import (
	"bytes"
	"runtime"
	"slices"
	"testing"

	"duet.example/duet/framing"
)

// A buffer grows with what arrives, up to the limit and no further; a message
// has no spare room.
func TestCodec_F3_Memory(t *testing.T) {
	const limit = 1000
	for _, f := range all {
		c := f.New(limit)
		in := append([]byte{0, 0, limit >> 8, limit & 0xff}, bytes.Repeat([]byte("x"), limit)...)
		if f != framing.Length {
			in = in[5:]
		}
		for _, b := range in[:len(in)-1] {
			if msgs, err := c.Feed(nil, []byte{b}); err != nil || len(msgs) != 0 {
				t.Fatalf("%v: %d messages, %v", f, len(msgs), err)
			}
		}
		rest := c.Rest()
		if cap(rest) > limit+4 || len(rest) != len(in)-1 {
			t.Errorf("%v: %d bytes have room for %d", f, len(rest), cap(rest))
		}

		in = in[:len(in)-1]
		if f == framing.Length {
			in = append(in, 'x')
		}
		msgs, err := c.Feed(nil, in[:10])
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range in[10:] {
			msgs, _ = c.Feed(msgs, []byte{b})
		}
		if msgs, err = c.End(msgs); err != nil || len(msgs) != 1 {
			t.Fatalf("%v: %d messages, %v", f, len(msgs), err)
		}
		if body := msgs[0].Body; cap(body) != len(body) {
			t.Errorf("%v: message of %d bytes has room for %d", f, len(body), cap(body))
		}
	}
}

// Held says how much the unfinished message takes, also behind WithEOL. Shrink leaves its bytes, and no room beside them.
func TestCodec_F3_Held(t *testing.T) {
	for _, f := range append(slices.Clone(all), framing.WithEOL(framing.LF, []byte("\r"))) {
		c := f.New(1 << 20)
		if n := c.Held(); n != 0 {
			t.Errorf("%v: nothing takes %d bytes", f, n)
		}
		if f == framing.Length {
			_, _ = c.Feed(nil, []byte{0, 1, 0, 0})
		}
		for range 70 { // the buffer has doubled to 256, and is not full
			if _, err := c.Feed(nil, []byte("xyz")); err != nil {
				t.Fatal(err)
			}
		}
		before := c.Held()
		c.Shrink()
		if after := c.Held(); before != 256 || after != 210 {
			t.Errorf("%v: 210 bytes take %d, after Shrink %d", f, before, after)
		}
		if rest := c.Rest(); !bytes.HasSuffix(rest, bytes.Repeat([]byte("xyz"), 70)) {
			t.Errorf("%v: %q is left", f, rest)
		}
		if n := c.Held(); n != 0 {
			t.Errorf("%v: nothing is left, and takes %d bytes", f, n)
		}
	}
}

// What an announced length costs is what has arrived of it.
func TestLength_F5_NoRoomBeforeBytes(t *testing.T) {
	c := framing.Length.New(1 << 30)
	if _, err := c.Feed(nil, []byte("\x3f\xff\xff\xffabc")); err != nil {
		t.Fatal(err)
	}
	in := []byte("x")
	if n := testing.AllocsPerRun(10, func() { _, _ = c.Feed(nil, in) }); n != 0 {
		t.Errorf("a byte allocates %v times", n)
	}
	if rest := c.Rest(); cap(rest) > 64 {
		t.Errorf("%d bytes have room for %d", len(rest), cap(rest))
	}
}

// The remainder of a burst that was too long for a line does not keep all of it
// alive.
func TestAuto_F8_RemainderIsSmall(t *testing.T) {
	const limit = 1<<20 + 1000 // leaves a remainder
	burst := bytes.Repeat([]byte("x"), limit+1)
	// The buffer has grown to the limit when the last piece, for which it has room, exceeds it.
	pieces := [][]byte{burst[:600_000], burst[600_000 : limit-10], burst[limit-10:]}
	codecs := make([]framing.Codec, 16)
	before := heap()
	for i := range codecs {
		c := framing.Auto.New(limit)
		codecs[i] = c
		n := 0
		for _, b := range pieces {
			msgs, err := c.Feed(nil, b)
			if err != nil {
				t.Fatal(err)
			}
			n += len(msgs)
		}
		if want := limit / framing.MaxBare; n != want {
			t.Errorf("%d messages, want %d", n, want)
		}
	}
	if held := heap() - before; held > int64(len(codecs))*framing.MaxBare {
		t.Errorf("%d codecs with 1001 bytes pending each hold %d bytes", len(codecs), held)
	}
	for _, c := range codecs {
		if rest := c.Rest(); len(rest) != 1001 {
			t.Errorf("%d bytes are left", len(rest))
		}
	}
}

// heap is how many bytes are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
