//go:build linux

package interop_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// How big the room of TestRoom is.
const (
	roomMembers = 1000
	roomSenders = 10
	roomLines   = 100_000
)

// shownFaults are as many as anybody reads.
const shownFaults = 5

// paddings follow the numbers of lines: they are cut anywhere, within characters too.
var paddings = []string{"", " 你好", " a", " 🙂 e\u0301", " /not a command", " -- nobody has left", " s0: no"}

// said is the line number n of a sender.
func said(n int) string { return strconv.Itoa(n) + paddings[n%len(paddings)] }

// 1,000 members, ten senders at once, 100,000 lines, lines that end in all ways: each member gets each line of the others, once, with
// the right name, all in the same order.
func TestRoom(t *testing.T) {
	srv, port, control := roomServer(t, "--room")
	r := remoteTo(t, control)

	// The streams hold all lines from `s0: begin` on, as those get them who say nothing.
	each := roomLines / roomSenders
	var all []string
	for s := range roomSenders {
		for n := range each {
			all = append(all, "s"+strconv.Itoa(s)+": "+said(n))
		}
	}
	streams := map[string]*stream{} // by the end of lines
	for _, w := range wires {
		if streams[w.end] != nil {
			continue
		}
		var b []byte
		size := len(w.append(nil, "s0: end"))
		for _, line := range all {
			b = w.append(b[:0], line)
			size += len(b)
		}
		streams[w.end] = newStream(w, "s0: begin", size)
	}

	// The first says nothing and hears everything: its lines are the order to which all others are held.
	began := time.Now()
	anchor := enter(t, port, silentWire).listen(t)
	lines := 0
	var senders, listeners, deaf []*member
	for i, w := range roomWires() {
		m := enter(t, port, w)
		if w.ask != "" {
			r.frames(m.guest, w.ask)
		}
		if i < roomSenders {
			senders = append(senders, m)
		} else {
			listeners = append(listeners, m.follow(streams[w.end]))
		}
		if deaf = append(deaf, m); time.Since(began) > deafFor {
			listenAll(t, &deaf)
		}
		lines++ // its arrival
		if w.ask != "" {
			anchor.awaitLines(t, lines) // so that nothing of it comes to the next before that has its framing
		}
	}
	listenAll(t, &deaf)
	anchor.awaitLines(t, lines)
	for i, m := range senders {
		m.name = fmt.Sprintf("s%d", i)
		m.says(t, "/nick "+m.name)
		lines++
		anchor.awaitLines(t, lines)
	}
	for _, m := range listeners {
		if m.wire.hello != "" {
			if _, err := io.WriteString(m.conn, m.wire.hello); err != nil {
				t.Fatal(err)
			}
			lines++
		}
	}
	anchor.awaitLines(t, lines)
	entered := time.Since(began)

	senders[0].says(t, "begin")
	anchor.awaitLines(t, lines+1)
	began = time.Now()
	var wg sync.WaitGroup
	for i, m := range senders {
		wg.Go(func() { m.blast(t, uint64(i), each) })
	}
	wg.Wait()
	if anchor.awaitLines(t, lines+1+roomLines) {
		senders[0].says(t, "end")
		faults := 0
		for _, m := range listeners {
			if err := m.awaitWhole(t); err != nil && faults < shownFaults {
				t.Error(err)
				faults++
			}
		}
	}
	took := time.Since(began)
	t.Logf("%d entered in %v; %d lines, %d million deliveries in %v, %.0f million a second", roomMembers, entered.Round(time.Millisecond),
		roomLines, roomLines*(roomMembers-1)/1_000_000, took.Round(time.Millisecond), float64(roomLines)*(roomMembers-1)/took.Seconds()/1e6)

	if err := srv.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	order := wantEnd(t, anchor, "Bye")
	judgeOrder(t, order, senders, listeners, each)
	for _, s := range streams {
		got, rest := s.wire.lines(s.buf)
		if want := order[slices.Index(order, "s0: begin")+1:]; !slices.Equal(got, want) || len(rest) > 0 {
			t.Errorf("with %q as the end of lines there are other lines, or in another order: %s", s.wire.end, firstDifference(got, want))
		}
	}
	faults := 0
	for _, m := range slices.Concat(senders, listeners) {
		if !m.judge(t, order) {
			faults++
		}
		if faults == shownFaults {
			break
		}
	}
	srv.ends(143)
}

// senderWires are those of the senders in turn. All but auto have their lines cut anywhere: in auto, a second's quiet within
// a line ends it, and a busy machine may have a sender wait for as long.
var senderWires = []wire{lfWire, asked(lfWire), asked(crlfWire), nulWire, lengthWire}

func asked(w wire) wire {
	w.ask = w.name
	return w
}

// deafFor is how long members do not read while others enter: half a million wake-ups would take longer than everything else. Who takes
// nothing for half a minute is given up by the system.
const deafFor = 12 * time.Second

func listenAll(t *testing.T, members *[]*member) {
	t.Helper()
	for _, m := range *members {
		m.listen(t)
	}
	*members = nil
}

// roomWires are those of all but the first, in the order in which they come: senders, then those who ask for a framing.
func roomWires() (all []wire) {
	var others []wire
	for i := range roomMembers - 1 {
		switch w := wires[i%len(wires)]; {
		case i < roomSenders:
			all = append(all, senderWires[i%len(senderWires)])
		case w.ask != "":
			all = append(all, w)
		default:
			others = append(others, w)
		}
	}
	return append(all, others...)
}

