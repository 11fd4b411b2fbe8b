package desk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/desk"
	"duet.example/duet/duettest"
)

// A fakeHall is a desk's Next in which all members of a room get what one of them says.
type fakeHall struct {
	desk *desk.Desk

	mu      sync.Mutex
	members map[*duet.Conn]string // their names
	rooms   map[string]string     // of operators
	answer  []string              // to /answer
}

// newHall gives a desk and its hall.
func newHall() (*desk.Desk, *fakeHall) {
	h := &fakeHall{members: map[*duet.Conn]string{}, rooms: map[string]string{}}
	h.desk = &desk.Desk{Next: h}
	return h.desk, h
}

func (h *fakeHall) ServeConn(ctx context.Context, c *duet.Conn) error {
	h.mu.Lock()
	h.members[c] = fmt.Sprintf("guest-%d", c.ID())
	h.mu.Unlock()
	h.desk.NameConn(c, fmt.Sprintf("guest-%d", c.ID()))
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.members, c)
	}()
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		h.mu.Lock()
		name, others := h.members[c], slices.Collect(maps.Keys(h.members))
		h.mu.Unlock()
		for _, o := range others {
			if o != c {
				_ = o.Post(append([]byte(name+": "), m.Body...))
			}
		}
		h.desk.Heard(c, "lobby", m.Body)
	}
	return nil
}

func (h *fakeHall) Speak(_ context.Context, operator, line string) ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if room, ok := strings.CutPrefix(line, "/join "); ok {
		h.rooms[operator] = room
		return []string{"you are in " + room}, nil
	}
	switch line {
	case "/answer":
		return h.answer, nil
	case "/fail":
		return []string{"half of it"}, errors.New("that failed")
	}
	for c := range h.members {
		_ = c.Post([]byte("@" + operator + ": " + line))
	}
	room := h.rooms[operator]
	if room == "" {
		room = "lobby"
	}
	h.desk.Spoke(operator, room, []byte(line))
	return nil, nil
}

func (h *fakeHall) Room(operator string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if room := h.rooms[operator]; room != "" {
		return room
	}
	return "lobby"
}

func (h *fakeHall) Rename(c *duet.Conn, name string) error {
	if name == "taken" {
		return fmt.Errorf("%w: %s is taken", desk.ErrBadName, name)
	}
	h.mu.Lock()
	h.members[c] = name
	h.mu.Unlock()
	h.desk.NameConn(c, name)
	return nil
}

func (h *fakeHall) Commands() iter.Seq2[string, string] {
	return maps.All(map[string]string{"/join ROOM": "goes to another room"})
}

// withTrace has the server tell the desk what goes over the wire.
func withTrace(d *desk.Desk) func(*duet.Server) {
	return func(s *duet.Server) { s.Trace = d.Trace() }
}

// In a hall the desk tells once what was said to a room, and nothing of what the others get; what an operator says to
// one alone is told as ever.
func TestHall(t *testing.T) {
	d, _ := newHall()
	w := watch(t, d)
	s := duettest.NewServer(t, d, farewell, withTrace(d))
	var all [2]*duet.Conn
	for i := range all { // one after the other, as their events are expected
		all[i] = s.Dial(t)
		next(t, w, desk.Arrived)
		if e := next(t, w, desk.Named); e.Name != fmt.Sprint("guest-", e.Number) || e.Operator != "" {
			t.Errorf("named %+v", e)
		}
	}
	anna, bert := all[0], all[1]
	o := d.Operator("bob")
	if err := o.Name(t.Context(), 1, "安娜 with any name that the hall takes"); err != nil {
		t.Fatal(err)
	}
	if e := next(t, w, desk.Named); e.Number != 1 || e.Operator != "bob" {
		t.Errorf("named %+v", e)
	}
	if err := o.Name(t.Context(), 2, "taken"); !errors.Is(err, desk.ErrBadName) {
		t.Errorf("a name that is taken: %v", err)
	}
	if err := o.Name(t.Context(), 1, "安娜"); err != nil {
		t.Fatal(err)
	}
	next(t, w, desk.Named)
	send(t, anna, "你好")
	e := next(t, w, desk.Said)
	if e.Number != 1 || e.Name != "安娜" || e.Room != "lobby" || string(e.Text) != "你好" || string(e.Body) != "你好" {
		t.Errorf("said %+v", e)
	}
	if got := receive(t, bert); got != "安娜: 你好" {
		t.Errorf("the other got %q", got)
	}
	if r := d.Roster(); string(r[0].Last) != "你好" || r[0].Unread != 0 || !r[0].Waiting.IsZero() {
		t.Errorf("what is said to a room waits for nobody: %+v", r[0])
	}
	if answer, err := o.Speak(t.Context(), "hi all"); answer != nil || err != nil {
		t.Errorf("spoke: %q, %v", answer, err)
	}
	if e := next(t, w, desk.Spoke); e.Number != 0 || e.Operator != "bob" || e.Room != "lobby" || string(e.Text) != "hi all" {
		t.Errorf("spoke %+v", e)
	}
	for _, c := range []*duet.Conn{anna, bert} {
		if got := receive(t, c); got != "@bob: hi all" {
			t.Errorf("a member got %q", got)
		}
	}
	if err := o.Say(t.Context(), 2, "you alone"); err != nil {
		t.Fatal(err)
	}
	if e := next(t, w, desk.Answered); e.Number != 2 || e.Operator != "bob" || string(e.Text) != "you alone" || e.Room != "" {
		t.Errorf("answered %+v", e)
	}
	if got := receive(t, bert); got != "you alone" {
		t.Errorf("the member got %q", got)
	}
	d.Notice("anna has joined")
	next(t, w, desk.Notice)
	_ = anna.Close()
	next(t, w, desk.Left)
	d.Heard(anna, "lobby", []byte("from one who is not here"))
	d.NameConn(anna, "x")
	d.Notice("the end")
	next(t, w, desk.Notice)
}

