package desk

import (
	"duet.example/duet/event"
)

// eventTypes are the types of events in the schema.
var eventTypes = map[Kind]event.Type{
	Arrived: event.Arrived, Said: event.Said, Saying: event.Saying, Answered: event.Answered, Transferred: event.Transferred, Spoke: event.Spoke,
	Named: event.Named, Noted: event.Noted, Refused: event.Refused, Banned: event.Banned, Notice: event.Notice, Left: event.Left,
}

// Wire returns e in the schema of package event.
func (e Event) Wire() event.Event {
	w := event.Event{
		Type: eventTypes[e.Kind], Time: e.Time, Conn: e.Number, Peer: e.Peer, Name: e.Name, Room: e.Room,
		Body: e.Body, Text: e.Text, Farewell: e.Farewell, Raw: e.Raw, Mark: e.Mark, Operator: e.Operator, Address: e.Address, Note: e.Note,
		BytesIn: e.Stats.BytesIn, BytesOut: e.Stats.BytesOut, MessagesIn: e.Stats.MessagesIn, MessagesOut: e.Stats.MessagesOut,
	}
	if e.Kind == Left {
		w.Reason = e.Reason.String()
	}
	if e.Kind == Missed {
		w.Type, w.Note = event.Notice, e.Note+" events were left out"
	}
	if e.Err != nil {
		w.Error = e.Err.Error()
	}
	return w
}

// fromWire takes what Wire gave; false for types that a desk does not know.
func fromWire(w event.Event) (Event, bool) {
	e := Event{
		Time: w.Time, Number: w.Conn, Peer: w.Peer, Name: w.Name, Room: w.Room,
		Body: w.Body, Text: w.DecodedText(), Farewell: w.Farewell, Raw: w.Raw, Mark: w.Mark, Operator: w.Operator, Address: w.Address, Note: w.Note,
	}
	e.Stats.BytesIn, e.Stats.BytesOut, e.Stats.MessagesIn, e.Stats.MessagesOut = w.BytesIn, w.BytesOut, w.MessagesIn, w.MessagesOut
	for k, t := range eventTypes {
		if t == w.Type {
			e.Kind = k
		}
	}
	if w.Reason != "" {
		_ = e.Reason.UnmarshalText([]byte(w.Reason)) // one of a later version stays unnamed
	}
	if w.Error != "" {
		e.Err = &RemoteError{Text: w.Error}
	}
	return e, e.Kind != 0
}

// wire gives an entry in the schema of package event.
func (e Entry) wire() event.Entry {
	w := event.Entry{
		Conn: e.Number, Peer: e.Peer, Name: e.Name, Note: e.Note, State: event.Open, Since: e.Since,
		Last: e.Last, LastTime: e.LastTime, Unread: e.Unread, Waiting: e.Waiting,
		BytesIn: e.Stats.BytesIn, BytesOut: e.Stats.BytesOut, MessagesIn: e.Stats.MessagesIn, MessagesOut: e.Stats.MessagesOut,
		Queued: e.Queued, Framing: e.Framing, Learned: e.Learned, Encoding: e.Encoding, Farewell: e.Farewell,
	}
	if e.Reason != 0 {
		w.State, w.Reason = event.Ending, e.Reason.String()
	}
	if !e.Live() {
		w.State = event.Ended
	}
	if e.Err != nil {
		w.Error = e.Err.Error()
	}
	return w
}

func entryFromWire(w event.Entry) Entry {
	e := Entry{
		Number: w.Conn, Peer: w.Peer, Name: w.Name, Note: w.Note, Since: w.Since,
		Last: w.Last, LastTime: w.LastTime, Unread: w.Unread, Waiting: w.Waiting,
		Queued: w.Queued, Framing: w.Framing, Learned: w.Learned, Encoding: w.Encoding, Farewell: w.Farewell,
	}
	e.Stats.BytesIn, e.Stats.BytesOut, e.Stats.MessagesIn, e.Stats.MessagesOut = w.BytesIn, w.BytesOut, w.MessagesIn, w.MessagesOut
	if w.Reason != "" {
		_ = e.Reason.UnmarshalText([]byte(w.Reason))
	}
	if w.State == event.Ended {
		e.Ended = w.LastTime
		if e.Ended.IsZero() {
			e.Ended = w.Since
		}
	}
	if w.Error != "" {
		e.Err = &RemoteError{Text: w.Error}
	}
	return e
}
