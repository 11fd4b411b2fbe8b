package event_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"duet.example/duet/event"
)

func TestRequests(t *testing.T) {
	long := strings.Repeat("x", 2000)
	for _, tt := range []struct {
		line string
		want event.Request
		err  string
	}{
		{line: `{"do":"list"}`, want: event.Request{Do: event.DoList}},
		{line: `{"v":1,"id":"7","do":"list","conn":3}`, want: event.Request{ID: "7", Do: event.DoList, Conn: 3}},
		{line: `{"do":"watch","operator":"anna"}`, want: event.Request{Do: event.DoWatch, Operator: "anna"}},
		{line: `{"do":"send","conn":1,"text":"你好"}`, want: event.Request{Do: event.DoSend, Conn: 1, Text: "你好"}},
		{line: `{"do":"send","conn":1,"text":""}`, want: event.Request{Do: event.DoSend, Conn: 1}},
		{line: `{"do":"send","conn":1,"bytes":"AP8="}`, want: event.Request{Do: event.DoSend, Conn: 1, Bytes: []byte{0, 255}}},
		{line: `{"do":"send","conn":1,"bytes":""}`, want: event.Request{Do: event.DoSend, Conn: 1, Bytes: []byte{}}},
		{line: `{"do":"send","conn":1,"text":"` + long + `"}`, want: event.Request{Do: event.DoSend, Conn: 1, Text: long}},
		{line: `{"do":"send","conn":1,"bytes":"AP8=","raw":true}`, want: event.Request{Do: event.DoSend, Conn: 1, Bytes: []byte{0, 255}, Raw: true}},
		{line: `{"do":"all","bytes":"AP8=","raw":true}`, want: event.Request{Do: event.DoAll, Bytes: []byte{0, 255}, Raw: true}},
		{line: `{"do":"send","conn":1,"text":"a","wait":true}`, want: event.Request{Do: event.DoSend, Conn: 1, Text: "a", Wait: true}},
		{line: `{"do":"transfer","conn":1,"bytes":"","more":true}`, want: event.Request{Do: event.DoTransfer, Conn: 1, Bytes: []byte{}, More: true}},
		{line: `{"do":"speak","text":"/topic 你好","operator":"anna"}`, want: event.Request{Do: event.DoSpeak, Text: "/topic 你好", Operator: "anna"}},
		{line: `{"do":"speak","text":""}`, want: event.Request{Do: event.DoSpeak}},
		{line: `{"do":"name","conn":1}`, want: event.Request{Do: event.DoName, Conn: 1}},
		{line: `{"do":"ban","address":"10.0.0.0/8","reason":"floods"}`, want: event.Request{Do: event.DoBan, Address: "10.0.0.0/8", Reason: "floods"}},

		{line: `{}`, err: `no "do"`},
		{line: `null`, err: `no "do"`},
		{line: `[]`, err: "no JSON object: array"},
		{line: `hello`, err: "no JSON object"},
		{line: `{"do":"list"}{"do":"list"}`, err: "no JSON object"},
		{line: `{"do":"dance"}`, err: `no command "dance"`},
		{line: `{"v":2,"do":"list"}`, err: "not version 1 of the schema: 2"},
		{line: `{"do":"list","txt":"x"}`, err: `no field is called "txt"`},
		{line: `{"do":"send","text":"x"}`, err: `send needs "conn"`},
		{line: `{"do":"send","conn":1}`, err: `send needs "text" or "bytes"`},
		{line: `{"do":"send","conn":1,"text":"a","bytes":"YQ=="}`, err: `both "text" and "bytes"`},
		{line: `{"do":"send","conn":"1","text":"a"}`, err: `"conn" cannot be string`},
		{line: `{"do":"send","conn":-1,"text":"a"}`, err: `"conn" cannot be number -1`},
		{line: `{"do":"send","conn":1,"bytes":"??"}`, err: "base64"},
		{line: `{"do":"send","conn":1,"text":"a","raw":true}`, err: `"raw" needs "bytes"`},
		{line: `{"do":"send","conn":1,"bytes":"YQ==","raw":true,"wait":true}`, err: `both "raw" and "wait"`},
		{line: `{"do":"send","conn":1,"text":"a","more":true}`, err: `send has no "more"`},
		{line: `{"do":"all","text":"a","wait":true}`, err: `all has no "wait"`},
		{line: `{"do":"transfer","conn":1,"text":"a"}`, err: `transfer needs "bytes"`},
		{line: `{"do":"transfer","bytes":""}`, err: `transfer needs "conn"`},
		{line: `{"do":"transfer","conn":1,"bytes":"","raw":true}`, err: `transfer has no "raw"`},
		{line: `{"do":"speak"}`, err: `speak needs "text" or "bytes"`},
		{line: `{"do":"speak","bytes":"YQ=="}`, err: `speak has no "bytes"`},
		{line: `{"do":"speak","conn":1,"text":"a"}`, err: `speak has no "conn"`},
		{line: `{"do":"all","conn":1,"text":"a"}`, err: `all has no "conn"`},
		{line: `{"do":"list","text":"a"}`, err: `list has no "text" or "bytes"`},
		{line: `{"do":"bye"}`, err: `bye needs "conn"`},
		{line: `{"do":"kick","conn":1,"name":"a"}`, err: `kick has no "name"`},
		{line: `{"do":"ban"}`, err: `ban needs "address"`},
		{line: `{"do":"framing","conn":1}`, err: `framing needs "framing"`},
		{line: `{"do":"encoding","conn":1,"framing":"lf"}`, err: `encoding has no "framing"`},
		{line: `{"DO":"list"}`, err: `no field is called "DO"`},
		{line: `{"do":"list","Operator":"anna"}`, err: `no field is called "Operator"`},
		{line: `{"do":"list","do":"reload"}`, err: `"do" stands twice`},
		{line: `{"do":"kick","conn":1,"\u0063onn":2}`, err: `"conn" stands twice`},
		{line: `{"do":"kick","conn":1,"x":1,"x":2}`, err: `no field is called "x"`},
		{line: `{"do":"name","conn":1,"name":null}`, err: `"name" cannot be null`},
		{line: `{"v":0,"do":"list"}`, err: "not version 1 of the schema: 0"},
		{line: `{"do":"watch","conn":0}`, err: `watch has no "conn"`},
		{line: `{"do":"kick","conn":1,"name":""}`, err: `kick has no "name"`},
		{line: `{"do":"list","text":""}`, err: `list has no "text" or "bytes"`},
		{line: `{"do":"send","conn":1,"text":"","bytes":"YQ=="}`, err: `both "text" and "bytes"`},
		{line: `{"do":"name","conn":1,"name":"` + strings.Repeat("x", 64) + `"}`, want: event.Request{Do: event.DoName, Conn: 1, Name: strings.Repeat("x", 64)}},
		{line: `{"do":"name","conn":1,"name":"` + strings.Repeat("中", 32) + `"}`, want: event.Request{Do: event.DoName, Conn: 1, Name: strings.Repeat("中", 32)}},
		{line: `{"do":"list","operator":"` + strings.Repeat("中", 32) + `"}`, want: event.Request{Do: event.DoList, Operator: strings.Repeat("中", 32)}},
		{line: `{"do":"name","conn":1,"name":"` + strings.Repeat("x", 65) + `"}`, err: `"name" is longer than 32 characters and 64 bytes`},
		{line: `{"do":"name","conn":1,"name":"` + strings.Repeat("中", 33) + `"}`, err: `"name" is longer than 32 characters and 64 bytes`},
		{line: `{"do":"note","conn":1,"note":"` + long + `"}`, err: `"note" is longer than 1024 bytes`},
		{line: `{"do":"kick","conn":1,"reason":"` + long + `"}`, err: `"reason" is longer than 1024 bytes`},
		{line: `{"do":"ban","address":"` + long + `"}`, err: `"address" is longer than 256 bytes`},
		{line: `{"do":"list","operator":"` + long + `"}`, err: `"operator" is longer than 32 characters and 64 bytes`},
		{line: `{"do":"list","id":"` + long + `"}`, err: `"id" is longer than 64 bytes`},
	} {
		got, err := event.NewReader(strings.NewReader(tt.line), 0).Request()
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%.100s: %v, want %s", tt.line, err, tt.err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%.100s: %+v, %v", tt.line, got, err)
			continue
		}
		b, err := got.MarshalJSON()
		var again event.Request
		if err != nil || json.Unmarshal(b, &again) != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%.100s: written as %s, %v", tt.line, b, err)
		}
	}
}

