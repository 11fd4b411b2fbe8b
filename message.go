package duet

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"duet.example/duet/framing"
)

// A Message is one framed unit that a peer has sent.
type Message struct {
	// Body is the content, without the line end or length that the framing puts around it. It belongs to the caller of Receive.
	Body []byte
	// Partial says that the peer has not finished the message. The next one repeats and continues it. Only [Conn.ReceivePartial]
	// returns partial messages, and only with framing.Auto.
	Partial bool
	// Farewell says that this message is the peer's farewell, its own or its answer to ours. Receive returns it only with
	// Options.ShowFarewell; Trace.Received always gets it.
	Farewell bool
	// Mark names what the framing has taken off. framing.Around returns its bytes.
	Mark framing.Mark
}

// IsFarewell reports whether body is the farewell word. Blanks and line ends around it do not matter, and neither do upper and lower
// case. If word is empty, no body is a farewell.
func IsFarewell(body []byte, word string) bool {
	if word == "" {
		return false
	}
	body = bytes.TrimSpace(body) // [C-2]
	// A letter of the other case may take more bytes, but at most four times as many. A longer body is not compared.
	if len(body) > 4*len(word) {
		return false
	}
	if !utf8.Valid(body) || !utf8.ValidString(word) {
		return string(body) == word // EqualFold takes all invalid bytes for equal
	}
	return strings.EqualFold(string(body), word)
}

// farewellAnswer returns the answer to the farewell word: `Bye` to bye, and to another word the word itself, so that the peer knows it as
// its farewell.
func farewellAnswer(word string) string {
	if strings.EqualFold(word, "bye") {
		return "Bye" // [C-3]
	}
	return word
}
