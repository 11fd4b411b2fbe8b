package event_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"duet.example/duet/event"
)

// readAll returns the results of a Reader for a text: for each line the command, or the error with its number.
func readAll(t *testing.T, from io.Reader, limit int) []string {
	t.Helper()
	r := event.NewReader(from, limit)
	var all []string
	for {
		req, err := r.Request()
		if bad, ok := errors.AsType[*event.LineError](err); ok {
			all = append(all, fmt.Sprintf("%d %s%v", bad.Number, bad.ID, bad.Err))
			continue
		}
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(req.Do)+req.ID)
	}
}

func TestReaderGoesOn(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	text := strings.Join([]string{
		`{"do":"list"}`,                      // 1
		``,                                   // 2
		"  \r",                               // 3
		`{"do":`,                             // 4
		"\t{\"do\":\"watch\"} \r",            // 5
		`{"id":"7 ","do":"dance"}`,           // 6
		`{"do":"list","id":"` + long + `"}`,  // 7
		`{"do":"reload"}`,                    // 8
		"{\"do\":\"all\",\"text\":\"\xff\"}", // 9
		`{"do":"all","text":"\ud800"}`,       // 10
		`{"do":"all","text":"\\ud800\ud83d\uDc4d"}`, // 11
		`{"do":"list","id":"8"}`,                    // 12, without an end
	}, "\n")
	want := []string{
		"list",
		"4 no JSON object: unexpected end of JSON input",
		"watch",
		`6 7 no command "dance"`,
		"7 line too long: more than 5000 bytes",
		"reload",
		"9 not UTF-8 text",
		"10 not UTF-8 text",
		"all",
		"list8",
	}
	for name, from := range map[string]io.Reader{
		"whole": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text)),
		"with its end": iotest.DataErrReader(strings.NewReader(text)),
	} {
		if got := readAll(t, from, 5000); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s:\n got %q\nwant %q", name, got, want)
		}
	}
}

