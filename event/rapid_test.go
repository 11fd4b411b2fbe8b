package event_test

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"duet.example/duet/event"
)

// text draws bytes that a peer may send, often with characters that a terminal acts on.
func text() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.String(),
		rapid.StringOf(rapid.SampledFrom([]rune("a\"\\<&\x00\n\r\x1b\x7f\u0085\u009b\u200b\u2028\u202e\u2066\ufeff\ufffd你👍\U000e0041"))),
	)
}

func stamp() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		return time.UnixMicro(rapid.Int64Range(-60_000_000_000_000_000, 250_000_000_000_000_000).Draw(t, "µs")).UTC()
	})
}

func body() *rapid.Generator[[]byte] {
	return rapid.OneOf(rapid.SliceOf(rapid.Byte()), rapid.Map(text(), func(s string) []byte { return []byte(s) }))
}

// fill draws a value for each field of a struct whose type the table knows.
func fill(t *rapid.T, v reflect.Value) {
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		switch f.Interface().(type) {
		case time.Time:
			f.Set(reflect.ValueOf(stamp().Draw(t, name)))
		case []byte:
			if b := body().Draw(t, name); rapid.Bool().Draw(t, name+" is there") {
				f.SetBytes(b)
			}
		case bool:
			f.SetBool(rapid.Bool().Draw(t, name))
		case uint64:
			f.SetUint(rapid.Uint64().Draw(t, name))
		case int, int64:
			f.SetInt(rapid.Int64().Draw(t, name))
		default:
			f.SetString(text().Draw(t, name))
		}
	}
}

// The JSON of any event is one line, is safe to print, and holds the whole event.
func TestEventsRoundTrip(t *testing.T) {
	types := constants(t, "Type")
	rapid.Check(t, func(t *rapid.T) {
		var e event.Event
		fill(t, reflect.ValueOf(&e).Elem())
		e.Type = event.Type(rapid.SampledFrom(types).Draw(t, "type"))
		e.Text = bytes.ToValidUTF8(e.Text, []byte("?"))
		b, err := e.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		safe(t, b)
		l, err := event.Decode(b)
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		back := l.(event.Event)
		if e.Text == nil {
			if !bytes.Equal(e.Body, back.Body) {
				t.Fatalf("body %q came back as %q", e.Body, back.Body)
			}
			back.Text, e.Body = nil, back.Body
		}
		if !sameEvent(e, back) {
			t.Fatalf("%+v came back as %+v", e, back)
		}
	})
}

// The same holds for rosters.
func TestRosterRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := event.Reply{ID: text().Draw(t, "id"), OK: rapid.Bool().Draw(t, "ok"), Error: text().Draw(t, "error"), Roster: []event.Entry{}}
		r.BytesOut = rapid.Int64().Draw(t, "bytes_out")
		for range rapid.IntRange(0, 3).Draw(t, "n") {
			var e event.Entry
			fill(t, reflect.ValueOf(&e).Elem())
			e.Last = bytes.ToValidUTF8(e.Last, []byte("?"))
			if len(e.Last) == 0 {
				e.Last = nil
			}
			r.Roster = append(r.Roster, e)
		}
		b, err := r.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		safe(t, b)
		l, err := event.Decode(b)
		if err != nil || !reflect.DeepEqual(l, r) {
			t.Fatalf("%+v came back as %+v, %v", r, l, err)
		}
	})
}

// A valid request is read as it was written. An invalid one is refused by the reader too.
func TestRequestsRoundTrip(t *testing.T) {
	commands := constants(t, "Command")
	good := 0
	rapid.Check(t, func(t *rapid.T) {
		r := event.Request{Do: event.Command(rapid.SampledFrom(commands).Draw(t, "do"))}
		some := func(name string) bool { return rapid.IntRange(0, 2).Draw(t, name) > 0 }
		if some("conn") {
			r.Conn = rapid.Uint64().Draw(t, "conn")
		}
		switch rapid.IntRange(0, 3).Draw(t, "content") {
		case 1:
			r.Text = text().Draw(t, "text")
		case 2:
			r.Bytes = body().Draw(t, "bytes")
		}
		bare := rapid.Bool().Draw(t, "bare") // without these fields; most requests with several of them are invalid
		for _, f := range []*string{&r.ID, &r.Operator, &r.Name, &r.Note, &r.Reason, &r.Address, &r.Framing, &r.Encoding} {
			if !bare && !some("field") {
				*f = text().Draw(t, "value")
			}
		}
		for _, f := range []*bool{&r.Raw, &r.Wait, &r.More} {
			*f = !bare && !some("flag")
		}
		b, err := r.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		safe(t, b)
		back, err := event.NewReader(bytes.NewReader(b), 0).Request()
		if bad := r.Check(); (bad == nil) != (err == nil) {
			t.Fatalf("%+v: here %v, there %v", r, bad, err)
		}
		if err == nil {
			good++
			if !reflect.DeepEqual(r, back) {
				t.Fatalf("%+v came back as %+v", r, back)
			}
		}
	})
	if good == 0 {
		t.Error("no good request was drawn")
	}
}
