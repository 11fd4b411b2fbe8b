package event

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"duet.example/duet/internal/nickname"
)

// A Command names the task of a Request.
type Command string

// The commands of version 1.
const (
	// DoList asks for the roster, or for the entry of Conn.
	DoList Command = "list"
	// DoWatch asks for all events from now on. Before them come events that describe the present state.
	DoWatch Command = "watch"
	// DoSend sends a message to Conn: Text in the conversation's encoding, or Bytes.
	DoSend Command = "send"
	// DoAll sends a message to all conversations.
	DoAll Command = "all"
	// DoTransfer sends Bytes to Conn exactly, as part of one transfer. With More, the next DoTransfer continues it.
	DoTransfer Command = "transfer"
	// DoSpeak sends Text to the room of Operator. If Text is a command of the rooms, it is carried out instead.
	DoSpeak Command = "speak"
	// DoBye sends the farewell to Conn.
	DoBye Command = "bye"
	// DoKick ends Conn at once. Reason is the cause.
	DoKick Command = "kick"
	// DoBan denies Address from now on. It is an address or a network.
	DoBan Command = "ban"
	// DoName gives Conn the name Name. If Name is empty, the name is removed.
	DoName Command = "name"
	// DoNote sets the note of Conn. If Note is empty, the note is removed.
	DoNote Command = "note"
	// DoReload reads the lists of allowed and denied addresses again.
	DoReload Command = "reload"
	// DoFraming and DoEncoding change the framing and the encoding of Conn.
	DoFraming  Command = "framing"
	DoEncoding Command = "encoding"
)

// The longest texts of a request, in bytes. Text and Bytes have the limit of a message.
const (
	MaxName    = 64 // of ID, Framing and Encoding; Name and Operator may be longer
	MaxNote    = 1024
	MaxAddress = 256
)

// A Request asks a server to do something.
type Request struct {
	// ID is repeated in the reply. It may be empty.
	ID string
	// Do is the task. Fields that the command does not use must be zero.
	Do Command
	// Conn is the number of the conversation.
	Conn uint64
	// Text or Bytes is the message. It is Bytes if Bytes is not nil.
	Text  string
	Bytes []byte
	// Raw means that Bytes are sent without the end of a message.
	Raw bool
	// Wait means that the reply comes when the system has accepted the message, not when it is queued.
	Wait bool
	// More means that the next DoTransfer continues the transfer.
	More bool

	Name, Note, Reason, Address, Framing, Encoding string
	// Operator is the name of the operator who asks, which others see. It may be empty.
	Operator string
}

// wireRequest is the JSON of a Request.
type wireRequest struct {
	Version  *int    `json:"v,omitempty"`
	ID       string  `json:"id,omitempty"`
	Do       Command `json:"do"`
	Conn     uint64  `json:"conn,omitempty"`
	Text     *string `json:"text,omitempty"`
	Bytes    *[]byte `json:"bytes,omitempty"`
	Raw      bool    `json:"raw,omitempty"`
	Wait     bool    `json:"wait,omitempty"`
	More     bool    `json:"more,omitempty"`
	Name     string  `json:"name,omitempty"`
	Note     string  `json:"note,omitempty"`
	Reason   string  `json:"reason,omitempty"`
	Address  string  `json:"address,omitempty"`
	Framing  string  `json:"framing,omitempty"`
	Encoding string  `json:"encoding,omitempty"`
	Operator string  `json:"operator,omitempty"`
}

// textOrBytes stands for Text or Bytes in uses and fields.
const textOrBytes = "text or bytes"

// uses lists the fields that each command needs, and the other fields that it may have. It is not a map, because a map would
// be made at every start.
var uses = [...]struct {
	do         Command
	needs, may []string
}{
	{do: DoList, may: []string{"conn"}},
	{do: DoWatch},
	{do: DoSend, needs: []string{"conn", textOrBytes}, may: []string{"raw", "wait"}},
	{do: DoAll, needs: []string{textOrBytes}, may: []string{"raw"}},
	{do: DoTransfer, needs: []string{"conn", textOrBytes}, may: []string{"more"}},
	{do: DoSpeak, needs: []string{textOrBytes}},
	{do: DoBye, needs: []string{"conn"}},
	{do: DoKick, needs: []string{"conn"}, may: []string{"reason"}},
	{do: DoBan, needs: []string{"address"}, may: []string{"reason"}},
	{do: DoName, needs: []string{"conn"}, may: []string{"name"}},
	{do: DoNote, needs: []string{"conn"}, may: []string{"note"}},
	{do: DoReload},
	{do: DoFraming, needs: []string{"conn", "framing"}},
	{do: DoEncoding, needs: []string{"conn", "encoding"}},
}

// fieldNames returns the fields that c needs and the other fields that it may have. known is false if there is no such
// command.
func (c Command) fieldNames() (needs, may []string, known bool) {
	for _, use := range uses {
		if use.do == c {
			return use.needs, use.may, true
		}
	}
	return nil, nil, false
}

// needsText reports whether c needs Text or Bytes.
func (c Command) needsText() bool {
	needs, _, _ := c.fieldNames()
	return slices.Contains(needs, textOrBytes)
}

