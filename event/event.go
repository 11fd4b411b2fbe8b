// Package event is the schema of events, requests and replies, and their JSON lines. The flag --json, the control socket and
// transcripts use them. The file docs/events.md describes the lines for programs in other languages.
//
// The package opens no sockets and knows no server. A [Writer] writes lines and a [Reader] reads them. Read [Event] and
// [Request] first.
//
// A line is one JSON object in UTF-8, ended by LF. Version 1 may gain fields and types, which a reader must skip if it does
// not know them. The meaning of a field or a type never changes.
package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"time"
	"unicode/utf8"
)

// Version is the version of the schema. It is "v" in each line of a server.
const Version = 1

// A Type is a kind of event.
type Type string

// The types of version 1.
const (
	// Listening means that the server listens at Address.
	Listening Type = "listening"
	// Arrived means that a conversation has begun.
	Arrived Type = "arrived"
	// Refused means that a peer was not admitted. Error is the cause.
	Refused Type = "refused"
	// Said means that a message of the peer was received.
	Said Type = "said"
	// Saying means that a part of a message was received. The next Said or Saying of the conversation repeats and continues it.
	Saying Type = "saying"
	// Answered means that a message was sent to the peer by Operator. If Operator is empty, the handler has sent it.
	Answered Type = "answered"
	// Transferred means that Operator has sent BytesOut bytes to the peer, exactly and in one piece, such as a file. With an
	// Error, the transfer was broken off after these bytes.
	Transferred Type = "transferred"
	// Spoke means that Operator has sent a line to the members of Room.
	Spoke Type = "spoke"
	// Named means that an operator has given the conversation the name Name. If Name is empty, the name was removed.
	Named Type = "named"
	// Noted means that an operator has set the note of the conversation.
	Noted Type = "noted"
	// Banned means that an operator denies Address from now on. Note is the reason.
	Banned Type = "banned"
	// Left means that the conversation has ended. Reason is how. Operator has ended it, unless Operator is empty.
	Left Type = "left"
	// Notice is a fact that an operator should know. Note is its text.
	Notice Type = "notice"
	// Stopped means that the server has stopped. No event follows.
	Stopped Type = "stopped"
)

// An Event is one thing that happened at a server. Fields that do not belong to its Type are zero.
type Event struct {
	Type Type
	Time time.Time
	// Conn is the conversation's number. Peer is its address. Name is the name that an operator has given it.
	Conn uint64
	Peer string
	Name string
	// Room is the room of a message. It is empty if the server has no rooms.
	Room string
	// Body holds the bytes of the message as they were received or sent. Text is the message in UTF-8, decoded from the
	// peer's encoding. Text may be nil if it equals Body. Both are untrusted.
	Body, Text []byte
	// Farewell reports whether the message is the farewell.
	Farewell bool
	// Raw reports whether Body was sent without the end of a message.
	Raw bool
	// Mark is what the framing added to Body on the wire. It is "lf", "crlf", "cr", "nul" or bytes in hexadecimal
	// ("0x0d0a0a") after Body, or "length" for four bytes before it. Empty: nothing.
	Mark string
	// Operator is the name of the operator who has caused the event.
	Operator string
	// Reason is how a conversation ended: the name of a duet.EndReason. Error is a text for people.
	Reason, Error string
	// Address is the address at which the server listens, or the address or network that is banned.
	Address string
	// Note is an operator's note, the reason for a ban, or the text of a notice.
	Note string
	// BytesIn, BytesOut, MessagesIn and MessagesOut are the counts of a conversation that has ended. BytesOut is also the
	// size of a transfer.
	BytesIn, BytesOut, MessagesIn, MessagesOut int64
}

