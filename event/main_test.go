package event_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"go.uber.org/goleak"

	"duet.example/duet/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123_456_000, time.UTC)

// safe fails if b is not one line, or if it has a character that a terminal acts on.
func safe(t interface {
	Helper()
	Fatalf(string, ...any)
}, b []byte,
) {
	t.Helper()
	if !utf8.Valid(b) || !json.Valid(b) {
		t.Fatalf("no JSON in UTF-8: %q", b)
	}
	for _, r := range string(b) {
		if r < 0x20 || r == 0x7f || r >= 0x80 && !unicode.IsGraphic(r) {
			t.Fatalf("%U in %q", r, b)
		}
	}
}

// sameEvent compares events as a reader sees them: a nil Text equals Body.
func sameEvent(a, b event.Event) bool {
	same := bytes.Equal(a.Body, b.Body) && bytes.Equal(a.DecodedText(), b.DecodedText()) && a.Time.Equal(b.Time)
	for _, e := range []*event.Event{&a, &b} {
		e.Body, e.Text, e.Time = nil, nil, time.Time{}
	}
	return same && reflect.DeepEqual(a, b)
}
