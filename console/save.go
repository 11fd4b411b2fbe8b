package console

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"

	"duet.example/duet/desk"
	"duet.example/duet/internal/ownfile"
	"duet.example/duet/internal/screen"
)

// A saver writes what is said to a file. The printer writes, the operator closes.
type saver struct {
	mu  sync.Mutex
	f   *os.File
	err error // the first failure, after which nothing is written
}

// cmdSave begins to write what is said to a file, or ends it. The file is appended to. Only its owner may read it (0600): a file
// that others may read is made so, or is refused.
func (s *Session) cmdSave(ctx context.Context, rest string) (bool, Outcome) {
	path := strings.TrimSpace(rest)
	s.catchUp(ctx) // what was said before belongs to the file before
	if path == "" || path == "off" {
		if s.closeSave() {
			s.Notice("save off")
		} else {
			s.Notice("/save wants a file: /save talk.txt")
		}
		return false, Stopped
	}
	f, err := openRegular(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		s.Notice("not saved: " + err.Error())
		return false, Stopped
	}
	was, err := ownfile.Take(f)
	if err != nil {
		_ = f.Close()
		s.Notice(fmt.Sprintf("not saved: others may read %s (mode %04o), and that cannot be changed: %s", path, was, rootCause(err)))
		return false, Stopped
	}
	s.closeSave()
	s.mu.Lock()
	s.save = &saver{f: f}
	s.mu.Unlock()
	s.Notice("saving to " + path + " from now on")
	if was != 0 {
		s.Notice(fmt.Sprintf("only its owner may read %s from now on: its mode was %04o and is 0600", path, was))
	}
	return false, Stopped
}

// closeSave ends saving; false where nothing was being saved.
func (s *Session) closeSave() bool {
	s.mu.Lock()
	sv := s.save
	s.save = nil
	s.mu.Unlock()
	if sv == nil {
		return false
	}
	sv.mu.Lock()
	defer sv.mu.Unlock()
	if err := sv.f.Close(); err != nil && sv.err == nil {
		s.Notice("not all saved: " + rootCause(err))
	}
	return true
}

// saveEvent writes one event, if something is being saved. A line of the file is a time, who spoke, and the safe
// form of what was said. The first failure is told, once.
func (s *Session) saveEvent(e desk.Event) {
	s.mu.Lock()
	sv := s.save
	s.mu.Unlock()
	if sv == nil {
		return
	}
	who := s.savedLabel(e)
	if who == "" {
		return
	}
	text := e.Text
	if e.Kind == desk.Transferred {
		text = []byte("(" + countMany(e.Stats.BytesOut, "byte", "bytes") + " of a file)")
	}
	var b strings.Builder
	for _, l := range screen.Lines(screen.Untrusted(text), screen.Style{}) {
		fmt.Fprintf(&b, "%s %s %s\n", e.Time.Format("2006-01-02T15:04:05.000Z07:00"), who, l)
	}
	if err := sv.write(b.String()); err != nil {
		s.Notice("not saved any more: " + rootCause(err))
	}
}

// savedLabel names the sender of e for the file, an operator or a client, by its name. It is empty if e is not a message.
func (s *Session) savedLabel(e desk.Event) string {
	name := e.Name
	if s.hall.there {
		name = givenName(e.Number, e.Name)
	}
	client := numberAndName(e.Number, name)
	own := e.Operator == s.o.Operator
	switch e.Kind {
	case desk.Spoke:
		if own {
			return "me to " + labelName(e.Room)
		}
		return "【" + operatorName(e.Operator) + " → " + labelName(e.Room) + "】"
	case desk.Answered, desk.Transferred:
		switch {
		case own && s.o.Server:
			return "me to " + client
		case own:
			return "me"
		case s.o.Server:
			return "【" + operatorName(e.Operator) + " → " + client + "】"
		}
		return "【" + operatorName(e.Operator) + "】"
	case desk.Said:
		switch {
		case e.Room != "":
			return "【Client " + client + ", " + labelName(e.Room) + "】"
		case s.o.Server:
			return "【Client " + client + "】"
		}
		return "【Server】"
	}
	return ""
}

// write gives the first failure only.
func (sv *saver) write(lines string) error {
	sv.mu.Lock()
	defer sv.mu.Unlock()
	if sv.err != nil {
		return nil
	}
	_, sv.err = sv.f.WriteString(lines)
	return sv.err
}