// The error of a bad request has its ID, except for an ID that is too long to repeat.
func TestIDOfABadRequest(t *testing.T) {
	for id, want := range map[string]string{"7": "7", strings.Repeat("x", 65): ""} {
		for _, rest := range []string{`"do":"dance"`, `"do":"list","txt":1`, `"do":"send","conn":"1"`} {
			_, err := event.NewReader(strings.NewReader(`{`+rest+`,"id":"`+id+`"}`), 0).Request()
			if bad, ok := errors.AsType[*event.LineError](err); !ok || bad.ID != want {
				t.Errorf("%s with the ID %q: %v", rest, id, err)
			}
		}
	}
}

func TestReply(t *testing.T) {
	for _, r := range []event.Reply{
		{},
		{ID: "7", OK: true, Count: 3},
		{Error: "3: no such conversation\x1b\u202e"},
		{OK: true, Roster: []event.Entry{}},
		{ID: "8", OK: true, Answer: []string{"tech: 2\x1b", ""}, Room: "lobby\u202e"},
		{OK: true, More: true, Roster: []event.Entry{{Conn: 1}, {
			Conn: 2, Peer: "192.0.2.7:1", Name: "a", Note: "b", State: event.Ending, Reason: "reset", Error: "c", Since: noon,
			Last: []byte("你好\x1b\u0085"), LastTime: noon, Unread: 4, Waiting: noon, BytesIn: 5, BytesOut: 6, MessagesIn: 7, MessagesOut: 8,
			Queued: 9, Framing: "auto", Learned: "lf", Encoding: "utf-8", Farewell: "bye",
		}}},
	} {
		b, err := r.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		safe(t, b)
		l, err := event.Decode(b)
		if err != nil || !reflect.DeepEqual(l, r) {
			t.Errorf("%+v came back as %+v, %v", r, l, err)
		}
	}
}

