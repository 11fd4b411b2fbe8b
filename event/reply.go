package event

import "time"

// The types of the lines of a server that are no events.
const (
	typeHello = "hello"
	typeReply = "reply"
)

// A Hello is the first line of a control socket. It names the program and the version of the schema.
type Hello struct {
	// Program is "duet". Version is the program's version, for people.
	Program, Version string
	// Time is the time of the line, by the server's clock.
	Time time.Time
	// Hall is the room that every conversation joins first. It is empty if the server has no rooms. Commands are the commands
	// that the text of a DoSpeak may be.
	Hall     string
	Commands []HallCommand
}

// A HallCommand is a command of the rooms. Usage is how it is typed. Help says what it does.
type HallCommand struct {
	Usage string `json:"usage"`
	Help  string `json:"help"`
}

// UnmarshalJSON reads the object that stands in a Hello.
func (c *HallCommand) UnmarshalJSON(b []byte) error {
	_, err := decodeObject(b, c, false)
	return err
}

type wireHello struct {
	Version int       `json:"v"`
	Type    string    `json:"type"`
	Time    timestamp `json:"time"`
	Program string    `json:"program"`
	Release string    `json:"version"`

	Hall     string        `json:"hall,omitempty"`
	Commands []HallCommand `json:"commands,omitzero"`
}

// MarshalJSON returns the hello as one JSON object that is safe to print.
func (h Hello) MarshalJSON() ([]byte, error) {
	return encode(wireHello{Version, typeHello, timestamp(h.Time), h.Program, h.Version, h.Hall, h.Commands})
}

// UnmarshalJSON reads the object that MarshalJSON returns. The error is ErrVersion if the schema has another version.
func (h *Hello) UnmarshalJSON(b []byte) error {
	var w wireHello
	if err := decodeVersioned(b, &w, &w.Version); err != nil {
		return err
	}
	*h = Hello{Program: w.Program, Version: w.Release, Time: time.Time(w.Time), Hall: w.Hall, Commands: w.Commands}
	return nil
}

// A Reply answers one Request.
type Reply struct {
	// ID is the request's ID. It is empty if the request had none or its ID could not be read.
	ID string
	// OK reports whether the request was carried out. If not, Error is the cause as a text for people, and the request has
	// changed nothing, except for the Count conversations.
	OK    bool
	Error string
	// Count is the number of conversations for which a DoAll was carried out.
	Count int
	// Roster is the result of a DoList. More reports whether another reply to the same request follows and continues Roster or
	// Answer.
	Roster []Entry
	More   bool
	// Answer holds the lines that a DoSpeak has returned, mostly of a command. They are untrusted.
	Answer []string
	// Room is the room to which the operator's next DoSpeak goes. It is set after a DoSpeak or a DoList if there are rooms.
	Room string
	// BytesOut is the number of bytes of a transfer that have been sent so far.
	BytesOut int64
}

type wireReply struct {
	Version int     `json:"v"`
	Type    string  `json:"type"`
	ID      string  `json:"id,omitempty"`
	OK      bool    `json:"ok"`
	Error   string  `json:"error,omitempty"`
	Count   int     `json:"count,omitempty"`
	Roster  []Entry `json:"roster,omitzero"`
	More    bool    `json:"more,omitempty"`

	Answer []string `json:"answer,omitzero"`
	Room   string   `json:"room,omitempty"`

	BytesOut int64 `json:"bytes_out,omitempty"`
}

// MarshalJSON returns the reply as one JSON object that is safe to print.
func (r Reply) MarshalJSON() ([]byte, error) {
	return encode(wireReply{Version, typeReply, r.ID, r.OK, r.Error, r.Count, r.Roster, r.More, r.Answer, r.Room, r.BytesOut})
}

// UnmarshalJSON reads the object that MarshalJSON returns.
func (r *Reply) UnmarshalJSON(b []byte) error {
	var w wireReply
	if err := decodeVersioned(b, &w, &w.Version); err != nil {
		return err
	}
	*r = Reply{w.ID, w.OK, w.Error, w.Count, w.Roster, w.More, w.Answer, w.Room, w.BytesOut}
	return nil
}

// A State is the state of a conversation.
type State string

// The states of version 1.
const (
	// Open means that the conversation goes on.
	Open State = "open"
	// Ending means that one side has sent the farewell or has begun to close. Reason is how it ends.
	Ending State = "ending"
	// Ended means that the conversation has ended. Reason is how.
	Ended State = "ended"
)