// MarshalJSON returns the request as one JSON object that is safe to print. It does not check the request.
func (r Request) MarshalJSON() ([]byte, error) {
	version := Version
	w := wireRequest{
		Version: &version, ID: r.ID, Do: r.Do, Conn: r.Conn, Raw: r.Raw, Wait: r.Wait, More: r.More,
		Name: r.Name, Note: r.Note, Reason: r.Reason, Address: r.Address, Framing: r.Framing, Encoding: r.Encoding, Operator: r.Operator,
	}
	if r.Bytes != nil {
		w.Bytes = &r.Bytes
	}
	if r.Text != "" || r.Bytes == nil && r.Do.needsText() {
		w.Text = &r.Text
	}
	return encode(w)
}

// UnmarshalJSON reads a request and checks it. Unlike in a line of a server, an unknown field is an error, because the server
// could not do what it asks for. So is a field that the command does not use, a field that stands twice, and null. After an
// error, ID is set if it could be read.
func (r *Request) UnmarshalJSON(b []byte) error {
	var w wireRequest
	found, err := decodeObject(b, &w, true)
	*r = Request{
		ID: w.ID, Do: w.Do, Conn: w.Conn, Raw: w.Raw, Wait: w.Wait, More: w.More,
		Name: w.Name, Note: w.Note, Reason: w.Reason, Address: w.Address, Framing: w.Framing, Encoding: w.Encoding, Operator: w.Operator,
	}
	if len(r.ID) > MaxName {
		r.ID = "" // it is too long to repeat in a reply; Check may find another error before this one
		err = errors.Join(err, tooLong("id", MaxName))
	}
	if err != nil {
		return err
	}
	if w.Version != nil && *w.Version != Version {
		return fmt.Errorf("%w: %d", ErrVersion, *w.Version)
	}
	if w.Text != nil {
		r.Text = *w.Text
	}
	if w.Bytes != nil {
		if r.Bytes = *w.Bytes; r.Bytes == nil {
			r.Bytes = []byte{}
		}
	}
	if r.Do.needsText() && w.Text == nil && w.Bytes == nil {
		return fmt.Errorf("%s needs %s", r.Do, field{name: textOrBytes})
	}
	if w.Text != nil && w.Bytes != nil {
		return errBoth
	}
	if err := r.Check(); err != nil {
		return err
	}
	return r.checkFound(found)
}

// checkFound returns an error for a field that the command does not use and whose value is zero, which Check cannot see.
func (r Request) checkFound(found map[string]bool) error {
	needs, may, _ := r.Do.fieldNames()
	for _, f := range r.fields() {
		if slices.Contains(needs, f.name) || slices.Contains(may, f.name) {
			continue
		}
		if found[f.name] || f.name == textOrBytes && (found["text"] || found["bytes"]) {
			return fmt.Errorf("%s has no %s", r.Do, f)
		}
	}
	return nil
}

var errBoth = errors.New(`both "text" and "bytes"`)

// Check returns an error if the command is unknown, or if a field is missing, not used by the command, or too long.
func (r Request) Check() error {
	needs, may, known := r.Do.fieldNames()
	switch {
	case r.Do == "":
		return errors.New(`no "do"`)
	case !known:
		return fmt.Errorf("no command %.64q", string(r.Do))
	case r.Text != "" && r.Bytes != nil:
		return errBoth
	case r.Do == DoSpeak && r.Bytes != nil:
		return errors.New(`speak has no "bytes"`)
	case r.Do == DoTransfer && r.Bytes == nil:
		return errors.New(`transfer needs "bytes"`)
	case r.Raw && r.Bytes == nil:
		return errors.New(`"raw" needs "bytes"`)
	case r.Raw && r.Wait:
		return errors.New(`both "raw" and "wait"`)
	}
	for _, f := range r.fields() {
		needed := slices.Contains(needs, f.name)
		switch {
		case needed && !f.set:
			return fmt.Errorf("%s needs %s", r.Do, f)
		case f.set && !needed && !slices.Contains(may, f.name):
			return fmt.Errorf("%s has no %s", r.Do, f)
		case f.name == "name" && !nickname.Fits(r.Name):
			return nameTooLong("name")
		case f.name != "name" && f.len > f.max:
			return tooLong(f.name, f.max)
		}
	}
	switch {
	case len(r.ID) > MaxName:
		return tooLong("id", MaxName)
	case !nickname.Fits(r.Operator):
		return nameTooLong("operator")
	}
	return nil
}

func tooLong(field string, limit int) error {
	return fmt.Errorf("%q is longer than %d bytes", field, limit)
}

func nameTooLong(field string) error {
	return fmt.Errorf("%q is longer than %d characters and %d bytes", field, nickname.MaxLength, nickname.MaxBytes)
}

// A field is a field of a request whose use depends on the command.
type field struct {
	name     string
	set      bool
	len, max int // of a text, in bytes
}

func (f field) String() string {
	if f.name == textOrBytes {
		return `"text" or "bytes"`
	}
	return strconv.Quote(f.name)
}

// fields returns the fields whose use depends on the command.
func (r Request) fields() []field {
	text := func(name, s string, limit int) field { return field{name, s != "", len(s), limit} }
	return []field{
		{name: "conn", set: r.Conn != 0},
		{name: textOrBytes, set: r.Text != "" || r.Bytes != nil || r.Do.needsText()}, // a message may be empty
		{name: "raw", set: r.Raw},
		{name: "wait", set: r.Wait},
		{name: "more", set: r.More},
		text("name", r.Name, MaxName),
		text("note", r.Note, MaxNote),
		text("reason", r.Reason, MaxNote),
		text("address", r.Address, MaxAddress),
		text("framing", r.Framing, MaxName),
		text("encoding", r.Encoding, MaxName),
	}
}
