package console

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"

	"duet.example/duet/desk"
	"duet.example/duet/internal/screen"
)

// A saver writes what is said to a file. The printer writes, the operator closes.
type saver struct {
	mu  sync.Mutex
	f   *os.File
	err error // the first failure, after which nothing is written
}

// cmdSave begins to write what is said to a file, or ends it. The file is the
// user's alone (0600) and is appended to.
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
	s.closeSave()
	s.mu.Lock()
	s.save = &saver{f: f}
	s.mu.Unlock()
	s.Notice("saving to " + path + " from now on")
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
	who := ""
	switch {
	case e.Kind == desk.Spoke && e.Operator != s.o.Operator:
		who = "【" + operatorName(e.Operator) + " → " + labelName(e.Room) + "】"
	case e.Kind == desk.Spoke:
		who = "me to " + labelName(e.Room)
	case e.Kind == desk.Said && e.Room != "":
		who = "【Client " + numberAndName(e.Number, givenName(e.Number, e.Name)) + ", " + labelName(e.Room) + "】"
	case e.Kind == desk.Answered:
		who = "me"
		if s.o.Server {
			who = fmt.Sprintf("me to %d", e.Number)
		}
	case e.Kind == desk.Said && s.o.Server:
		who = fmt.Sprintf("【Client %d】", e.Number)
	case e.Kind == desk.Said:
		who = "【Server】"
	default:
		return
	}
	var b strings.Builder
	for _, l := range screen.Lines(screen.Untrusted(e.Text), screen.Style{}) {
		fmt.Fprintf(&b, "%s %s %s\n", e.Time.Format("2006-01-02T15:04:05.000Z07:00"), who, l)
	}
	if err := sv.write(b.String()); err != nil {
		s.Notice("not saved any more: " + rootCause(err))
	}
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
