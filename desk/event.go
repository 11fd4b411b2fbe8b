package desk

import (
	"time"

	"duet.example/duet"
)

// A Kind says what happened.
type Kind uint8

// What happens at a desk.
const (
	// Arrived: a conversation began.
	Arrived Kind = iota + 1
	// Said: the peer said something.
	Said
	// Saying: the peer has begun to say something; the next Said or Saying repeats and continues it.
	Saying
	// Answered: something was said to the peer, by an operator or by the handler at the desk.
	Answered
	// Transferred: an operator has sent Stats.BytesOut bytes to the peer, exactly as they were; with Err the transfer was broken off after them.
	Transferred
	// Spoke: an operator said something to a Room of a Hall; it belongs to no conversation.
	Spoke
	// Named: the conversation has a name now, or none.
	Named
	// Noted: an operator noted something about the conversation.
	Noted
	// Refused: a peer was not let in; there is no conversation.
	Refused
	// Banned: an operator keeps Address out from now on, an address or a network; Note says why.
	Banned
	// Notice: Note is something that operators should know.
	Notice
	// Left: the conversation ended; Operator is who ended it, if one did.
	Left
	// Missed: events that nobody could wait for were left out; Note says how many.
	Missed
)

// An Event is one thing that happened at a desk. Events of one conversation come in order: what the
// peer said as it came, what operators said as it went, but for what is delivered (Deliver), which comes when the system has taken it.
type Event struct {
	Kind Kind
	Time time.Time
	// Number is the conversation's number.
	Number uint64
	// Peer is the peer's address, Name what an operator calls the conversation.
	Peer, Name string
	// Room is where it was said, at a Hall (Said, Spoke).
	Room string
	// Operator is who said or did it; empty where it was the handler.
	Operator string
	// Address is what was Banned.
	Address string
	// Note is what was Noted, why something was Banned, or a Notice.
	Note string
	// Body is what was said, as it came or went; Text the same in UTF-8, where what could not be decoded stays as it came. Both are the
	// peer's (Said, Saying): untrusted, and not to be changed.
	Body, Text []byte
	// Farewell: what was said is the farewell.
	Farewell bool
	// Raw: Body went exactly as it is, without what ends a message.
	Raw bool
	// Mark names what stood around Body on the wire (Said, Answered), as framing.Around takes it.
	Mark string
	// Reason and Err tell how a conversation that Left ended, Err why a peer was Refused.
	Reason duet.EndReason
	Err    error
	// Stats are the counts of a conversation that Left; of what was Transferred, only BytesOut.
	Stats duet.Stats

	conn *duet.Conn // holds the event while subscribers have not read it; nil for others
}

// size is how many bytes of what was said the event holds. Text is often Body itself, but counts: it need not be.
func (e Event) size() int { return len(e.Body) + len(e.Text) }
