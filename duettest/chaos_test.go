package duettest_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"duet.example/duet/duettest"
)

func TestChaos_IsConn(t *testing.T) {
	for _, f := range []duettest.Faults{{}, {Up: smallPieces, Down: smallPieces}} {
		nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
			a, b := duettest.Pipe()
			c := duettest.Chaos(a, f)
			return c, b, func() { c.Close(); b.Close() }, nil
		})
	}
}

var smallPieces = duettest.Direction{Pieces: duettest.Pieces{Min: 1, Max: 7, UpTo: 4096}}

// chaos returns both ends of a pair in memory with the faults f between them. The client is a.
func chaos(t *testing.T, f duettest.Faults) (a, b duettest.Conn) {
	t.Helper()
	x, y := duettest.Pipe()
	c := duettest.Chaos(x, f)
	t.Cleanup(func() { c.Close(); y.Close() })
	return c.(duettest.Conn), y.(duettest.Conn)
}

func TestChaos_KeepsHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := smallPieces
		d.Latency, d.Jitter, d.Rate = time.Second, time.Minute, 1<<20
		a, b := chaos(t, duettest.Faults{Up: d, Down: d, Seed: 7})
		sendBothWays(t, a, b, 300_000)
	})
}

func TestChaos_Latency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := chaos(t, duettest.Faults{
			Up:   duettest.Direction{Latency: time.Hour},
			Down: duettest.Direction{Latency: time.Minute},
		})
		start := time.Now()
		arrives := func(name string, c net.Conn, want time.Duration) {
			t.Helper()
			if _, err := io.ReadFull(c, make([]byte, 3)); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(start); d != want {
				t.Errorf("%s after %v, want %v", name, d, want)
			}
		}
		b.Write([]byte("abc"))
		a.Write([]byte("abc"))
		a.Write([]byte("def"))
		arrives("down", a, time.Minute)
		arrives("up", b, time.Hour)
		arrives("up, sent at the same time", b, time.Hour)

		a.CloseWrite()
		if n, err := b.Read(make([]byte, 1)); err != io.EOF || time.Since(start) != 61*time.Minute+59*time.Minute {
			t.Errorf("half-close: %d, %v after %v", n, err, time.Since(start))
		}
	})
}

func TestChaos_Jitter(t *testing.T) {
	arrivals := func(seed uint64) (at []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			a, b := chaos(t, duettest.Faults{Up: duettest.Direction{Jitter: time.Second}, Seed: seed})
			start := time.Now()
			for i := range 20 {
				a.Write([]byte{byte(i)})
				got := make([]byte, 1)
				if _, err := io.ReadFull(b, got); err != nil || got[0] != byte(i) {
					t.Fatalf("read %v, %v", got, err)
				}
				at = append(at, time.Since(start))
			}
		})
		return at
	}
	one, again, other := arrivals(1), arrivals(1), arrivals(2)
	if !slices.Equal(one, again) {
		t.Errorf("the same seed gave %v and %v", one, again)
	}
	if slices.Equal(one, other) {
		t.Error("another seed gave the same delays")
	}
	if last := one[19]; last < 2*time.Second || last >= 20*time.Second {
		t.Errorf("20 delays of less than 1s took %v", last)
	}
}

func TestChaos_Rate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := chaos(t, duettest.Faults{Up: duettest.Direction{Rate: 1000}})
		start := time.Now()
		go a.Write(make([]byte, 30_000))
		if _, err := io.ReadFull(b, make([]byte, 30_000)); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d < 29*time.Second || d > 30*time.Second {
			t.Errorf("30,000 bytes at 1,000 a second took %v", d)
		}
		b.Write([]byte("x"))
		now := time.Now()
		if _, err := a.Read(make([]byte, 1)); err != nil || time.Since(now) != 0 {
			t.Errorf("the other direction: %v after %v", err, time.Since(now))
		}
	})
}

// recorder keeps the length of each Write.
type recorder struct {
	net.Conn
	writes []int
}

func (r *recorder) Write(b []byte) (int, error) {
	r.writes = append(r.writes, len(b))
	return r.Conn.Write(b)
}

// cuts sends chunks through d, each after the one before has arrived, and returns the lengths of the writes.
func cuts(t *testing.T, d duettest.Direction, chunks ...[]byte) (writes []int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		x, y := duettest.PipeSize(1 << 20)
		r := &recorder{Conn: x}
		c := duettest.Chaos(r, duettest.Faults{Up: d})
		for _, chunk := range chunks {
			c.Write(chunk)
			synctest.Wait()
		}
		c.Close()
		if got, err := io.ReadAll(y); err != nil || !bytes.Equal(got, slices.Concat(chunks...)) {
			t.Errorf("received %d bytes, %v; not the bytes that were sent", len(got), err)
		}
		y.Close()
		synctest.Wait()
		writes = r.writes
	})
	return writes
}

