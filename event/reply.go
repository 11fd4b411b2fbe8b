package event

import "time"

// The types of lines that a server writes to a control socket and that are no events.
const (
	typeHello = "hello"
	typeReply = "reply"
)

// A Hello is the first line of a control socket: who speaks there, in which version of the schema.
type Hello struct {
	// Program is "duet", Version its own version, for people.
	Program, Version string
	// Time is when it was written, by the server's clock.
	Time time.Time
	// Hall is the room that everybody enters first, where conversations hear each other; empty where they do not. Commands
	// are those that a speak may hold there.
	Hall     string
	Commands []HallCommand
}

// A HallCommand is a command of a hall: how it is written, and what it does.
type HallCommand struct {
	Usage string `json:"usage"`
	Help  string `json:"help"`
}

// UnmarshalJSON takes it as it is written in a Hello.
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

// MarshalJSON gives it as one object that is safe to print.
func (h Hello) MarshalJSON() ([]byte, error) {
	return encode(wireHello{Version, typeHello, timestamp(h.Time), h.Program, h.Version, h.Hall, h.Commands})
}

// UnmarshalJSON takes what MarshalJSON gave; ErrVersion where the schema is another.
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
	// ID is the request's; empty where that had none or could not be read.
	ID string
	// OK: it was done. Otherwise Error says why not, in words; nothing has happened then, unless Count says for how many it has.
	OK    bool
	Error string
	// Count is for how many conversations it was done, where that may be several (all).
	Count int
	// Roster answers list. More: another reply to the same request follows, with more of it.
	Roster []Entry
	More   bool
	// Answer is what a speak brought, a line each: of a command, mostly. Untrusted.
	Answer []string
	// Room is where the operator who asks speaks now, after a speak or a list in a hall.
	Room string
	// BytesOut is how many bytes of a transfer have left so far.
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

// MarshalJSON gives it as one object that is safe to print.
func (r Reply) MarshalJSON() ([]byte, error) {
	return encode(wireReply{Version, typeReply, r.ID, r.OK, r.Error, r.Count, r.Roster, r.More, r.Answer, r.Room, r.BytesOut})
}

// UnmarshalJSON takes what MarshalJSON gave.
func (r *Reply) UnmarshalJSON(b []byte) error {
	var w wireReply
	if err := decodeVersioned(b, &w, &w.Version); err != nil {
		return err
	}
	*r = Reply{w.ID, w.OK, w.Error, w.Count, w.Roster, w.More, w.Answer, w.Room, w.BytesOut}
	return nil
}

// A State says how far a conversation is.
type State string

// The states of version 1.
const (
	// Open: it goes on.
	Open State = "open"
	// Ending: one side has said the farewell or has begun to close; Reason says how it ends.
	Ending State = "ending"
	// Ended: it has ended; Reason says how.
	Ended State = "ended"
)

// An Entry is one conversation in the roster.
type Entry struct {
	// Conn is its number; Peer its address; Name and Note what operators call it and noted.
	Conn             uint64
	Peer, Name, Note string
	State            State
	// Reason is how it ends or ended, by name; Error what went wrong, in words.
	Reason, Error string
	// Since is when it began.
	Since time.Time
	// Last is the beginning of what the peer said last, in UTF-8 and untrusted, and LastTime when; zero if it has said nothing.
	Last     []byte
	LastTime time.Time
	// Unread is how many messages came since an operator last answered, and Waiting since when the first of them waits.
	Unread  int
	Waiting time.Time
	// Counts each way, of bytes on the wire and of whole messages.
	BytesIn, BytesOut, MessagesIn, MessagesOut int64
	// Queued is how many bytes wait for the peer.
	Queued int
	// Framing is the framing's name, Learned what it has learned of the peer.
	Framing, Learned string
	Encoding         string
	// Farewell is the word that ends it; empty if none does.
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

// MarshalJSON gives it as one object that is safe to print.
func (e Entry) MarshalJSON() ([]byte, error) {
	return encode(wireEntry{
		e.Conn, e.Peer, e.Name, e.Note, e.State, e.Reason, e.Error, timestamp(e.Since), string(e.Last), timestamp(e.LastTime),
		e.Unread, timestamp(e.Waiting), e.BytesIn, e.BytesOut, e.MessagesIn, e.MessagesOut, e.Queued,
		e.Framing, e.Learned, e.Encoding, e.Farewell,
	})
}

// UnmarshalJSON takes what MarshalJSON gave. What was not UTF-8 in Last is U+FFFD.
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

// rosterLine is about how long the line of one reply with a roster may be, in bytes.
const rosterLine = 512 << 10

// RosterReplies answers a list: with several replies, of which all but the last say More, where the
// roster is too much for one line. There is at least one.
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

// Parts gives the reply as one or several of which all but the last say More, where Answer is too much for one line.
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

// size is how long the entry is in JSON at most: each byte may become six.
func (e Entry) size() int {
	const names, numbers = 350, 300
	text := len(e.Peer) + len(e.Name) + len(e.Note) + len(e.State) + len(e.Reason) + len(e.Error) + len(e.Last) +
		len(e.Framing) + len(e.Learned) + len(e.Encoding) + len(e.Farewell)
	return names + numbers + 6*text
}