// An Entry is one conversation in the roster.
type Entry struct {
	// Conn is the conversation's number. Peer is its address. Name and Note are set by operators.
	Conn             uint64
	Peer, Name, Note string
	State            State
	// Reason is how the conversation ends or has ended: the name of a duet.EndReason. Error is a text for people.
	Reason, Error string
	// Since is the time at which the conversation began.
	Since time.Time
	// Last is the beginning of the last message of the peer, in UTF-8 and untrusted. LastTime is the time at which it was
	// received. Both are zero if there is none.
	Last     []byte
	LastTime time.Time
	// Unread is the number of messages since an operator has answered. Waiting is the time of the first of them.
	Unread  int
	Waiting time.Time
	// The counts of received and sent bytes and of whole messages.
	BytesIn, BytesOut, MessagesIn, MessagesOut int64
	// Queued is the number of bytes that wait to be sent to the peer.
	Queued int
	// Framing is the name of the framing. Learned is what the framing has learned about the peer.
	Framing, Learned string
	Encoding         string
	// Farewell is the word that ends the conversation. Empty: there is none.
	Farewell string
}

type wireEntry struct {
	Conn        uint64    `json:"conn"`
	Peer        string    `json:"peer"`
	Name        string    `json:"name,omitempty"`
	Note        string    `json:"note,omitempty"`
	State       State     `json:"state"`
	Reason      string    `json:"reason,omitempty"`
	Error       string    `json:"error,omitempty"`
	Since       timestamp `json:"since"`
	Last        string    `json:"last,omitempty"`
	LastTime    timestamp `json:"last_time,omitzero"`
	Unread      int       `json:"unread,omitempty"`
	Waiting     timestamp `json:"waiting,omitzero"`
	BytesIn     int64     `json:"bytes_in,omitempty"`
	BytesOut    int64     `json:"bytes_out,omitempty"`
	MessagesIn  int64     `json:"messages_in,omitempty"`
	MessagesOut int64     `json:"messages_out,omitempty"`
	Queued      int       `json:"queued,omitempty"`
	Framing     string    `json:"framing"`
	Learned     string    `json:"learned,omitempty"`
	Encoding    string    `json:"encoding"`
	Farewell    string    `json:"farewell,omitempty"`
}

// MarshalJSON returns the entry as one JSON object that is safe to print.
func (e Entry) MarshalJSON() ([]byte, error) {
	return encode(wireEntry{
		e.Conn, e.Peer, e.Name, e.Note, e.State, e.Reason, e.Error, timestamp(e.Since), string(e.Last), timestamp(e.LastTime),
		e.Unread, timestamp(e.Waiting), e.BytesIn, e.BytesOut, e.MessagesIn, e.MessagesOut, e.Queued,
		e.Framing, e.Learned, e.Encoding, e.Farewell,
	})
}

// UnmarshalJSON reads the object that MarshalJSON returns. Bytes of Last that were not UTF-8 are U+FFFD.
func (e *Entry) UnmarshalJSON(b []byte) error {
	var w wireEntry
	if _, err := decodeObject(b, &w, false); err != nil {
		return err
	}
	*e = Entry{
		w.Conn, w.Peer, w.Name, w.Note, w.State, w.Reason, w.Error, time.Time(w.Since), nil, time.Time(w.LastTime),
		w.Unread, time.Time(w.Waiting), w.BytesIn, w.BytesOut, w.MessagesIn, w.MessagesOut, w.Queued,
		w.Framing, w.Learned, w.Encoding, w.Farewell,
	}
	if w.Last != "" {
		e.Last = []byte(w.Last)
	}
	return nil
}

// rosterLine is about the longest line of one reply, in bytes.
const rosterLine = 512 << 10

// RosterReplies returns the replies to a DoList: several if the roster is too long for one line. All except the last have
// More set. There is at least one.
func RosterReplies(id string, roster []Entry) []Reply {
	var all []Reply
	part := []Entry{}
	size := 0
	for _, e := range roster {
		if n := e.size(); size+n > rosterLine && len(part) > 0 {
			all = append(all, Reply{ID: id, OK: true, Roster: part, More: true})
			part, size = []Entry{}, 0
		}
		part = append(part, e)
		size += e.size()
	}
	return append(all, Reply{ID: id, OK: true, Roster: part})
}

// Parts returns the reply as several if Answer is too long for one line. All except the last have More set.
func (r Reply) Parts() []Reply {
	var all []Reply
	begin, size := 0, 0
	for i, l := range r.Answer {
		n := 6*len(l) + 3
		if size+n > rosterLine && i > begin {
			part := r
			part.Answer, part.More = r.Answer[begin:i], true
			all = append(all, part)
			begin, size = i, 0
		}
		size += n
	}
	r.Answer = r.Answer[begin:]
	return append(all, r)
}

// size returns the greatest length of the entry in JSON. Each byte may become six.
func (e Entry) size() int {
	const names, numbers = 350, 300
	text := len(e.Peer) + len(e.Name) + len(e.Note) + len(e.State) + len(e.Reason) + len(e.Error) + len(e.Last) +
		len(e.Framing) + len(e.Learned) + len(e.Encoding) + len(e.Farewell)
	return names + numbers + 6*text
}