func TestNoHall(t *testing.T) {
	d := &desk.Desk{}
	for _, o := range []desk.Table{d.Operator("a"), attach(t, d, "b")} {
		if room, _, ok := o.Hall(); ok || room != "" {
			t.Errorf("there is a hall: %q", room)
		}
		if _, err := o.Speak(t.Context(), "x"); !errors.Is(err, desk.ErrNoHall) {
			t.Errorf("spoke: %v", err)
		}
	}
}

// Operators speak alike here and at a control socket, each in a room of its own.
func TestSpeak(t *testing.T) {
	d, h := newHall()
	far := attach(t, d, "far")
	for range 20_000 {
		h.answer = append(h.answer, strings.Repeat("答", 20))
	}
	here := watch(t, d)
	pair(t, d)
	next(t, here, desk.Arrived)
	next(t, here, desk.Named)
	w := far.Watch()
	defer w.Stop()
	nextOf(t, w, desk.Arrived) // it watches
	for _, o := range []desk.Table{d.Operator("near"), far} {
		room, commands, ok := o.Hall()
		if room != "lobby" || !ok {
			t.Errorf("in %q, %v", room, ok)
		}
		if all := maps.Collect(commands); len(all) != 1 || all["/join ROOM"] == "" {
			t.Errorf("commands %q", all)
		}
		if answer, err := o.Speak(t.Context(), "/join 技术"); err != nil || !slices.Equal(answer, []string{"you are in 技术"}) {
			t.Errorf("joined: %q, %v", answer, err)
		}
		if room, _, _ := o.Hall(); room != "技术" {
			t.Errorf("in %q after it went elsewhere", room)
		}
		if answer, err := o.Speak(t.Context(), "/fail"); err == nil || !strings.Contains(err.Error(), "that failed") || len(answer) != 1 {
			t.Errorf("failed with %q, %v", answer, err)
		}
		if answer, err := o.Speak(t.Context(), "/answer"); err != nil || !slices.Equal(answer, h.answer) {
			t.Errorf("%d lines, %v", len(answer), err)
		}
		if _, err := o.Speak(t.Context(), "你好"); err != nil {
			t.Error(err)
		}
	}
	for _, operator := range []string{"near", "far"} {
		if e := nextOf(t, w, desk.Spoke); e.Operator != operator || e.Room != "技术" || string(e.Text) != "你好" {
			t.Errorf("spoke %+v", e)
		}
	}
	// One who comes back is where it was.
	again := attach(t, d, "far")
	again.Roster()
	if room, _, _ := again.Hall(); room != "技术" {
		t.Errorf("back in %q", room)
	}
}

// A hall does not wait for those who watch: what does not fit is left out, for each of them as much as it did not take, and
// it is told how much, though nothing else happens.
func TestHallWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const all = 5000
		d, _ := newHall()
		slow, quick := d.Watch(), d.Watch()
		defer slow.Stop()
		took := make(chan int, 1)
		ctx, cancel := context.WithCancel(t.Context())
		count := func(w *desk.Watch, ctx context.Context) (said, missed int) {
			for {
				e, err := w.Next(ctx)
				if err != nil {
					return said, missed
				}
				switch e.Kind {
				case desk.Said, desk.Arrived, desk.Named, desk.Left:
					said++
				case desk.Missed:
					n, _ := strconv.Atoi(e.Note)
					missed += n
				}
			}
		}
		go func() { n, m := count(quick, ctx); took <- n + m }()
		peer, served := pair(t, d)
		synctest.Wait()
		began := time.Now()
		for i := range all {
			if err := peer.Send(t.Context(), fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if d.Roster()[0].Stats.MessagesIn != all || time.Since(began) != 0 {
			t.Errorf("the hall has heard %d after %v", d.Roster()[0].Stats.MessagesIn, time.Since(began))
		}
		if told := slow.Told(); told > 600 {
			t.Errorf("%d events wait", told)
		}
		// Others come and go meanwhile, and that has a bound, too.
		const others = 5000
		for range others {
			other, left := pair(t, d)
			_ = other.Close()
			<-left
		}
		if told := slow.Told(); time.Since(began) != 0 || told > 5000 {
			t.Errorf("%d events wait after %v", told, time.Since(began))
		}
		ended, stop := context.WithCancel(t.Context())
		stop()
		const events = all + 2 + 3*others // arrived, named and left
		if said, missed := count(slow, ended); missed == 0 || said+missed != events {
			t.Errorf("told of %d, and of %d left out, of %d", said, missed, events)
		}
		_ = peer.Close()
		<-served
		cancel()
		if n := <-took; n != events+1 {
			t.Errorf("the one who took them was told of %d of %d", n, events+1)
		}
		quick.Stop()
	})
}

