package room

import (
	"context"

	"duet.example/duet/internal/ring"
)

// For the tests: what is in no other way to be seen from outside.
var (
	Parse       = parse
	NextLine    = nextLine
	AppendEnded = appendEnded
)

// MaxLine is maxLine.
const MaxLine = maxLine

// Lines gives what others get of a message.
func Lines(said []byte, label string) [][]byte {
	var b batch
	some := false
	for len(said) > 0 {
		var line []byte
		if line, said = nextLine(said); len(line) > 0 {
			b.add(nil, label, safe(line))
			some = true
		}
	}
	if !some {
		b.add(nil, label)
	}
	return b.bodies()
}

// HistoryAtJoin gives what one is told who joins between two things that are said.
func HistoryAtJoin(before, after string) (told [][]byte, err error) {
	r := ring.New(ring.Options{})
	h := &history{limit: 10}
	h.listen(r)
	if err := r.Append(context.Background(), 1, []byte(before)); err != nil {
		return nil, err
	}
	rd := r.Join(2, plain, func() bool { return false })
	defer rd.Leave()
	if err := r.Append(context.Background(), 1, []byte(after)); err != nil {
		return nil, err
	}
	var b batch
	h.tell(&b, rd)
	return b.bodies(), nil
}

// Crowded has as many enter h as may at the same time, until they are let in.
func Crowded(h *Hall) (let func()) {
	for range maxEntering {
		_ = h.entrance.begin(context.Background())
	}
	return func() {
		for range maxEntering {
			h.entrance.end()
		}
	}
}