func TestHalfCharacters(t *testing.T) {
	for text, good := range map[string]bool{
		`\ud83d\udc4d`: true, `\uD83D\uDC4D`: true, `a\ud83d\udc4db\n\u00e9`: true, `\\ud800`: true, `\\\\ud800`: true, `\ufffd`: true, `\u0000`: true,
		`\ud800`: false, `\udc00`: false, `\ud83d\ud83d`: false, `\ud83d\u0041`: false, `\ud83dx`: false, `\ud83d\n`: false,
		`\\\ud800`: false, `\udc4d\ud83d`: false, `\ud83d\udc4d\ud83d`: false, `x\n\uD800`: false,
	} {
		_, err := event.NewReader(strings.NewReader(`{"do":"all","text":"`+text+`"}`), 0).Request()
		if (err == nil) != good || !good && !errors.Is(err, event.ErrNotText) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A line as long as the limit is read. A line with one byte more is an error and is not kept.
func TestReaderLimit(t *testing.T) {
	line := `{"do":"list"}`
	for _, end := range []string{"\n", ""} {
		if got := readAll(t, strings.NewReader(line+end), len(line)); len(got) != 1 || got[0] != "list" {
			t.Errorf("at the limit: %q", got)
		}
		if got := readAll(t, strings.NewReader(line+" "+end), len(line)); len(got) != 1 || !strings.HasPrefix(got[0], "1 line too long") {
			t.Errorf("beyond the limit: %q", got)
		}
	}

	// The error comes at once, not when the line ends.
	pr, pw := io.Pipe()
	defer pw.Close()
	giveUp := time.AfterFunc(10*time.Second, func() { pw.Close() })
	defer giveUp.Stop()
	r := event.NewReader(pr, 100)
	go pw.Write(bytes.Repeat([]byte("x"), 8192))
	if _, err := r.Request(); !errors.Is(err, event.ErrLineTooLong) {
		t.Errorf("an endless line: %v", err)
	}
	pr.Close()

	for _, message := range []int{1 << 20, 0, -1} { // 1 MiB is the default
		if got := event.MaxLine(message); got != 9<<20 || event.DefaultMaxLine != 9<<20 {
			t.Errorf("the limit for messages of %d bytes is %d, and DefaultMaxLine %d", message, got, event.DefaultMaxLine)
		}
	}
}

// The longest line of a message has at most MaxLine bytes.
func TestLongestMessage(t *testing.T) {
	const size = 1 << 17
	for _, body := range []string{"\x01", "\xff", "\u0085", "\u202e", "\U000e0041"} {
		body := bytes.Repeat([]byte(body), size/len(body))
		var b bytes.Buffer
		e := event.Event{Type: event.Said, Time: noon, Conn: 1, Body: body}
		if err := event.NewWriter(&b).WriteLine(e); err != nil {
			t.Fatal(err)
		}
		if room := event.MaxLine(size) - 1<<20; b.Len() > room {
			t.Errorf("%q…: a line of %d bytes, and MaxLine is %d", body[:1], b.Len(), room)
		}
		l, err := event.NewReader(&b, 0).Next()
		if err != nil || !bytes.Equal(l.(event.Event).Body, body) {
			t.Errorf("%q…: %v", body[:1], err)
		}
	}
}

// A deadline that passes in the middle of a line loses no byte.
func TestReaderAfterADeadline(t *testing.T) {
	pieces := []any{`{"do":`, os.ErrDeadlineExceeded, `"list"}` + "\n" + `{"do":"wa`, os.ErrDeadlineExceeded, os.ErrDeadlineExceeded, `tch"}`}
	r := event.NewReader(readerFunc(func(b []byte) (int, error) {
		if len(pieces) == 0 {
			return 0, io.EOF
		}
		p := pieces[0]
		pieces = pieces[1:]
		if err, ok := p.(error); ok {
			return 0, err
		}
		return copy(b, p.(string)), nil
	}), 0)
	var got []string
	for {
		req, err := r.Request()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			got = append(got, "deadline")
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			continue
		}
		got = append(got, string(req.Do))
	}
	if want := "deadline list deadline deadline watch"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %s", got, want)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func TestNext(t *testing.T) {
	text := `{"v":1,"type":"hello","program":"duet"}` + "\n" + `{"v":1,"type":"reply","ok":true}` + "\n" + `{"v":1}` + "\n" + `{"v":1,"type":"stopped"}`
	r := event.NewReader(strings.NewReader(text), 0)
	if l, err := r.Next(); err != nil || !reflect.DeepEqual(l, event.Hello{Program: "duet"}) {
		t.Errorf("%+v, %v", l, err)
	}
	if l, err := r.Next(); err != nil || !l.(event.Reply).OK {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := r.Next(); err == nil || err.Error() != `line 3: no "type"` {
		t.Errorf("%v", err)
	}
	if l, err := r.Next(); err != nil || l.(event.Event).Type != event.Stopped {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
}

func TestLineErrorIsShort(t *testing.T) {
	_, err := event.NewReader(strings.NewReader(`{"do":"list","`+strings.Repeat("é", 10_000)+`":1}`), 0).Request()
	if err == nil || len(err.Error()) > 300 || !strings.HasSuffix(err.Error(), "é…") {
		t.Errorf("%v", err)
	}
}

// Each line of several goroutines is one Write.
func TestWriterOfMany(t *testing.T) {
	var mu sync.Mutex
	var b bytes.Buffer
	w := event.NewWriter(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		if !bytes.HasSuffix(p, []byte{'\n'}) || bytes.Count(p, []byte{'\n'}) != 1 {
			t.Errorf("wrote %q", p)
		}
		return b.Write(p)
	}))
	const goroutines, lines = 8, 200
	var wg sync.WaitGroup
	for i := range goroutines {
		wg.Go(func() {
			for n := range lines {
				e := event.Event{Type: event.Said, Conn: uint64(i + 1), Body: []byte(fmt.Sprint(n, "\n<&>"))}
				if err := w.WriteLine(e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	r := event.NewReader(&b, 0)
	next := map[uint64]int{}
	for range goroutines * lines {
		l, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		e := l.(event.Event)
		if want := fmt.Sprint(next[e.Conn], "\n<&>"); string(e.Body) != want {
			t.Fatalf("conversation %d: %q, want %q", e.Conn, e.Body, want)
		}
		next[e.Conn]++
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// After a part of a line, nothing more is written.
func TestWriterStopsAfterAnError(t *testing.T) {
	full := errors.New("disk full")
	writes := 0
	w := event.NewWriter(writerFunc(func(b []byte) (int, error) {
		writes++
		return len(b) / 2, full
	}))
	for range 3 {
		if err := w.WriteLine(event.Reply{OK: true}); !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
	}
	if writes != 1 {
		t.Errorf("%d writes", writes)
	}
}

// A Reader that waits does not keep the buffer of a long line.
func TestReaderKeepsLittle(t *testing.T) {
	const readers, long, most = 16, 1 << 20, 128 << 10
	text := `{"do":"send","conn":1,"text":"` + strings.Repeat("x", long) + "\"}\n" + `{"do":"watch"}` + "\n"
	all := make([]*event.Reader, readers)
	before := heap()
	for i := range all {
		all[i] = event.NewReader(strings.NewReader(text), 0)
		for range 2 {
			if _, err := all[i].Request(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if held := heap() - before; held > readers*most {
		t.Errorf("%d readers hold %d bytes, want %d each at most", readers, held, most)
	}
	for _, r := range all {
		if _, err := r.Request(); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	}
}

// heap returns the number of bytes in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
