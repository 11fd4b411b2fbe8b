package event_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"duet.example/duet/event"
)

func TestEventLines(t *testing.T) {
	const head = `{"v":1,"type":"said","time":"2026-03-01T12:00:00.123456Z","conn":7,"peer":"192.0.2.7:1",`
	for _, tt := range []struct {
		name       string
		body, text []byte
		want       string
	}{
		{"UTF-8", []byte("你好 <&>"), nil, `"text":"你好 <&>"}`},
		{"the same twice", []byte("hi"), []byte("hi"), `"text":"hi"}`},
		{"empty", nil, nil, `"text":""}`},
		{"decoded", []byte("caf\xe9"), []byte("café"), `"text":"café","bytes":"Y2Fm6Q=="}`},
		{"not decoded", []byte("caf\xe9"), nil, `"text":"caf\ufffd","bytes":"Y2Fm6Q=="}`},
		{"decoded to nothing", []byte("\x1b(B"), []byte{}, `"text":"","bytes":"GyhC"}`},
		{"text of nothing", nil, []byte("?"), `"text":"?","bytes":""}`},
		{"controls", []byte("\x00\x1b[2J\r\n\x7f\u0085\u009b"), nil, `"text":"\u0000\u001b[2J\r\n\u007f\u0085\u009b"}`},
		{"bidi and format", []byte("\u202e\u2066\u200b\ufeff\u2028\u2029\U000e0041\u00ad"), nil, `"text":"\u202e\u2066\u200b\ufeff\u2028\u2029\udb40\udc41\u00ad"}`},
		{"unassigned and private", []byte("\u0378\ue000\U0010ffff"), nil, `"text":"\u0378\ue000\udbff\udfff"}`},
		{"what is shown stays", []byte("é　👍🏽 עברית ❤️"), nil, `"text":"é　👍🏽 עברית ❤️"}`},
	} {
		e := event.Event{Type: event.Said, Time: noon, Conn: 7, Peer: "192.0.2.7:1", Body: tt.body, Text: tt.text}
		b, err := e.MarshalJSON()
		if err != nil || string(b) != head+tt.want {
			t.Errorf("%s: %v\n got %s\nwant %s", tt.name, err, b, head+tt.want)
		}
		safe(t, b)
		var back event.Event
		if err := json.Unmarshal(b, &back); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if tt.name == "not decoded" {
			e.Text = []byte("caf\ufffd")
		}
		if !sameEvent(e, back) {
			t.Errorf("%s: %+v came back as %+v", tt.name, e, back)
		}
	}
}

func TestEventOfAnotherTime(t *testing.T) {
	for text, want := range map[string]time.Time{
		`,"time":"2026-03-01T13:00:00.123456+01:00"`: noon,
		`,"time":"2026-03-01T12:00:00.123456999Z"`:   noon,
		``: {},
	} {
		var e event.Event
		if err := json.Unmarshal([]byte(`{"v":1,"type":"stopped"`+text+`}`), &e); err != nil || !e.Time.Equal(want) {
			t.Errorf("%s: %v, %v", text, e.Time, err)
		}
	}
	for _, text := range []string{`""`, `"noon"`, `12`, `"0000-01-01T00:00:00Z"`, `"9999-12-31T23:59:59-01:00"`} {
		if err := json.Unmarshal([]byte(`{"v":1,"type":"stopped","time":`+text+`}`), new(event.Event)); err == nil {
			t.Errorf("%s is a time", text)
		}
	}
}

// Unknown fields and types, which a later version may write, are no errors.
func TestLaterFieldsAndTypes(t *testing.T) {
	l, err := event.Decode([]byte(`{"v":1,"type":"sang","time":"2026-03-01T12:00:00Z","conn":3,"text":"la","key":{"of":["C"]}}`))
	e, ok := l.(event.Event)
	if err != nil || !ok || e.Type != "sang" || e.Conn != 3 || string(e.Body) != "la" {
		t.Errorf("%+v, %v", l, err)
	}
}

// The name of a field counts only in the letter case of the schema.
func TestOtherLetterCase(t *testing.T) {
	l, err := event.Decode([]byte(`{"v":1,"type":"said","Conn":7,"TEXT":"x","conn":1,"text":"a"}`))
	if e, ok := l.(event.Event); err != nil || !ok || e.Conn != 1 || string(e.Body) != "a" {
		t.Errorf("%+v, %v", l, err)
	}
	l, err = event.Decode([]byte(`{"v":1,"type":"reply","ok":true,"roster":[{"conn":1,"NAME":"x"}]}`))
	if r, ok := l.(event.Reply); err != nil || !ok || len(r.Roster) != 1 || r.Roster[0].Conn != 1 || r.Roster[0].Name != "" {
		t.Errorf("%+v, %v", l, err)
	}
	l, err = event.Decode([]byte(`{"v":1,"type":"hello","hall":"lobby","commands":[{"usage":"/x","Usage":"/y"}]}`))
	if h, ok := l.(event.Hello); err != nil || !ok || len(h.Commands) != 1 || h.Commands[0].Usage != "/x" {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestBadEvents(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{``, "no JSON object"},
		{`null`, "version 1"},
		{`[]`, "no JSON object: array"},
		{`"said"`, "no JSON object: string"},
		{`{"v":1,"type":"said"`, "no JSON object"},
		{`{"v":1,"type":"said"} {}`, "no JSON object"},
		{`{"type":"said"}`, "not version 1 of the schema: 0"},
		{`{"v":2,"type":"said"}`, "not version 1 of the schema: 2"},
		{`{"v":2,"type":"hello"}`, "not version 1 of the schema: 2"},
		{`{"v":1}`, `no "type"`},
		{`{"v":1,"type":7}`, `"type" cannot be number`},
		{`{"v":1,"Type":"said"}`, `no "type"`}, // an unknown field is skipped
		{`{"v":1,"type":"said","type":"left"}`, `"type" stands twice`},
		{`{"v":1,"type":"left","reason":"idle","reason":"cut"}`, `"reason" stands twice`},
		{`{"v":1,"type":"reply","ok":true,"roster":[{"conn":1,"conn":2}]}`, `"conn" stands twice`},
		{`{"v":1,"type":"said","conn":-1}`, `"conn" cannot be number -1`},
		{`{"v":1,"type":"said","text":"a","bytes":"?"}`, "base64"},
	} {
		_, err := event.Decode([]byte(tt.line))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.line, err, tt.want)
		}
		if err != nil && (strings.Contains(err.Error(), "json:") || strings.Contains(err.Error(), "Go ")) {
			t.Errorf("%s: %v: the error mentions Go", tt.line, err)
		}
	}
	_, err := event.Decode([]byte(`{"v":9,"type":"reply"}`))
	if !errors.Is(err, event.ErrVersion) {
		t.Errorf("another version: %v", err)
	}
}