func TestHello(t *testing.T) {
	for _, h := range []event.Hello{
		{Program: "duet", Version: "0.3.0", Time: noon},
		{Program: "duet", Version: "0.3.0", Time: noon, Hall: "大厅\u202e", Commands: []event.HallCommand{{"/me TEXT", "say what you do\x1b"}}},
	} {
		b, err := h.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		safe(t, b)
		if l, err := event.Decode(b); err != nil || !reflect.DeepEqual(l, h) {
			t.Errorf("came back as %+v, %v", l, err)
		}
	}
}

// With any number of conversations, each line fits the reader, and the replies hold every entry.
func TestRosterReplies(t *testing.T) {
	for _, n := range []int{0, 1, 1_000} {
		roster := make([]event.Entry, n)
		for i := range roster {
			roster[i] = event.Entry{
				Conn: uint64(i + 1), Peer: "192.0.2.7:53122", Name: fmt.Sprint("peer ", i), State: event.Open, Since: noon,
				Last: []byte(strings.Repeat("\x01", 256)), Framing: "auto", Encoding: "utf-8",
			}
		}
		next := uint64(1)
		replies := event.RosterReplies("7", roster)
		for i, r := range replies {
			b, err := r.MarshalJSON()
			if err != nil || len(b) > event.RosterLine+1000 {
				t.Fatalf("%d of %d: %d bytes, %v", i, n, len(b), err)
			}
			if r.ID != "7" || !r.OK || r.More != (i < len(replies)-1) || r.Roster == nil {
				t.Errorf("%d of %d: %+v", i, n, r)
			}
			for _, e := range r.Roster {
				if e.Conn != next {
					t.Fatalf("%d where %d should be", e.Conn, next)
				}
				next++
			}
		}
		if next != uint64(n)+1 || len(replies) == 0 || n == 1 && len(replies) != 1 {
			t.Errorf("%d replies hold %d of %d", len(replies), next-1, n)
		}
	}
	full := event.Entry{
		Conn: 1<<64 - 1, Peer: strings.Repeat("\x01", 60), Since: noon, LastTime: noon, Waiting: noon, Unread: 1 << 31, Queued: 1 << 31,
		BytesIn: 1 << 62, BytesOut: 1 << 62, MessagesIn: 1 << 62, MessagesOut: 1 << 62, Name: "\x01", Note: "\x01", State: "\x01", Reason: "\x01",
		Error: "\x01", Last: []byte{1}, Framing: "\x01", Learned: "\x01", Encoding: "\x01", Farewell: "\x01",
	}
	if b, _ := full.MarshalJSON(); len(b) > full.Size() {
		t.Errorf("an entry has %d bytes, and Size is %d", len(b), full.Size())
	}
}

// With an answer of any length, each line fits the reader, and the replies hold the whole answer.
func TestAnswerParts(t *testing.T) {
	for _, tt := range []struct{ lines, size, parts int }{{0, 0, 1}, {3, 100, 1}, {1000, 1000, 12}, {2, event.RosterLine, 2}} {
		r := event.Reply{ID: "7", OK: true, Room: "lobby"}
		for i := range tt.lines {
			r.Answer = append(r.Answer, fmt.Sprintf("%04d%s", i, strings.Repeat("\x01", tt.size)))
		}
		parts := r.Parts()
		if len(parts) != tt.parts {
			t.Errorf("%d lines of %d bytes are %d replies, want %d", tt.lines, tt.size, len(parts), tt.parts)
		}
		var all []string
		for i, p := range parts {
			b, err := p.MarshalJSON()
			if most := max(event.RosterLine, 6*tt.size) + 1000; err != nil || len(b) > most {
				t.Errorf("%d of %d: %d bytes, want %d at most, %v", i, len(parts), len(b), most, err)
			}
			if p.ID != "7" || !p.OK || p.Room != "lobby" || p.More != (i < len(parts)-1) {
				t.Errorf("%d of %d: %+v", i, len(parts), p)
			}
			all = append(all, p.Answer...)
		}
		if !slices.Equal(all, r.Answer) {
			t.Errorf("the replies hold %d lines of %d", len(all), tt.lines)
		}
	}
}