// The lines of the control socket, as another program has them.
func TestHallLines(t *testing.T) {
	d, _ := newHall()
	dial, _ := control(t, d)
	nc, err := dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	in := json.NewDecoder(nc)
	for _, tt := range []struct {
		line string
		want map[string]any
	}{
		{"", map[string]any{"type": "hello", "hall": "lobby", "commands": []any{map[string]any{"usage": "/join ROOM", "help": "goes to another room"}}}},
		{`{"do":"speak","text":"/join tech","operator":"anna"}`, map[string]any{"ok": true, "answer": []any{"you are in tech"}, "room": "tech"}},
		{`{"do":"speak","text":"/fail","id":"7"}`, map[string]any{"ok": false, "error": "that failed", "id": "7", "room": "tech"}},
		{`{"do":"list","operator":"bert"}`, map[string]any{"ok": true, "roster": []any{}, "room": "lobby"}},
		{`{"do":"speak"}`, map[string]any{"ok": false, "room": nil}},
		{`{"do":"speak","bytes":"YQ=="}`, map[string]any{"ok": false, "room": nil}},
		{`{"do":"watch","operator":"anna"}`, map[string]any{"ok": true}},
	} {
		if tt.line != "" {
			_, _ = io.WriteString(nc, tt.line+"\n")
		}
		expect(t, in, tt.want)
	}
	_, _ = io.WriteString(nc, `{"do":"speak","text":"hi\u001b","operator":"anna"}`+"\n")
	var lines []map[string]any
	for range 2 { // the reply, and the event: which is first is open
		var m map[string]any
		if err := in.Decode(&m); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, m)
	}
	i := slices.IndexFunc(lines, func(m map[string]any) bool { return m["type"] == "spoke" })
	if i < 0 || lines[i]["room"] != "tech" || lines[i]["text"] != "hi\x1b" || lines[i]["operator"] != "anna" || lines[i]["conn"] != nil {
		t.Errorf("spoke: %v", lines)
	}
}

// expect reads one line, which must have these fields.
func expect(t *testing.T, in *json.Decoder, want map[string]any) {
	t.Helper()
	var m map[string]any
	if err := in.Decode(&m); err != nil {
		t.Fatal(err)
	}
	for k, v := range want {
		got, _ := json.Marshal(m[k])
		if wanted, _ := json.Marshal(v); !bytes.Equal(got, wanted) {
			t.Errorf("%s is %s, want %s: %v", k, got, wanted, m)
		}
	}
}

// speakInPython speaks to the room and tells what the events say.
const speakInPython = `
import json, socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
lines = sock.makefile("r", encoding="utf-8", newline="\n")
print("hall", json.loads(lines.readline())["hall"])
for request in {"do": "watch"}, {"id": "s", "do": "speak", "text": "大家好", "operator": "python"}:
    sock.sendall((json.dumps(request) + "\n").encode())
seen = 0
for line in lines:
    e = json.loads(line)
    if e["type"] == "spoke":
        print("spoke", e["operator"], e["room"], ascii(e["text"]))
        seen += 1
    elif e.get("id") == "s":
        print("reply", e["ok"], e["room"])
        seen += 1
    if seen == 2:
        break
`

func TestSpeakInPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("NOT TESTED: speaking from Python, for there is no python3 here")
	}
	d, _ := newHall()
	dir, err := os.MkdirTemp("", "duet") // t.TempDir may be longer than a socket's path
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", dir+"/control")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	served := make(chan error, 1)
	go func() { served <- (&desk.Control{Desk: d}).Serve(ctx, l) }()
	cmd := exec.CommandContext(ctx, python, "-c", speakInPython, l.Addr().String())
	cmd.Env = append(os.Environ(), "PYTHONUTF8=1")
	out, err := cmd.CombinedOutput()
	cancel()
	if served := <-served; err != nil || served != nil {
		t.Errorf("%v, %v", err, served)
	}
	got := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(got)
	if want := []string{"hall lobby", "reply True lobby", `spoke python lobby '\u5927\u5bb6\u597d'`}; !slices.Equal(got, want) {
		t.Errorf("printed %q, want %q", got, want)
	}
}
