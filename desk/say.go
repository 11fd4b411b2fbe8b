package desk

import (
	"context"
	"iter"

	"duet.example/duet"
)

// Say queues text for conversation n, in its encoding. If the encoding does not have a character
// ([*UnencodableError]), if the framing cannot carry the message (duet.ErrDelimiter), or if there is no conversation
// n (ErrNobody), it sends nothing.
//
// It waits only for subscribers, to give them the event, and only until ctx ends.
func (d *Desk) Say(ctx context.Context, n uint64, text string) error {
	return d.Operator("").Say(ctx, n, text)
}

// Say is [Desk.Say] by this operator.
func (o *Operator) Say(ctx context.Context, n uint64, text string) error {
	d := o.desk
	s, err := d.find(n)
	if err != nil {
		return err
	}
	body, err := d.encodingOf(s).Encode(text)
	if err != nil {
		return err
	}
	return o.speak(ctx, s, words{body: body, text: []byte(text)}, func() error { return s.conn.Post(body) })
}

// SayBytes is [Desk.Say] for a message in bytes, which are not encoded.
func (d *Desk) SayBytes(ctx context.Context, n uint64, body []byte) error {
	return d.Operator("").SayBytes(ctx, n, body)
}

// SayBytes is [Desk.SayBytes] by this operator.
func (o *Operator) SayBytes(ctx context.Context, n uint64, body []byte) error {
	d := o.desk
	s, err := d.find(n)
	if err != nil {
		return err
	}
	return o.speak(ctx, s, words{body: body, text: d.encodingOf(s).Decode(body)}, func() error { return s.conn.Post(body) })
}

// Deliver is SayBytes for large amounts: it waits until the system has taken the message, so that the queue of a slow
// peer does not overflow. If ctx ends before the first byte has left, nothing is sent. If it ends later, the
// conversation ends (duet.Conn.Send).
func (d *Desk) Deliver(ctx context.Context, n uint64, body []byte) error {
	return d.Operator("").Deliver(ctx, n, body)
}

// Deliver is [Desk.Deliver] by this operator.
func (o *Operator) Deliver(ctx context.Context, n uint64, body []byte) error {
	s, err := o.desk.find(n)
	if err != nil {
		return err
	}
	return o.deliver(ctx, s, body)
}

// deliverText is Deliver for text.
func (o *Operator) deliverText(ctx context.Context, n uint64, text string) error {
	s, err := o.desk.find(n)
	if err != nil {
		return err
	}
	body, err := o.desk.encodingOf(s).Encode(text)
	if err != nil {
		return err
	}
	return o.deliver(ctx, s, body)
}

// DeliverAll delivers bodies one after another to conversation n. It never delivers to another conversation that gets
// the number later. It stops at the first error, of bodies or of sending, and returns how many messages and bytes
// were sent.
func (d *Desk) DeliverAll(ctx context.Context, n uint64, bodies iter.Seq2[[]byte, error]) (messages, bytes int, err error) {
	return d.Operator("").DeliverAll(ctx, n, bodies)
}

// DeliverAll is [Desk.DeliverAll] by this operator.
func (o *Operator) DeliverAll(ctx context.Context, n uint64, bodies iter.Seq2[[]byte, error]) (messages, bytes int, err error) {
	s, err := o.desk.find(n)
	if err != nil {
		return 0, 0, err
	}
	for body, err := range bodies {
		if err == nil {
			err = o.deliver(ctx, s, body)
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
func (o *Operator) deliver(ctx context.Context, s *seat, body []byte) error {
	if o.desk.Next != nil {
		return o.speak(ctx, s, words{body: body}, func() error { return s.conn.Send(ctx, body) })
	}
	if err := s.conn.Send(ctx, body); err != nil {
		return err
	}
	return o.speak(ctx, s, words{body: body, text: o.desk.encodingOf(s).Decode(body)}, func() error { return nil })
}

// Bye queues the farewell of conversation n. If it has none, Bye finishes sending. A second Bye does nothing.
// ErrNobody: there is no conversation n.
func (d *Desk) Bye(ctx context.Context, n uint64) error { return d.Operator("").Bye(ctx, n) }

// Bye is [Desk.Bye] by this operator.
func (o *Operator) Bye(ctx context.Context, n uint64) error {
	s, err := o.desk.find(n)
	if err != nil {
		return err
	}
	return o.speakLast(ctx, s, []byte(s.conn.Farewell()))
}

func (o *Operator) speakLast(ctx context.Context, s *seat, word []byte) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	ending, _ := s.conn.Result()
	told := s.saidBye || ending != duet.EndNone || len(word) == 0
	w := words{body: word, text: word, farewell: true}
	if !told {
		o.claim(s, w)
	}
	if err := s.conn.PostBye(); err != nil {
		o.unclaim(s)
		return err
	}
	if told {
		return nil
	}
	s.saidBye = true
	o.tell(ctx, s, w)
	return nil
}

// words are what an operator sends: the bytes, and the same in UTF-8.
type words struct {
	body, text    []byte
	farewell, raw bool
}

// speak sends, and tells those who watch what was said.
func (o *Operator) speak(ctx context.Context, s *seat, w words, send func() error) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	o.claim(s, w)
	if err := send(); err != nil {
		o.unclaim(s)
		return err
	}
	o.tell(ctx, s, w)
	return nil
}

// claim notes that w is this operator's: where a handler speaks too, the
// conversation itself tells what was sent, in the order in which it went.
func (o *Operator) claim(s *seat, w words) {
	if o.desk.Next == nil {
		return
	}
	o.desk.mu.Lock()
	defer o.desk.mu.Unlock()
	s.spoken = append(s.spoken, spoken{o.name, w.body, w.farewell, w.raw})
}

// unclaim takes the last claim back: it was not sent.
func (o *Operator) unclaim(s *seat) {
	o.desk.mu.Lock()
	defer o.desk.mu.Unlock()
	if n := len(s.spoken); n > 0 {
		s.spoken = s.spoken[:n-1]
	}
}

// tell tells those who watch what this operator said.
func (o *Operator) tell(ctx context.Context, s *seat, w words) {
	o.desk.mu.Lock()
	s.answered()
	e := s.event(Answered)
	o.desk.mu.Unlock()
	if o.desk.Next != nil {
		return // Trace does
	}
	e.Body, e.Text, e.Farewell, e.Raw, e.Operator = w.body, w.text, w.farewell, w.raw, o.name
	if !w.raw {
		e.Mark = s.conn.WireEncoding(w.farewell).String()
	}
	o.desk.tell(ctx, nil, o.desk.watching(), e)
}

// begin waits for the turn to speak. A ctx that has ended does not stop one who need not wait.
func (s *seat) begin(ctx context.Context) error {
	if s.speaking.Load() == nil {
		made := make(chan struct{}, 1)
		s.speaking.CompareAndSwap(nil, &made)
	}
	turn := *s.speaking.Load()
	select {
	case turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *seat) end() { <-*s.speaking.Load() }
