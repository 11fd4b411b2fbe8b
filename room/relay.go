package room

import (
	"context"
	"time"

	"duet.example/duet"
	"duet.example/duet/framing"
)

// chunks is the framing of a relay: what has arrived is a message at once, and nothing is added to what is sent.
type chunks struct{}

func (chunks) New(limit int) framing.Codec {
	if limit <= 0 {
		limit = framing.DefaultMaxMessage
	}
	return chunkCodec{limit}
}

func (chunks) String() string { return "chunks" }

type chunkCodec struct{ max int }

func (c chunkCodec) Feed(dst []framing.Message, b []byte) ([]framing.Message, error) {
	for len(b) > 0 {
		n := min(len(b), c.max)
		dst = append(dst, framing.Message{Body: append([]byte(nil), b[:n]...)})
		b = b[n:]
	}
	return dst, nil
}

func (chunkCodec) Patience() (quiet, age time.Duration) { return 0, 0 }

func (chunkCodec) Pause(dst []framing.Message, _, _ time.Duration) []framing.Message { return dst }

func (chunkCodec) End(dst []framing.Message) ([]framing.Message, error) { return dst, nil }

func (chunkCodec) Rest() []byte { return nil }

func (chunkCodec) Held() int { return 0 }

func (chunkCodec) Shrink() {}

func (chunkCodec) Append(dst, body []byte) ([]byte, error) { return append(dst, body...), nil }

func (chunkCodec) AppendFarewell(dst, body []byte) ([]byte, error) { return append(dst, body...), nil }

func (chunkCodec) Sent() {}

func (chunkCodec) Gap() time.Duration { return 0 }

// relayPatience is how long, in all, the others wait for a member of a relay that lags and goes on reading.
const relayPatience = 5 * time.Second

// relay is what the ring of a relay calls when there is something for m.
func (m *member) relay() (busy bool) {
	return m.out.joined() && m.conn.Pump()
}

// relayed passes a chunk on, and what else has arrived.
func relayed(ctx context.Context, m *member, chunk []byte) error {
	all := [][]byte{chunk}
	size := len(chunk)
	var err error
	for n := min(m.conn.Ready(), takeMessages-1); n > 0 && size < takeBytes; n-- {
		var msg duet.Message
		if msg, err = m.conn.Receive(ctx); err != nil || msg.Farewell {
			break
		}
		size += len(msg.Body)
		all = append(all, msg.Body)
	}
	h := m.hall
	r := h.first
	if said := r.said(ctx, m.id, all...); said != nil {
		return said
	}
	if f := h.Watch.Said; f != nil {
		for _, b := range all {
			f(m.conn, r.name, b)
		}
	}
	return err
}
