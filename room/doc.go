// Package room lets conversations get each other's lines: a line of one member goes to all others in its room, with
// its name in front. Read [Hall] first. A Hall holds the rooms, the members and their names. Operators are members
// without a conversation.
//
// A member gets these lines, in UTF-8 or in the encoding of the hall:
//
//	anna: hello                       anna speaks
//	* anna waves                      anna does something (/me)
//	anna -> you: hello                anna speaks to this member alone
//	you -> bob: hello                 this member has spoken to bob alone
//	@ops: hello                       the operator ops speaks
//	[14:03:22] anna: hello            anna spoke at that time, before this member came
//	-- anna has joined                the hall announces something
//	… 120 messages missed             the hall tells a member that it did not read fast enough
//
// A name begins with a letter or a digit, and all text of a member stands after its name. So no line can look like a
// line of another kind. A message of several lines becomes several lines, each with the name. Control characters and
// invisible characters are spelled out.
//
// No member waits for another. A room has a ring of bytes for each kind of line end of its members, and a member is a
// place in one ring (internal/ring). Its own queue is bounded. If a member does not keep up, it learns how many
// messages it has missed, or its conversation ends as `slow-peer`. All members of a room get the messages in the same
// order, except their own, which they do not get.
package room
