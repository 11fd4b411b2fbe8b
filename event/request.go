package event

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"duet.example/duet/internal/nickname"
)

// A Command is what a Request wants to be done.
type Command string

// The commands of version 1.
const (
	// DoList asks for the roster, or for Conn's entry.
	DoList Command = "list"
	// DoWatch asks for all events from now on, after those that tell what is there now.
	DoWatch Command = "watch"
	// DoSend says Text, in the conversation's encoding, or Bytes as they are, to Conn.
	DoSend Command = "send"
	// DoAll says it to all.
	DoAll Command = "all"
	// DoTransfer sends Bytes to Conn, exactly as they are, as part of one transfer; with More, the next one goes on with it.
	DoTransfer Command = "transfer"
	// DoSpeak says Text to the room in which Operator speaks, or does what it asks where it is a command of the hall.
	DoSpeak Command = "speak"
	// DoBye says the farewell to Conn.
	DoBye Command = "bye"
	// DoKick ends Conn at once; Reason says why.
	DoKick Command = "kick"
	// DoBan keeps Address out from now on: an address or a network.
	DoBan Command = "ban"
	// DoName gives Conn a name, or takes it away.
	DoName Command = "name"
	// DoNote notes something about Conn, or takes the note away.
	DoNote Command = "note"
	// DoReload reads the lists of who may come in again.
	DoReload Command = "reload"
	// DoFraming and DoEncoding change those of Conn.
	DoFraming  Command = "framing"
	DoEncoding Command = "encoding"
)

// How long the texts of a request may be, in bytes; what is said has the limit of a message.
const (
	MaxName    = 64 // ID, Framing, Encoding; Name and Operator may be longer, see nickname.Fits
	MaxNote    = 1024
	MaxAddress = 256
)

// A Request asks a server to do something.
type Request struct {
	// ID is in the reply; it may be empty.
	ID string
	// Do says what. Fields that it does not use must be zero.
	Do Command
	// Conn is the number of the conversation it is about.
	Conn uint64
	// Text or Bytes is what is to be said: Bytes where they are not nil.
	Text  string
	Bytes []byte
	// Raw: Bytes are sent exactly as they are, without what ends a message.
	Raw bool
	// Wait: the reply comes when the system has taken the message, not when it is queued.
	Wait bool
	// More: the transfer goes on in the next DoTransfer.
	More bool

	Name, Note, Reason, Address, Framing, Encoding string
	// Operator is who asks, for others to see; it may be empty.
	Operator string
}

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

// words stands for Text or Bytes.
const words = "words"

// uses says which fields each command needs, and which it may have as well. It is no map, which would be made at every start.
var uses = [...]struct {
	do         Command
	needs, may []string
}{
	{do: DoList, may: []string{"conn"}},
	{do: DoWatch},
	{do: DoSend, needs: []string{"conn", words}, may: []string{"raw", "wait"}},
	{do: DoAll, needs: []string{words}, may: []string{"raw"}},
	{do: DoTransfer, needs: []string{"conn", words}, may: []string{"more"}},
	{do: DoSpeak, needs: []string{words}},
	{do: DoBye, needs: []string{"conn"}},
	{do: DoKick, needs: []string{"conn"}, may: []string{"reason"}},
	{do: DoBan, needs: []string{"address"}, may: []string{"reason"}},
	{do: DoName, needs: []string{"conn"}, may: []string{"name"}},
	{do: DoNote, needs: []string{"conn"}, may: []string{"note"}},
	{do: DoReload},
	{do: DoFraming, needs: []string{"conn", "framing"}},
	{do: DoEncoding, needs: []string{"conn", "encoding"}},
}

// fieldNames gives the fields that c needs and those that it may have. known is false if there is no such command.
func (c Command) fieldNames() (needs, may []string, known bool) {
	for _, use := range uses {
		if use.do == c {
			return use.needs, use.may, true
		}
	}
	return nil, nil, false
}

// says reports whether c says something.
func (c Command) says() bool {
	needs, _, _ := c.fieldNames()
	return slices.Contains(needs, words)
}

// MarshalJSON gives it as one object that is safe to print. It does not check it.
func (r Request) MarshalJSON() ([]byte, error) {
	version := Version
	w := wireRequest{
		Version: &version, ID: r.ID, Do: r.Do, Conn: r.Conn, Raw: r.Raw, Wait: r.Wait, More: r.More,
		Name: r.Name, Note: r.Note, Reason: r.Reason, Address: r.Address, Framing: r.Framing, Encoding: r.Encoding, Operator: r.Operator,
	}
	if r.Bytes != nil {
		w.Bytes = &r.Bytes
	}
	if r.Text != "" || r.Bytes == nil && r.Do.says() {
		w.Text = &r.Text
	}
	return encode(w)
}

// UnmarshalJSON takes a request and checks it. Other than in what a server writes, a field that is not known is an
// error, and so are one that the command does not use, one that stands twice, and null: what was asked for would not be what is done. After an error the ID is there, if it could be read.
func (r *Request) UnmarshalJSON(b []byte) error {
	var w wireRequest
	found, err := decodeObject(b, &w, true)
	*r = Request{
		ID: w.ID, Do: w.Do, Conn: w.Conn, Raw: w.Raw, Wait: w.Wait, More: w.More,
		Name: w.Name, Note: w.Note, Reason: w.Reason, Address: w.Address, Framing: w.Framing, Encoding: w.Encoding, Operator: w.Operator,
	}
	if len(r.ID) > MaxName {
		r.ID = "" // it is not repeated; Check would see it too, but an earlier error may come first
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
	if r.Do.says() && w.Text == nil && w.Bytes == nil {
		return fmt.Errorf("%s needs %s", r.Do, field{name: words})
	}
	if w.Text != nil && w.Bytes != nil {
		return errBoth
	}
	if err := r.Check(); err != nil {
		return err
	}
	return r.checkFound(found)
}

// checkFound finds what Check cannot see: a field that the command does not use and whose value is zero or empty.
func (r Request) checkFound(found map[string]bool) error {
	needs, may, _ := r.Do.fieldNames()
	for _, f := range r.fields() {
		if slices.Contains(needs, f.name) || slices.Contains(may, f.name) {
			continue
		}
		if found[f.name] || f.name == words && (found["text"] || found["bytes"]) {
			return fmt.Errorf("%s has no %s", r.Do, f)
		}
	}
	return nil
}

var errBoth = errors.New(`both "text" and "bytes"`)

// Check says what is wrong with a request: no such command, a field that is missing, too many or too long.
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

type field struct {
	name     string
	set      bool
	len, max int
}

func (f field) String() string {
	if f.name == words {
		return `"text" or "bytes"`
	}
	return strconv.Quote(f.name)
}

// fields are those that depend on the command.
func (r Request) fields() []field {
	text := func(name, s string, limit int) field { return field{name, s != "", len(s), limit} }
	return []field{
		{name: "conn", set: r.Conn != 0},
		{name: words, set: r.Text != "" || r.Bytes != nil || r.Do.says()}, // an empty message is one
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