func TestChaos_Pieces(t *testing.T) {
	writes := cuts(t, smallPieces, randomBytes(4096, 1))
	if lo, hi := slices.Min(writes), slices.Max(writes); lo != 1 || hi != 7 {
		t.Errorf("pieces of %d to %d bytes, want 1 to 7", lo, hi)
	}
	if got := cuts(t, smallPieces, randomBytes(4097, 1)); !slices.Equal(got, []int{4097}) {
		t.Errorf("a chunk of 4097 bytes was written as %v, want whole", got)
	}
	if got := cuts(t, duettest.Direction{}, randomBytes(100, 1)); !slices.Equal(got, []int{100}) {
		t.Errorf("without faults 100 bytes were written as %v", got)
	}
	if got := cuts(t, duettest.Direction{Pieces: duettest.Pieces{Max: 1}}, randomBytes(5, 1)); !slices.Equal(got, []int{1, 1, 1, 1, 1}) {
		t.Errorf("pieces of 1 byte: %v", got)
	}
}

func TestChaos_CutsMessages(t *testing.T) {
	ones := duettest.Pieces{Min: 1, Max: 1, UpTo: 4}
	line := func(n int) []byte { return append(bytes.Repeat([]byte("x"), n-1), '\n') }
	length := func(n uint32) []byte {
		return append(binary.BigEndian.AppendUint32(nil, n), make([]byte, n)...)
	}
	for _, test := range []struct {
		name   string
		cut    func(*rand.Rand) func([]byte) []int
		chunks [][]byte
		want   []int
	}{
		{"lines", duettest.CutLines('\n', ones), [][]byte{slices.Concat(line(3), line(9), line(2))}, []int{1, 1, 1, 9, 1, 1}},
		{"a line in two chunks", duettest.CutLines('\n', ones), [][]byte{line(9)[:2], line(9)[2:], line(1)}, []int{1, 1, 7, 1}},
		{"lengths", duettest.CutLengths(ones), [][]byte{slices.Concat(length(3), length(0), length(9))}, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 9}},
		{"a length in two chunks", duettest.CutLengths(ones), [][]byte{length(9)[:3], length(9)[3:6], length(9)[6:], length(1)}, []int{1, 1, 1, 1, 2, 7, 1, 1, 1, 1, 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := cuts(t, duettest.Direction{Cut: test.cut}, test.chunks...); !slices.Equal(got, test.want) {
				t.Errorf("written as %v, want %v", got, test.want)
			}
		})
	}
}

func TestChaos_CloseEndsBlackHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := chaos(t, duettest.Faults{Up: duettest.Direction{BlackHoleAfter: duettest.AtOnce}})
		if _, err := a.Write(make([]byte, 1<<20)); err != nil {
			t.Errorf("write into a black hole: %v", err)
		}
		a.CloseWrite()
		b.SetReadDeadline(time.Now().Add(time.Hour))
		if n, err := b.Read(make([]byte, 1)); n != 0 || !errors.Is(err, errTimeout) {
			t.Errorf("read %d bytes, %v; want nothing, not even the end", n, err)
		}
		b.SetReadDeadline(time.Time{})
		a.Close()
		if n, err := b.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("after Close read %d, %v; want io.EOF", n, err)
		}
	})
}

func TestChaos_OtherWayAfterHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := chaos(t, duettest.Faults{Up: duettest.Direction{HalfCloseAfter: 1}})
		for range 10 {
			if _, err := io.WriteString(a, "question"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			io.WriteString(b, "answer")
			if _, err := io.ReadFull(a, make([]byte, 6)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestChaos_WritesFailAfterCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := chaos(t, duettest.Faults{Up: duettest.Direction{CutAfter: 1}})
		io.WriteString(a, "question")
		time.Sleep(time.Minute)
		for _, c := range []net.Conn{a, b} {
			_, err := io.WriteString(c, "x")
			wantErr(t, "write long after a cut", err, syscall.EPIPE)
		}
	})
}

// A peer that does not read gets a reset when it writes, although unread bytes are before the reset.
func TestChaos_ResetBehindUnreadBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := chaos(t, duettest.Faults{})
		a.SetWriteDeadline(time.Now().Add(time.Second))
		_, err := a.Write(make([]byte, 4<<20))
		wantErr(t, "write to a peer that does not read", err, errTimeout)
		a.Reset()
		b.SetWriteDeadline(time.Now().Add(10 * time.Minute))
		for err = nil; err == nil; time.Sleep(time.Second) {
			_, err = b.Write([]byte("x"))
		}
		wantErr(t, "write to a peer that has reset", err, syscall.ECONNRESET)
	})
}

// A peer that does not read does not keep a closed connection for ever.
func TestChaos_CloseWithoutReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := chaos(t, duettest.Faults{})
		a.SetWriteDeadline(time.Now().Add(time.Second))
		a.Write(make([]byte, 4<<20))
		start := time.Now()
		a.Close()
		for {
			if _, err := b.Write([]byte("x")); err != nil {
				wantErr(t, "write", err, syscall.EPIPE)
				break
			}
			time.Sleep(time.Second)
		}
		if d := time.Since(start); d > 2*time.Minute {
			t.Errorf("closed after %v", d)
		}
	})
}
