package console

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// cmdHex shows messages as hex from now on, or sends exactly these bytes.
func (s *Session) cmdHex(ctx context.Context, rest string) (bool, Outcome) {
	typed := "/hex " + rest
	rest = strings.TrimSpace(rest)
	s.mu.Lock()
	on, ok := onOff(rest, s.hex)
	if ok {
		s.hex = on
	}
	s.mu.Unlock()
	if ok {
		s.Notice("hex " + onOffWord(on))
		return false, Stopped
	}
	b, err := ParseBytes(rest)
	if err != nil {
		s.refuse(typed, err.Error())
		return false, Stopped
	}
	if !s.awaitTurn(ctx, typed) {
		return false, Stopped
	}
	n, why := s.addressee()
	switch {
	case n == 0:
		s.refuse(typed, why)
		return false, Stopped
	case !s.takeTurn(n):
		s.refuse(typed, peersTurn)
		return false, Stopped
	}
	if err := s.desk.SayRaw(ctx, n, b); err != nil {
		s.returnTurn(n)
		s.refuse(typed, sayProblem(err))
		return false, Stopped
	}
	s.tellf("sent %s: %s", count(len(b), "byte", "bytes"), shortHex(b))
	s.tellBehind(n)
	return false, Stopped
}

// shortHex shows b, or its beginning, which is enough to recognise it.
func shortHex(b []byte) string {
	if len(b) > 32 {
		return fmt.Sprintf("% x …", b[:32])
	}
	return fmt.Sprintf("% x", b)
}

// ParseBytes takes bytes as a person writes them: pairs of hex digits, each group with or
// without 0x, between blanks, commas and colons; or a text in double quotes with the escapes of Go (\x1e, \u00e9, \r, \n).
func ParseBytes(text string) ([]byte, error) {
	if strings.HasPrefix(text, `"`) {
		s, err := strconv.Unquote(text)
		if err != nil {
			return nil, fmt.Errorf(`%s: want "text", with escapes such as \x1e, \r, \u00e9`, text)
		}
		return []byte(s), nil
	}
	var all []byte
	for _, group := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t,:", r) }) {
		digits, marked := strings.CutPrefix(strings.ToLower(group), "0x")
		if marked && len(digits) == 1 {
			digits = "0" + digits
		}
		b, err := hex.DecodeString(digits)
		if err != nil || len(b) == 0 {
			return nil, fmt.Errorf(`%s: want pairs of hex digits (02 41 03) or "text"`, group)
		}
		all = append(all, b...)
	}
	return all, nil
}
