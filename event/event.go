// Package event is what happens at a server, in one schema: JSON lines, for
// --json, for the control socket with its requests and replies, and for transcripts.
// docs/events.md is its description for those who write programs in other languages.
//
// It is data and lines, and opens no sockets: a [Writer] writes lines, a [Reader] reads
// them. A line is one JSON object, in UTF-8, ended by LF. Version 1 may gain fields and
// types; whoever reads skips those that they do not know. Nothing that is there changes its meaning.
package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"time"
	"unicode/utf8"
)

// Version is the version of the schema, "v" in each line that a server writes.
const Version = 1

// A Type says what happened.
type Type string

// The types of version 1.
const (
	// Listening: the server listens; Address says where.
	Listening Type = "listening"
	// Arrived: a conversation began.
	Arrived Type = "arrived"
	// Refused: a peer was not let in; Error says why.
	Refused Type = "refused"
	// Said: the peer said something.
	Said Type = "said"
	// Saying: the peer has begun to say something; the next said or saying repeats and continues it.
	Saying Type = "saying"
	// Answered: something was said to the peer, by Operator or, if that is empty, by the handler.
	Answered Type = "answered"
	// Transferred: Operator has sent BytesOut bytes to the peer, exactly as they were and in one piece: a file, mostly. With Error it
	// was broken off after them.
	Transferred Type = "transferred"
	// Spoke: Operator said something to Room, and so to all who are in it.
	Spoke Type = "spoke"
	// Named: an operator gave the conversation a name, or, if that is empty, took it away.
	Named Type = "named"
	// Noted: an operator noted something about it.
	Noted Type = "noted"
	// Banned: an operator keeps Address out from now on; Note says why.
	Banned Type = "banned"
	// Left: the conversation ended; Reason says how, Operator who ended it, if one did.
	Left Type = "left"
	// Notice: something that an operator should know.
	Notice Type = "notice"
	// Stopped: the server stopped. Nothing follows.
	Stopped Type = "stopped"
)

// An Event is one thing that happened. Fields that do not belong to its Type are zero.
type Event struct {
	Type Type
	Time time.Time
	// Conn is the conversation's number; Peer its address; Name what an operator calls it.
	Conn uint64
	Peer string
	Name string
	// Room is where it was said, where conversations hear each other.
	Room string
	// Body is what was said: the bytes, as they came or went. Text is the same in UTF-8, decoded from
	// the peer's encoding; where it is the same as Body it may be nil. Both are the peer's: untrusted.
	Body, Text []byte
	// Farewell: what was said is the farewell.
	Farewell bool
	// Raw: Body went as it is, without what ends a message.
	Raw bool
	// Mark is what stood around Body on the wire: lf, crlf, cr, nul or bytes as in 0x0d0a0a behind it, or length,
	// in four bytes before it. Empty: nothing.
	Mark string
	// Operator is who said or did it.
	Operator string
	// Reason is how a conversation ended, by name (duet.EndReason); Error what went wrong, in words.
	Reason, Error string
	// Address is where the server listens, or what is banned.
	Address string
	// Note is an operator's note, why something is banned, or a notice's words.
	Note string
	// BytesIn, BytesOut, MessagesIn and MessagesOut are the conversation's counts, when it has left. BytesOut is also the size of a transfer.
	BytesIn, BytesOut, MessagesIn, MessagesOut int64
}

// wireEvent is an Event as JSON has it.
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

// says reports whether events of type t always carry words.
func (t Type) says() bool { return t == Said || t == Saying || t == Answered || t == Spoke }

// Words is what was said in UTF-8, as far as it could be decoded: Text, or Body where that is nil. Untrusted.
func (e Event) Words() []byte {
	if e.Text == nil {
		return e.Body
	}
	return e.Text
}

// MarshalJSON gives the event as one object, without a line end, that is safe to print. Words are in "text"; where the bytes
// are not just that text in UTF-8, they are in "bytes" too, in base64 (RFC 4648).
func (e Event) MarshalJSON() ([]byte, error) {
	w := wireEvent{
		Version: Version, Type: e.Type, Time: timestamp(e.Time),
		Conn: e.Conn, Peer: e.Peer, Name: e.Name, Room: e.Room, Farewell: e.Farewell, Raw: e.Raw, Mark: e.Mark, Operator: e.Operator,
		Reason: e.Reason, Error: e.Error, Address: e.Address, Note: e.Note,
		BytesIn: e.BytesIn, BytesOut: e.BytesOut, MessagesIn: e.MessagesIn, MessagesOut: e.MessagesOut,
	}
	if words := e.Words(); e.Type.says() || len(e.Body)+len(words) > 0 {
		s := string(words) // the encoder writes U+FFFD for what is not UTF-8
		w.Text = &s
		if !utf8.Valid(words) || !bytes.Equal(words, e.Body) {
			b := base64.StdEncoding.EncodeToString(e.Body)
			w.Bytes = &b
		}
	}
	return encode(w)
}

// UnmarshalJSON takes what MarshalJSON gave, fields that it does not know too. Text is nil where it is the same as Body.
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
