package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"reflect"
	"slices"
	"testing"
	"testing/iotest"

	"duet.example/duet/event"
)

// FuzzEvent checks that a line of a server that can be read is written as an equal line that is safe to print.
func FuzzEvent(f *testing.F) {
	f.Fuzz(func(t *testing.T, line []byte) {
		l, err := event.Decode(line)
		if err != nil {
			return
		}
		b, err := l.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		safe(t, b)
		back, err := event.Decode(b)
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if e, ok := l.(event.Event); ok && sameEvent(e, back.(event.Event)) {
			return
		}
		if !reflect.DeepEqual(l, back) {
			t.Fatalf("%+v came back as %+v", l, back)
		}
	})
}

// FuzzRequest checks that a request that can be read passes Check and is written as an equal line.
func FuzzRequest(f *testing.F) {
	f.Fuzz(func(t *testing.T, line []byte) {
		var r event.Request
		if json.Unmarshal(line, &r) != nil {
			return
		}
		if err := r.Check(); err != nil {
			t.Fatalf("%+v was accepted: %v", r, err)
		}
		strictly(t, line)
		b, err := r.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		safe(t, b)
		var back event.Request
		if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(r, back) {
			t.Fatalf("%+v came back as %+v, %v", r, back, err)
		}
	})
}

// strictly checks that each name of an object stands once, and as it is in docs/events.md.
func strictly(t *testing.T, line []byte) {
	t.Helper()
	known := []string{"v", "id", "do", "conn", "text", "bytes", "raw", "wait", "more", "name", "note", "reason", "address", "framing", "encoding", "operator"}
	dec := json.NewDecoder(bytes.NewReader(line))
	_, _ = dec.Token()
	var found []string
	for dec.More() {
		name, _ := dec.Token()
		value, err := dec.Token()
		if err != nil || value == nil {
			t.Fatalf("%q was accepted, with %v for %v: %v", line, value, name, err)
		}
		if !slices.Contains(known, name.(string)) || slices.Contains(found, name.(string)) {
			t.Fatalf("%q was accepted, with %q", line, name)
		}
		found = append(found, name.(string))
	}
}

// FuzzReader checks that a Reader returns the same for the same bytes in any pieces, at most one result for each line, and the
// line that follows.
func FuzzReader(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte, limit uint16) {
		read := func(from io.Reader) (all []string) {
			r := event.NewReader(from, int(limit)+20)
			for {
				req, err := r.Request()
				if bad, ok := errors.AsType[*event.LineError](err); ok {
					all = append(all, bad.Error())
					continue
				}
				if err != nil {
					if !errors.Is(err, io.EOF) {
						t.Fatal(err)
					}
					return all
				}
				all = append(all, string(req.Do)+" "+req.ID)
			}
		}
		data = append(data, "\n"+`{"do":"list","id":"last"}`...)
		whole := read(bytes.NewReader(data))
		if pieces := read(iotest.OneByteReader(bytes.NewReader(data))); !reflect.DeepEqual(whole, pieces) {
			t.Fatalf("whole %q, in pieces %q", whole, pieces)
		}
		if len(whole) > bytes.Count(data, []byte{'\n'})+1 {
			t.Fatalf("%d lines are %q", bytes.Count(data, []byte{'\n'})+1, whole)
		}
		if last := whole[len(whole)-1]; int(limit)+20 >= 25 && last != "list last" {
			t.Fatalf("the last line is %q", last)
		}
	})
}

// With an empty corpus, the fuzz targets would test nothing.
func TestCorpora(t *testing.T) {
	for _, name := range []string{"FuzzEvent", "FuzzRequest", "FuzzReader"} {
		if list, err := os.ReadDir("testdata/fuzz/" + name); err != nil || len(list) == 0 {
			t.Errorf("%s has no corpus: %v", name, err)
		}
	}
}
