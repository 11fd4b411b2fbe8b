package hostile

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// The kinds of this file make a server hold more than a peer is worth: unfinished lines, what nobody reads any more, rooms
// that were left, conversations whose peer has gone.

// unfinished is how many lines a peer of "partial lines" begins, each on a connection of its own.
const unfinished = 4

// lineByLine connects and sends a whole line. After the quiet that follows, a server that learns its peers waits for the
// ends of this one's lines [F-7].
func lineByLine(ctx context.Context, address string) (*peer, error) {
	p, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	if err = p.push([]byte("whole\n"), time.Second); err == nil {
		err = p.hearAll(ctx, 60*time.Millisecond)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// partialLines begins lines as long as a message may be, and finishes none.
func partialLines(ctx context.Context, address string, rng *rand.Rand) error {
	line := bytes.Repeat([]byte{"x\xff "[rng.IntN(3)]}, MaxMessage-1)
	for range unfinished {
		p, err := lineByLine(ctx, address)
		if err != nil {
			return err
		}
		defer p.close()
		defer p.abort() // a line that is cut off by a reset is no message
		if err := p.say(line, rng); err != nil {
			return err
		}
	}
	return wait(ctx, time.Duration(rng.IntN(300))*time.Millisecond)
}

// ghosts come, send lines, and vanish with a reset before anything was answered, one after the other.
func ghosts(ctx context.Context, address string, rng *rand.Rand) error {
	lines := []byte(strings.Repeat("boo\n", 60))
	for range 5 + rng.IntN(10) {
		p, err := dial(ctx, address)
		if err != nil {
			return err
		}
		_ = p.push(lines, time.Second)
		p.abort()
		p.stop()
	}
	return nil
}

// byteAtATime sends a line in packets of one byte. After each pause of 20 ms the line is shown anew, as it is by then.
func byteAtATime(ctx context.Context, address string, rng *rand.Rand) error {
	p, err := lineByLine(ctx, address)
	if err != nil {
		return err
	}
	defer p.close()
	for range 20 + rng.IntN(40) {
		if err := p.push([]byte("z"), time.Second); err != nil {
			return err
		}
		if err := p.hearAll(ctx, time.Duration(rng.IntN(40))*time.Millisecond); err != nil {
			return err
		}
	}
	if rng.IntN(2) == 0 {
		p.abort() // the line never ends
		return nil
	}
	return p.push([]byte("\n"), time.Second)
}

const (
	// hops is how many rooms a peer of "room hopping" goes through, and roomFill what is sent to each.
	hops     = 4
	roomFill = 128 << 10
)

// roomHopping goes from room to room, and reads next to nothing of what another peer sends to each of them.
func roomHopping(ctx context.Context, address string, rng *rand.Rand) error {
	hopper, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer hopper.close()
	_ = hopper.conn.SetReadBuffer(4 << 10)
	filler, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer filler.close()
	line := []byte(strings.Repeat("more ", 400) + "\n")
	room := rng.Uint64()
	for i := range uint64(hops) {
		join := fmt.Appendf(nil, "/join hop-%x\n", room+i)
		for _, p := range []*peer{hopper, filler} {
			if err := p.push(join, time.Second); err != nil {
				return err
			}
		}
		for sent := 0; sent < roomFill; sent += len(line) {
			if err := filler.push(line, time.Second); err != nil {
				return err
			}
		}
		if _, err := hopper.hear(20 * time.Millisecond); err != nil {
			return err
		}
	}
	return wait(ctx, time.Duration(rng.IntN(500))*time.Millisecond)
}

// wait does nothing for d.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
