package desk

import (
	"time"

	"duet.example/duet"
)

// A Kind is the type of an event.
type Kind uint8

// The kinds of events.
const (
	// Arrived: a conversation has begun.
	Arrived Kind = iota + 1
	// Said: a message of the peer, or at a Hall a line of a member.
	Said
	// Saying: a part of a message of the peer. The next Said or Saying of the conversation repeats and continues it.
	Saying
	// Answered: a message to the peer, from an operator or from Next.
	Answered
	// Transferred: an operator has sent Stats.BytesOut bytes to the peer, without framing. With Err, the transfer was
	// broken off after them.
	Transferred
	// Spoke: a line of an operator in a Room of a Hall. It belongs to no conversation.
	Spoke
	// Named: the conversation has a new name, or none any more.
	Named
	// Noted: the conversation has a new note of an operator.
	Noted
	// Refused: a peer was not let in. There is no conversation.
	Refused
	// Banned: from now on, an operator keeps out Address, an address or a network. Note says why.
	Banned
	// Notice: Note is a notice for operators.
	Notice
	// Left: the conversation has ended. Operator is the operator that ended it, if one did.
	Left
	// Missed: the subscriber had no room for some events, and they were left out. Note says how many.
	Missed
)

// An Event is one thing that happened at a desk. The events of one conversation are in order: messages of the peer as
// they came, messages to the peer as they went. A message of Deliver is an exception: its event comes when the system
// has taken the message.
type Event struct {
	Kind Kind
	Time time.Time
	// Number is the number of the conversation. Zero: none.
	Number uint64
	// Peer is the address of the peer. Name is the name that the conversation has at the desk.
	Peer, Name string
	// Room is the room of a Hall in which the line was spoken (Said, Spoke).
	Room string
	// Operator is the name of the operator that sent or did it. It is empty for the handler, and for an operator
	// without a name.
	Operator string
	// Address is the address or network of Banned.
	Address string
	// Note is the note of Noted, the reason of Banned, or the text of Notice and Missed.
	Note string
	// Body is the message as it came or went. Text is the same in UTF-8; bytes that could not be decoded stay as they
	// came. Both are untrusted, because the peer has sent them (Said, Saying). Do not change them.
	Body, Text []byte
	// Farewell: the message is the farewell.
	Farewell bool
	// Raw: Body was sent without framing.
	Raw bool
	// Mark names the bytes around Body on the wire (Said, Answered). framing.Around takes it.
	Mark string
	// Reason and Err say how the conversation ended (Left). Err also says why a peer was Refused.
	Reason duet.EndReason
	Err    error
	// Stats are the counts of the conversation (Left). For Transferred, only BytesOut is set.
	Stats duet.Stats

	conn *duet.Conn // holds the event while subscribers have not read it; nil for others
}

// size is how many bytes of what was said the event holds. Text is often Body itself, but counts: it need not be.
func (e Event) size() int { return len(e.Body) + len(e.Text) }