// wireEvent is the JSON of an Event.
type wireEvent struct {
	Version  int       `json:"v"`
	Type     Type      `json:"type"`
	Time     timestamp `json:"time"`
	Conn     uint64    `json:"conn,omitempty"`
	Peer     string    `json:"peer,omitempty"`
	Name     string    `json:"name,omitempty"`
	Room     string    `json:"room,omitempty"`
	Text     *string   `json:"text,omitempty"`
	Bytes    *string   `json:"bytes,omitempty"`
	Farewell bool      `json:"farewell,omitempty"`
	Raw      bool      `json:"raw,omitempty"`
	Mark     string    `json:"mark,omitempty"`
	Operator string    `json:"operator,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Error    string    `json:"error,omitempty"`
	Address  string    `json:"address,omitempty"`
	Note     string    `json:"note,omitempty"`

	BytesIn     int64 `json:"bytes_in,omitempty"`
	BytesOut    int64 `json:"bytes_out,omitempty"`
	MessagesIn  int64 `json:"messages_in,omitempty"`
	MessagesOut int64 `json:"messages_out,omitempty"`
}

// hasText reports whether every event of type t has "text" in JSON, even if it is empty.
func (t Type) hasText() bool { return t == Said || t == Saying || t == Answered || t == Spoke }

// DecodedText returns the message in UTF-8, as far as it could be decoded. It is Text, or Body if Text is nil. It is untrusted.
func (e Event) DecodedText() []byte {
	if e.Text == nil {
		return e.Body
	}
	return e.Text
}

// MarshalJSON returns the event as one JSON object without a line end. The object is safe to print on a terminal. "text" is
// the decoded text. If Body is not that text in UTF-8, "bytes" is Body in base64 (RFC 4648).
func (e Event) MarshalJSON() ([]byte, error) {
	w := wireEvent{
		Version: Version, Type: e.Type, Time: timestamp(e.Time),
		Conn: e.Conn, Peer: e.Peer, Name: e.Name, Room: e.Room, Farewell: e.Farewell, Raw: e.Raw, Mark: e.Mark, Operator: e.Operator,
		Reason: e.Reason, Error: e.Error, Address: e.Address, Note: e.Note,
		BytesIn: e.BytesIn, BytesOut: e.BytesOut, MessagesIn: e.MessagesIn, MessagesOut: e.MessagesOut,
	}
	if text := e.DecodedText(); e.Type.hasText() || len(e.Body)+len(text) > 0 {
		s := string(text) // the encoder writes U+FFFD for bytes that are not UTF-8
		w.Text = &s
		if !utf8.Valid(text) || !bytes.Equal(text, e.Body) {
			b := base64.StdEncoding.EncodeToString(e.Body)
			w.Bytes = &b
		}
	}
	return encode(w)
}

// UnmarshalJSON reads the object that MarshalJSON returns. It skips unknown fields. Text is nil if it equals Body.
func (e *Event) UnmarshalJSON(b []byte) error {
	var w wireEvent
	if err := decodeVersioned(b, &w, &w.Version); err != nil {
		return err
	}
	if w.Type == "" {
		return errNoType
	}
	*e = Event{
		Type: w.Type, Time: time.Time(w.Time),
		Conn: w.Conn, Peer: w.Peer, Name: w.Name, Room: w.Room, Farewell: w.Farewell, Raw: w.Raw, Mark: w.Mark, Operator: w.Operator,
		Reason: w.Reason, Error: w.Error, Address: w.Address, Note: w.Note,
		BytesIn: w.BytesIn, BytesOut: w.BytesOut, MessagesIn: w.MessagesIn, MessagesOut: w.MessagesOut,
	}
	if w.Text != nil {
		e.Body = []byte(*w.Text)
	}
	if w.Bytes == nil {
		return nil
	}
	body, err := base64.StdEncoding.DecodeString(*w.Bytes)
	if err != nil {
		return err
	}
	if text := e.Body; !bytes.Equal(text, body) {
		e.Text = append([]byte{}, text...) // not nil, though it may be empty
	}
	e.Body = body
	return nil
}

var _ interface {
	json.Marshaler
	json.Unmarshaler
} = (*Event)(nil)
