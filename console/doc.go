// Package console is the terminal face of a desk: from one prompt an operator talks to every conversation
// that package desk seats.
//
// A [Session] is one operator at one desk. Its printer shows what happens, in order; its Run does what the operator
// asks. What is typed is a message to the conversation that the prompt names, unless it begins with a slash: then it
// is a command (/help lists them), or, with two, a text that begins with one.
//
// Where the desk is one of rooms (desk.Hall), what is typed is said to the room that the prompt names, unless a conversation was
// chosen; commands that are the hall's are passed on to it.
//
// A [Face] is where the session prints and from where it reads. [Terminal] is the line editor, above which messages
// appear without disturbing what is being typed; [Plain] is lines in and lines out, for scripts. A Face knows no
// conversations and a Session no terminal.
//
// A [FullFace] has the whole screen for a [View] as well: everybody at the side, the words of the chosen conversation.
// The session keeps the last words of each conversation for it, within bounds; Terminal draws it.
//
// Everything that comes from a peer, from an error or from the file system passes internal/screen before it reaches
// a face. Each line of a peer's words begins with a label of its own (【Client】, 【Client 2 anna】, 【Client 2 anna, tech】, 【Server】), as do
// those of other operators (【desk → 2 anna】, 【desk → lobby】), so that none can pose as duet's; what duet itself has to say has no label.
//
// An [Explainer] narrates the calls of the network. It is a duet.Trace and a transport.StepFunc that print lines.
package console