// blast says lines 0 to n-1, cut anywhere.
func (m *member) blast(t *testing.T, seed uint64, n int) {
	rng := rand.New(rand.NewPCG(1, seed))
	var b []byte
	for i := range n {
		b = m.wire.append(b, said(i))
	}
	for len(b) > 0 {
		k := min(len(b), 1+rng.IntN(16<<10))
		if m.wire.ask == "" {
			k = bytes.IndexByte(b, '\n') + 1
		}
		if _, err := m.conn.Write(b[:k]); err != nil {
			t.Errorf("%s cannot say: %v", m.name, err)
			return
		}
		b = b[k:]
	}
}

// wantEnd waits until a member has got everything, with a farewell as the last, and gives the lines before, but for its welcome.
func wantEnd(t *testing.T, m *member, farewell string) (lines []string) {
	t.Helper()
	kept, err := m.awaitEnd()
	if err != nil {
		t.Errorf("%s ended with %v", m.name, err)
	}
	lines, rest := m.wire.lenient().lines(kept)
	if len(rest) > 0 { // to one who has not spoken, the farewell goes bare
		lines = append(lines, string(rest))
	}
	if len(lines) == 0 || strings.TrimSuffix(lines[len(lines)-1], "\r") != farewell {
		t.Errorf("%s got %q at the end, want %q", m.name, lines[max(0, len(lines)-2):], farewell)
		return lines
	}
	return lines[:len(lines)-1]
}

// judgeOrder holds the lines that the first member got against what was said.
func judgeOrder(t *testing.T, order []string, senders, listeners []*member, each int) {
	t.Helper()
	want := map[string]int{"s0: begin": 1, "s0: end": 1} // those whose place in the order is free: how often
	next := map[string]int{}                             // the number of a sender's next line
	for _, m := range slices.Concat(senders, listeners) {
		want["-- "+m.guest+" has joined"]++
		if m.name != m.guest {
			want["-- "+m.guest+" is "+m.name+" from now on"]++
			next[m.name] = 0
		} else if m.wire.hello != "" {
			want[m.guest+": here"]++
		}
	}
	for i, line := range order {
		if want[line] > 0 {
			want[line]--
			continue
		}
		name, text, _ := strings.Cut(line, ": ")
		n, sender := next[name]
		if !sender || text != said(n) {
			t.Errorf("line %d is %q; of that sender %q was next", i, line, said(n))
			return
		}
		next[name]++
	}
	for line, n := range want {
		if n != 0 {
			t.Errorf("%q is missing", line)
		}
	}
	for name, n := range next {
		if n != each {
			t.Errorf("of %s there are %d lines, want %d", name, n, each)
		}
	}
	if len(order) == 0 || order[len(order)-1] != "s0: end" {
		t.Errorf("the last line is not the end")
	}
}

// judge holds what was kept of what m got against the order of all lines: from its arrival on, and from no later line than that
// which told of it, all but its own.
func (m *member) judge(t *testing.T, order []string) (well bool) {
	t.Helper()
	well = true
	fault := func(format string, args ...any) {
		t.Helper()
		well = false
		t.Errorf("%s (%s) "+format, append([]any{m.name, m.wire.name}, args...)...)
	}
	if m.stream != nil { // which has been judged
		order = order[:slices.Index(order, "s0: begin")+1]
	}
	kept, err := m.awaitEnd()
	if err != nil {
		fault("ended with %v", err)
	}
	farewell := string(m.wire.append(nil, "Bye"))
	if m.wire.hello == "" && m.wire.ask == "" || m.wire.name == "bare" {
		farewell = "Bye" // as to one who has not said what its lines end with
	}
	got, _ := m.wire.lenient().lines(kept)
	want := order[slices.Index(order, "-- "+m.guest+" has joined")+1:]
	if before := slices.Index(order, first(got)); before >= 0 && before < len(order)-len(want) {
		want = slices.DeleteFunc(slices.Clone(order[before:]), func(line string) bool { return line == "-- "+m.guest+" has joined" })
	}
	if m.stream != nil {
		if tail := string(kept[m.after:]); tail != farewell {
			fault("got %q behind the last line, want %q", clip(tail), farewell)
		}
		kept = kept[:m.after]
	} else if !bytes.HasSuffix(kept, []byte(farewell)) {
		fault("got no farewell")
	}
	got, _ = m.wire.lenient().lines(bytes.TrimSuffix(kept, []byte(farewell)))
	bare := 0 // lines without the CR that its lines should end with: before it has spoken
	for i, line := range got {
		if m.wire.end != "\r\n" {
			break
		}
		got[i] = strings.TrimSuffix(line, "\r")
		if got[i] == line {
			bare = i
		}
	}
	if said := slices.Index(got, "-- "+m.guest+" is "+m.name+" from now on"); said >= 0 && bare > said {
		fault("got line %d with LF alone", bare)
	}
	want = slices.DeleteFunc(slices.Clone(want), func(line string) bool {
		return strings.HasPrefix(line, m.name+": ") || strings.HasPrefix(line, m.guest+": ")
	})
	if !slices.Equal(got, want) {
		fault("got other lines, or in another order: %s", firstDifference(got, want))
	}
	return well
}

// first is the first line, as the others have it.
func first(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.TrimSuffix(lines[0], "\r")
}

func firstDifference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = fmt.Sprintf("%q", clip(got[i]))
		}
		if i < len(want) {
			w = fmt.Sprintf("%q", clip(want[i]))
		}
		if g != w {
			return fmt.Sprintf("line %d of %d is %s, want %s of %d", i, len(got), g, w, len(want))
		}
	}
	return "no difference"
}
