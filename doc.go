// Package duet holds two-way conversations over TCP and its like: servers, clients and what they say to each other.
//
// A [Server] accepts conversations and hands each [Conn] to a [Handler]; [Dial] begins
// one from the other side. Both ends hold the same type: Receive gives the next
// message, Send says one, SayBye ends in good order.
//
// The architecture in ten lines:
//
//   - A transport knows addresses and sockets and gives a net.Conn or net.Listener; it never hears of messages.
//   - A framing turns bytes into messages and back; it knows no sockets and no clock.
//   - Conn joins the two. It has the clock (pauses, idle, sending), the queue, the order and the ending.
//   - One goroutine receives; it is the handler's own. A second one writes, only while something is queued.
//   - A silent conversation holds one goroutine and no buffer; over a connection that only Read can wait on, two and 1 KiB.
//   - Server keeps the roster (numbers, limits, who is here) and knows nothing of what a Handler does.
//   - Handlers (packages handler and desk) stand above; they see *Conn and Message, never sockets or screens.
//   - Whatever watches (explain, events, metrics) enters as a Trace and changes nothing.
//   - One function closes (finish in close.go), and every conversation ends with one named EndReason.
//   - What one peer does never delays, loses or ends another's conversation.
//
// Clauses such as [C-5] in comments are those of docs/protocol.md.
package duet
