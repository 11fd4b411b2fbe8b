// Package room is for conversations that hear each other: what one peer says goes to all others in its room, with its name
// before every line. A [Hall] holds the rooms, the members and their names; operators are members without a conversation.
//
// What members get, one line each, in UTF-8 or in the hall's encoding:
//
//	anna: hello                       said by anna
//	* anna waves                      done by anna
//	anna -> you: hello                said by anna to this member alone; you -> bob: what this member said to bob alone
//	@ops: hello                       said by the operator ops
//	[14:03:22] anna: hello            said by anna at that time, before this member came
//	-- anna has joined                announced by the hall
//	… 120 messages missed             announced by the hall to a member that did not read as fast as others spoke
//
// A name begins with a letter or a digit, and whatever else a member brings about stands behind its name, so that no form can
// pose as another. A message of several lines becomes several lines, each with the name; control characters, and others that
// cannot be seen, are spelled out.
//
// Nobody waits for anybody. Each room has a ring of bytes for every form in which its members' lines end on the wire, and a
// member is a place in one of them (internal/ring); what a member has in its own queue is bounded, and who falls behind is told how
// much it missed, or its conversation ends as `slow-peer`. Members get the messages of a room in one order, the same for all, and never their own.
package room
