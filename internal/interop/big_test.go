//go:build linux

package interop_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	duetlib "duet.example/duet"
	"duet.example/duet/duettest"
	"duet.example/duet/framing"
)

// 10,000 messages each way at once, 32 MiB in each direction and up to 1 MiB each, through a network that cuts those up to
// 4 KiB into pieces of 1 to 7 bytes, arrive in order, once, byte for byte.
func TestBig(t *testing.T) {
	up, down := bigMessages(1), bigMessages(2)
	pieces := duettest.Pieces{Min: 1, Max: 7, UpTo: 4096}
	for _, tt := range []struct {
		framing framing.Framing
		cut     func(*rand.Rand) func([]byte) []int
	}{
		{framing.LF, duettest.CutLines('\n', pieces)},
		{framing.Length, duettest.CutLengths(pieces)},
	} {
		t.Run(tt.framing.String(), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			var group errgroup.Group
			served := make(chan error, 1)
			began := time.Now()
			server := duettest.NewServer(t, duetlib.HandlerFunc(func(ctx context.Context, c *duetlib.Conn) error {
				var both errgroup.Group
				both.Go(func() error { return sendBig(ctx, c, down) })
				both.Go(func() error { return receiveBig(ctx, c, up) })
				err := both.Wait()
				served <- err
				return err
			}), func(s *duetlib.Server) { s.Framing = tt.framing })
			proxy := duettest.StartProxy(t, server.Addr, duettest.Faults{
				Up: duettest.Direction{Cut: tt.cut}, Down: duettest.Direction{Cut: tt.cut}, Seed: 1,
			})
			c, err := (&duetlib.Dialer{Options: duetlib.Options{Framing: tt.framing}}).Dial(ctx, proxy.Addr)
			if err != nil {
				t.Fatal(err)
			}
			group.Go(func() error { return sendBig(ctx, c, up) })
			group.Go(func() error { return receiveBig(ctx, c, down) })
			if err := group.Wait(); err != nil {
				t.Errorf("client: %v", err)
			}
			select {
			case err := <-served:
				if err != nil {
					t.Errorf("server: %v", err)
				}
			case <-ctx.Done():
				t.Error("server: not done")
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			t.Logf("%v", time.Since(began).Round(time.Millisecond))
		})
	}
}

const (
	bigCount = 10_000
	bigTotal = 32 * mib
)

// bigSizes are those of the messages: two have 1 MiB, some are long, most are short, and all have 32 MiB.
func bigSizes(rng *rand.Rand) []int {
	sizes := make([]int, bigCount)
	left := bigTotal
	for i := range sizes {
		switch {
		case i == 100 || i == bigCount-100:
			sizes[i] = mib
		case i%100 == 50:
			sizes[i] = 64<<10 + rng.IntN(256<<10)
		case i%50 == 3:
			sizes[i] = 4<<10 - 200 + rng.IntN(400) // on both sides of what is cut
		default:
			sizes[i] = 16 + rng.IntN(300)
		}
		left -= sizes[i]
	}
	for i := 7; i < bigCount; i += 100 {
		share := left / ((bigCount-i-1)/100 + 1)
		sizes[i] += share
		left -= share
	}
	return sizes
}

// bigMessages are the messages of a seed, one after the other. Each begins with its number; the rest is random and holds no line end.
func bigMessages(seed byte) [][]byte {
	random := rand.NewChaCha8([32]byte{seed})
	sizes := bigSizes(rand.New(random))
	all := make([]byte, bigTotal)
	keystream(seed).XORKeyStream(all, all)
	for i := range all { // a pass over all: to search each message from its beginning after every line end takes longer than to send it
		if all[i] == '\n' || all[i] == '\r' {
			all[i] = '.'
		}
	}
	messages := make([][]byte, len(sizes))
	for n, size := range sizes {
		messages[n], all = all[:size:size], all[size:]
		copy(messages[n], fmt.Sprintf("%d %d ", seed, n))
	}
	return messages
}

func sendBig(ctx context.Context, c *duetlib.Conn, messages [][]byte) error {
	for _, body := range messages {
		if err := c.Send(ctx, body); err != nil {
			return err
		}
	}
	return c.CloseWrite(ctx)
}

func receiveBig(ctx context.Context, c *duetlib.Conn, messages [][]byte) error {
	n, total := 0, 0
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		var want []byte
		if n < len(messages) {
			want = messages[n]
		}
		if !bytes.Equal(m.Body, want) {
			return fmt.Errorf("message %d differs: %d bytes, want %d", n, len(m.Body), len(want))
		}
		n++
		total += len(m.Body)
	}
	if n != bigCount || total != bigTotal {
		return fmt.Errorf("%d messages with %d bytes came, want %d with %d", n, total, bigCount, bigTotal)
	}
	return nil
}
