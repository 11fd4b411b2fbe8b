package duet_test

import (
	"context"
	"fmt"
	"io"
	"runtime"
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

// To ask how a message would look is not to send one: the messages that follow still keep their distance.
func TestAppendWire_F12_IsNoMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := duettest.Pipe()
		y.SetDeadline(time.Now().Add(patience))
		d := duet.Dialer{Options: duet.Options{Framing: framing.Auto, CloseTimeout: -1}}
		c := d.NewConn(x)
		for range 100 {
			if _, err := c.AppendWire(nil, []byte("x")); err != nil {
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

// alone is a framing whose codecs want each Append to be alone, as the contract has it: one goroutine at a time sends.
type alone struct {
	framing.Framing
	broken *atomic.Bool
}

func (a alone) New(most int) framing.Codec {
	return &aloneCodec{Codec: a.Framing.New(most), broken: a.broken}
}

type aloneCodec struct {
	framing.Codec
	inside atomic.Int32
	broken *atomic.Bool
}

func (c *aloneCodec) Append(dst, body []byte) ([]byte, error) {
	if c.inside.Add(1) > 1 {
		c.broken.Store(true)
	}
	defer c.inside.Add(-1)
	runtime.Gosched()
	return c.Codec.Append(dst, body)
}

// Raw gives messages back in their framing's form while others ask how theirs would look: they take turns.
func TestRaw_WhileAppendWire(t *testing.T) {
	x, y := connect(t, memory)
	var broken atomic.Bool
	d := duet.Dialer{Options: duet.Options{Framing: alone{framing.LF, &broken}}}
	c, p := d.NewConn(x), newPeer(t, y)
	rest := strings.Repeat("x\n", 10_000)
	p.say("one\n" + rest)
	wantReceive(t, c, "one")
	asked, done := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			_, _ = c.AppendWire(nil, []byte("x"))
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
	if broken.Load() {
		t.Error("two goroutines called Append at the same time")
	}
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
		if got := c.SendMark(false); got != f.String() {
			t.Fatalf("receives as %v and sends as %v", f, got)
		}
	}
	y.Close()
	c.Close()
}
