package desk

import (
	"context"
	"iter"

	"duet.example/duet"
)

// Say sends text to conversation n, in its encoding, through its bounded queue. It
// fails where a character cannot be encoded (*charset.UnencodableError) or the body cannot be framed
// (duet.ErrDelimiter), and with ErrNobody; then nothing is sent.
//
// It waits for nobody but those who watch, to tell them, and not after ctx has ended.
func (d *Desk) Say(ctx context.Context, n uint64, text string) error {
	s, err := d.find(n)
	if err != nil {
		return err
	}
	body, err := d.encodingOf(s).Encode(text)
	if err != nil {
		return err
	}
	return d.speak(ctx, s, body, []byte(text), func() error { return s.conn.Post(body) })
}

// SayBytes is Say for bytes, which go as they are.
func (d *Desk) SayBytes(ctx context.Context, n uint64, body []byte) error {
	s, err := d.find(n)
	if err != nil {
		return err
	}
	return d.speak(ctx, s, body, d.encodingOf(s).Decode(body), func() error { return s.conn.Post(body) })
}

// Deliver is SayBytes for much: it waits until the system has taken the message, so that
// the queue of a peer that reads slowly does not overflow. When ctx ends before the first byte has
// left, nothing is sent; later, the conversation ends (duet.Conn.Send).
func (d *Desk) Deliver(ctx context.Context, n uint64, body []byte) error {
	s, err := d.find(n)
	if err != nil {
		return err
	}
	return d.deliver(ctx, s, body)
}

// DeliverAll delivers bodies one after another to conversation n and to no other that might
// have its number later. It stops at the first error, of bodies or of sending, and tells how much went before.
func (d *Desk) DeliverAll(ctx context.Context, n uint64, bodies iter.Seq2[[]byte, error]) (messages, bytes int, err error) {
	s, err := d.find(n)
	if err != nil {
		return 0, 0, err
	}
	for body, err := range bodies {
		if err == nil {
			err = d.deliver(ctx, s, body)
		}
		if err != nil {
			return messages, bytes, err
		}
		messages++
		bytes += len(body)
	}
	return messages, bytes, nil
}

// deliver sends without keeping the turn to speak: what an operator types meanwhile must not wait for a slow peer.
func (d *Desk) deliver(ctx context.Context, s *seat, body []byte) error {
	if err := s.conn.Send(ctx, body); err != nil {
		return err
	}
	return d.speak(ctx, s, body, d.encodingOf(s).Decode(body), func() error { return nil })
}

// Bye says the farewell to conversation n; it takes its place behind what was said before. Where there
// is none, it finishes sending. ErrNobody where there is no such conversation; saying it again does nothing.
func (d *Desk) Bye(ctx context.Context, n uint64) error {
	s, err := d.find(n)
	if err != nil {
		return err
	}
	word := []byte(s.conn.Farewell())
	return d.speakLast(ctx, s, word)
}

func (d *Desk) speakLast(ctx context.Context, s *seat, word []byte) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	ending, _ := s.conn.End()
	if err := s.conn.PostBye(); err != nil {
		return err
	}
	if s.saidBye || ending != duet.EndNone || len(word) == 0 {
		return nil
	}
	s.saidBye = true
	e := s.event(Answered)
	e.Body, e.Text, e.Farewell = word, word, true
	tell(ctx, d.watching(), e)
	return nil
}

// speak sends, and tells those who watch what was said.
func (d *Desk) speak(ctx context.Context, s *seat, body, text []byte, send func() error) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	if err := send(); err != nil {
		return err
	}
	e := s.event(Answered)
	e.Body, e.Text = body, text
	tell(ctx, d.watching(), e)
	return nil
}

// begin waits for the turn to speak. A ctx that has ended does not stop one who need not wait.
func (s *seat) begin(ctx context.Context) error {
	select {
	case s.speaking <- struct{}{}:
		return nil
	default:
	}
	select {
	case s.speaking <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *seat) end() { <-s.speaking }
