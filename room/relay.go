package room

import (
	"bytes"
	"context"
	"slices"
	"time"

	"duet.example/duet"
	"duet.example/duet/framing"
)

// chunks is the framing of a relay, with both its halves: bytes that have arrived are a message at once, and nothing is added to those
// that are sent.
type chunks struct{ max int }

func (chunks) New(max int) (framing.Decoder, framing.Encoder) {
	if max <= 0 {
		max = framing.DefaultMaxMessage
	}
	c := &chunks{max}
	return c, c
}

func (chunks) String() string { return "chunks" }

func (c chunks) Feed(dst []framing.Message, b []byte) ([]framing.Message, error) {
	for chunk := range slices.Chunk(b, c.max) {
		dst = append(dst, framing.Message{Body: bytes.Clone(chunk)})
	}
	return dst, nil
}

func (chunks) End(dst []framing.Message) ([]framing.Message, error) { return dst, nil }

func (chunks) Rest() []byte { return nil }

func (chunks) Held() int { return 0 }

func (chunks) Shrink() {}

func (chunks) WireEncoding(bool) framing.WireEncoding { return unchanged{} }

func (chunks) Gap(int) time.Duration { return 0 }

// unchanged is the wire encoding of a relay. Its name is empty, because it adds nothing.
type unchanged struct{}

func (unchanged) String() string { return "" }

func (unchanged) Append(dst, body []byte) ([]byte, error) { return append(dst, body...), nil }

// relayPatience is how long, in all, the others wait for a member of a relay that lags and goes on reading.
const relayPatience = 5 * time.Second

// wakeRelay is called by the ring of a relay when there is something for m.
func (m *member) wakeRelay() (busy bool) {
	return m.out.joined() && m.feed.Wake()
}

// relayed passes chunks on.
func relayed(ctx context.Context, m *member, batch []duet.Message) error {
	all := make([][]byte, len(batch))
	for i, msg := range batch {
		all[i] = msg.Body
	}
	h := m.hall
	r := h.first
	if err := r.said(ctx, m.id, all...); err != nil {
		return err
	}
	if f := h.Watch.Said; f != nil {
		for _, b := range all {
			f(m.conn, r.name, b)
		}
	}
	return nil
}
