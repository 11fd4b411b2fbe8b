// Package duet holds two-way conversations over TCP and other connections: servers, clients, and the messages between them.
//
// A [Server] accepts conversations and hands each [Conn] to a [Handler]. [Dial] begins
// a conversation from the other side. Both ends have the same type: Receive returns the next
// message, Send sends one, and SayBye ends the conversation in good order. Read [Conn] first, then [Server].
//
// The package knows no screens, no operators and no log formats. Programs that watch conversations
// do so through a [Trace], which changes nothing.
//
// The architecture in ten lines:
//
//   - A transport turns an address into a net.Conn or a net.Listener. It knows no messages.
//   - A framing turns bytes into messages and back. It knows no sockets and no clock.
//   - A Conn joins the two. It has the clock, the queue, the order and the ending.
//   - One goroutine receives: the handler's own. A second one writes, only while something is queued.
//   - A silent conversation holds one goroutine and no buffer. If only Read can wait on its connection, it holds two goroutines and 1 KiB.
//   - A Server keeps the roster: numbers, limits, live conversations. It does not know what a Handler does.
//   - Handlers (packages handler and desk) stand above. They see Conn and Message, never sockets or screens.
//   - A Trace tells explain, events and metrics what happens.
//   - One function closes a conversation, and each conversation ends with one named EndReason.
//   - Nothing that one peer does delays, loses or ends another peer's conversation.
//
// Letters and numbers in brackets in the code name clauses of docs/protocol.md.
package duet
