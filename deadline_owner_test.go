package duet_test

import (
	"bytes"
	"path"
	"regexp"
	"testing"
)

var setsDeadline = regexp.MustCompile(`\.Set(Read|Write)?Deadline\(`)

// internal/wire is the one owner of a conversation's deadlines. Two owners undo each other's: a wake-up gets lost, and something waits
// for ever or for nothing.
func TestDeadlinesHaveOneOwner(t *testing.T) {
	const listener = "spare.go" // a listener's deadline
	for _, f := range sourceFiles(t) {
		if path.Dir(f.path) != "." || f.isTest() || f.path == listener {
			continue
		}
		for i, line := range bytes.Split(f.text, []byte("\n")) {
			if setsDeadline.Match(line) {
				t.Errorf("%s:%d sets a deadline, which is for internal/wire to do: %s", f.path, i+1, bytes.TrimSpace(line))
			}
		}
	}
	if !setsDeadline.MatchString("_ = c.nc.SetReadDeadline(longAgo)") {
		t.Error("a deadline that is set is not found")
	}
}
