package duet_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/duettest"
	"duet.example/duet/framing"
)

// To ask for the encoding and use it is not to send: the messages that follow still keep their distance.
func TestWireEncoding_F12_IsNoMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := duettest.Pipe()
		y.SetDeadline(time.Now().Add(patience))
		d := duet.Dialer{Options: duet.Options{Framing: framing.Auto, CloseTimeout: -1}}
		c := d.NewConn(x)
		for range 100 {
			if _, err := c.WireEncoding(false).Append(nil, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 4 {
			c.Post([]byte(fmt.Sprint(i)))
		}
		texts, at := arrivals(y, 4)
		if got := strings.Join(texts, "|"); got != "0\n|1\n|2\n|3\n" {
			t.Errorf("the peer read %q", got)
		}
		for i := 1; i < len(at); i++ {
			if d := at[i].Sub(at[i-1]); d < framing.BareGap {
				t.Errorf("message %d left %v after the one before, want %v", i, d, framing.BareGap)
			}
		}
		go io.Copy(io.Discard, y)
		c.Close()
		y.Close()
	})
}

// Sixteen messages to a peer that has not spoken keep their distance. What follows leaves at once.
func TestSpacing_F12_SixteenMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := duettest.Pipe()
		y.SetDeadline(time.Now().Add(patience))
		d := duet.Dialer{Options: duet.Options{Framing: framing.Auto, CloseTimeout: -1}}
		c := d.NewConn(x)
		for i := range 20 {
			c.Post([]byte(fmt.Sprint(i)))
		}
		texts, _ := arrivals(y, 17)
		if len(texts) != 17 || texts[16] != "16\n17\n18\n19\n" {
			t.Errorf("the peer read %q", texts)
		}
		c.Close()
		y.Close()
	})
}

// SetFraming begins to count anew, also if the framing stays the same.
func TestSpacing_F12_AfterSetFraming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := duettest.Pipe()
		y.SetDeadline(time.Now().Add(patience))
		d := duet.Dialer{Options: duet.Options{Framing: framing.Auto, CloseTimeout: -1}}
		c := d.NewConn(x)
		for range 16 {
			c.Post([]byte("x"))
		}
		c.SetFraming(framing.Auto)
		c.Post([]byte("one"))
		c.Post([]byte("two"))
		texts, _ := arrivals(y, 18)
		if len(texts) != 18 || texts[16] != "one\n" || texts[17] != "two\n" {
			t.Errorf("the peer read %q", texts)
		}
		c.Close()
		y.Close()
	})
}

// unmarked is a framing whose messages have no marks, as those of a program's own framing.
type unmarked struct{ framing.Framing }

func (u unmarked) New(most int) (framing.Decoder, framing.Encoder) {
	decoder, encoder := u.Framing.New(most)
	return unmarkedDecoder{decoder}, encoder
}

type unmarkedDecoder struct{ framing.Decoder }

func (d unmarkedDecoder) Feed(dst []framing.Message, b []byte) ([]framing.Message, error) {
	dst, err := d.Decoder.Feed(dst, b)
	for i := range dst {
		dst[i].Mark = framing.NoMark
	}
	return dst, err
}

// Raw gives messages back in their framing's form while other goroutines ask for the encoding and use it.
func TestRaw_WhileWireEncoding(t *testing.T) {
	x, y := connect(t, memory)
	d := duet.Dialer{Options: duet.Options{Framing: unmarked{framing.LF}}}
	c, p := d.NewConn(x), newPeer(t, y)
	rest := strings.Repeat("x\n", 10_000)
	p.say("one\n" + rest)
	wantReceive(t, c, "one")
	asked, done := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			_, _ = c.WireEncoding(false).Append(nil, []byte("x"))
			if i == 10 {
				close(asked)
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	<-asked
	nc, err := c.Raw(context.Background())
	close(done)
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len(rest))
	if _, err := io.ReadFull(nc, b); err != nil || string(b) != rest {
		t.Errorf("read %d bytes, %v, that are not what came", len(b), err)
	}
	p.Close()
	c.Close()
}

// A framing that was set and is not in use yet does not change the form of the messages that Raw gives back.
func TestRaw_AfterSetFraming(t *testing.T) {
	for _, f := range []framing.Framing{framing.Length, unmarked{framing.Length}} {
		x, y := connect(t, memory)
		d := duet.Dialer{Options: duet.Options{Framing: f}}
		c, p := d.NewConn(x), newPeer(t, y)
		p.say("\x00\x00\x00\x01a\x00\x00\x00\x01b\x00\x00")
		wantReceive(t, c, "a")
		c.SetFraming(framing.LF)
		c.SetFraming(framing.NUL)
		nc, err := c.Raw(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.fin()
		want := "\x00\x00\x00\x01b\x00\x00"
		if b, err := io.ReadAll(nc); err != nil || string(b) != want {
			t.Errorf("%T: read %q, %v; want %q", f, b, err, want)
		}
		p.Close()
		c.Close()
	}
}

// The framing that is set last holds for both directions. The first call is held up while it has the deadline's lock,
// for long enough that the other goroutine comes and waits behind it; then the first goroutine calls again, and passes it.
func TestSetFraming_BothDirections(t *testing.T) {
	x, y := connect(t, memory)
	var held atomic.Pointer[chan struct{}]
	c := new(duet.Dialer).NewConn(&hooked{Conn: x, readDeadline: func(bool) error {
		if other := held.Swap(nil); other != nil {
			close(*other)
			time.Sleep(time.Millisecond)
		}
		return nil
	}})
	for range 30 {
		other := make(chan struct{})
		held.Store(&other)
		var wg sync.WaitGroup
		wg.Go(func() {
			c.SetFraming(framing.NUL)
			c.SetFraming(framing.NUL)
		})
		wg.Go(func() {
			<-other
			c.SetFraming(framing.CR)
		})
		wg.Wait()
		f, _ := c.Framing()
		if got := c.WireEncoding(false).String(); got != f.String() {
			t.Fatalf("receives as %v and sends as %v", f, got)
		}
	}
	y.Close()
	c.Close()
}
