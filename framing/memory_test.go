package framing_test

import (
	"bytes"
	"runtime"
	"slices"
	"testing"

	"duet.example/duet/framing"
)

// A buffer grows with the bytes that arrive, at most to the limit. A message has no spare room.
func TestDecoder_F3_Memory(t *testing.T) {
	const limit = 1000
	for _, f := range all {
		d := newDecoder(f, limit)
		in := append([]byte{0, 0, limit >> 8, limit & 0xff}, bytes.Repeat([]byte("x"), limit)...)
		if f != framing.Length {
			in = in[5:]
		}
		for _, b := range in[:len(in)-1] {
			if msgs, err := d.Feed(nil, []byte{b}); err != nil || len(msgs) != 0 {
				t.Fatalf("%v: %d messages, %v", f, len(msgs), err)
			}
		}
		rest := d.Rest()
		if cap(rest) > limit+4 || len(rest) != len(in)-1 {
			t.Errorf("%v: %d bytes have room for %d", f, len(rest), cap(rest))
		}

		in = in[:len(in)-1]
		if f == framing.Length {
			in = append(in, 'x')
		}
		msgs, err := d.Feed(nil, in[:10])
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range in[10:] {
			msgs, _ = d.Feed(msgs, []byte{b})
		}
		if msgs, err = d.End(msgs); err != nil || len(msgs) != 1 {
			t.Fatalf("%v: %d messages, %v", f, len(msgs), err)
		}
		if body := msgs[0].Body; cap(body) != len(body) {
			t.Errorf("%v: message of %d bytes has room for %d", f, len(body), cap(body))
		}
	}
}

// Held tells how much the unfinished message takes, also with WithEOL. Shrink leaves its bytes and frees the room beside them.
func TestDecoder_F3_Held(t *testing.T) {
	for _, f := range append(slices.Clone(all), framing.WithEOL(framing.LF, []byte("\r"))) {
		d := newDecoder(f, 1<<20)
		if n := d.Held(); n != 0 {
			t.Errorf("%v: nothing takes %d bytes", f, n)
		}
		if f == framing.Length {
			_, _ = d.Feed(nil, []byte{0, 1, 0, 0})
		}
		for range 70 { // the buffer has doubled to 256, and is not full
			if _, err := d.Feed(nil, []byte("xyz")); err != nil {
				t.Fatal(err)
			}
		}
		before := d.Held()
		d.Shrink()
		if after := d.Held(); before != 256 || after != 210 {
			t.Errorf("%v: 210 bytes take %d, after Shrink %d", f, before, after)
		}
		if rest := d.Rest(); !bytes.HasSuffix(rest, bytes.Repeat([]byte("xyz"), 70)) {
			t.Errorf("%v: %q is left", f, rest)
		}
		if n := d.Held(); n != 0 {
			t.Errorf("%v: nothing is left, and takes %d bytes", f, n)
		}
	}
}

// A length that is announced takes no memory before its bytes arrive.
func TestLength_F5_NoRoomBeforeBytes(t *testing.T) {
	d := newDecoder(framing.Length, 1<<30)
	if _, err := d.Feed(nil, []byte("\x3f\xff\xff\xffabc")); err != nil {
		t.Fatal(err)
	}
	in := []byte("x")
	if n := testing.AllocsPerRun(10, func() { _, _ = d.Feed(nil, in) }); n != 0 {
		t.Errorf("a byte allocates %v times", n)
	}
	if rest := d.Rest(); cap(rest) > 64 {
		t.Errorf("%d bytes have room for %d", len(rest), cap(rest))
	}
}

// A burst is too long for a line. Its remainder does not keep the whole burst in memory.
func TestAuto_F8_RemainderIsSmall(t *testing.T) {
	const limit = 1<<20 + 1000 // leaves a remainder
	burst := bytes.Repeat([]byte("x"), limit+1)
	// The buffer has grown to the limit when the last piece, for which it has room, exceeds it.
	pieces := [][]byte{burst[:600_000], burst[600_000 : limit-10], burst[limit-10:]}
	decoders := make([]framing.Decoder, 16)
	before := heap()
	for i := range decoders {
		d := newDecoder(framing.Auto, limit)
		decoders[i] = d
		n := 0
		for _, b := range pieces {
			msgs, err := d.Feed(nil, b)
			if err != nil {
				t.Fatal(err)
			}
			n += len(msgs)
		}
		if want := limit / framing.MaxBare; n != want {
			t.Errorf("%d messages, want %d", n, want)
		}
	}
	if held := heap() - before; held > int64(len(decoders))*framing.MaxBare {
		t.Errorf("%d decoders with 1001 bytes pending each hold %d bytes", len(decoders), held)
	}
	for _, d := range decoders {
		if rest := d.Rest(); len(rest) != 1001 {
			t.Errorf("%d bytes are left", len(rest))
		}
	}
}

// heap returns the number of bytes in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
