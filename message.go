package duet

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"duet.example/duet/framing"
)

// A Message is one thing said in a conversation.
type Message struct {
	// Body is what was said, without the line end or length that the framing
	// puts around it. It belongs to the receiver of the Message.
	Body []byte
	// Partial says that the peer has not finished: the message is to be
	// shown, and the next one repeats and continues it. Only
	// [Conn.ReceivePartial] gives partial messages, and only with framing.Auto.
	Partial bool
	// Farewell says that this message is the peer's farewell, its own or its answer to ours. Receive returns it only with
	// Options.ShowFarewell; Trace.Received always gets it.
	Farewell bool
	// Mark is what the framing took off: framing.Around gives its bytes.
	Mark framing.Mark
}

// IsFarewell reports whether body, but for blanks and a line end around it and
// for upper and lower case, is the farewell word. No body is, where word is empty. [C-2]
func IsFarewell(body []byte, word string) bool {
	if word == "" {
		return false
	}
	body = bytes.TrimSpace(body)
	// A letter of the other case may take more bytes, but never more than these. A longer body is not looked at.
	if len(body) > 4*len(word) {
		return false
	}
	if !utf8.Valid(body) || !utf8.ValidString(word) {
		return string(body) == word // to EqualFold, one invalid byte is as good as another
	}
	return strings.EqualFold(string(body), word)
}

// farewellAnswer is what answers the farewell word: `Bye` to a bye, the word
// itself where another was agreed, so that the peer knows it as its farewell.
func farewellAnswer(word string) string {
	if strings.EqualFold(word, "bye") {
		return "Bye"
	}
	return word
}
