//go:build unix

package console_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"duet.example/duet/console"
)

// lockHistory opens the file of a history and takes its lock, as another console does.
func lockHistory(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// Other consoles hold the lock for a while, and replace the file again and again: the entry is in the last one.
func TestHistoryWaitsForTheLock(t *testing.T) {
	defer console.LockPatience(time.Minute)() // the machine may be busy
	path := filepath.Join(t.TempDir(), "history")
	h := load(t, path, 0)
	held := lockHistory(t, path)
	added := make(chan error, 1)
	go func() { added <- h.Add("mine") }()
	for range 6 {
		// Time is what is tested here: as long as this is waited for, and longer than a console takes.
		time.Sleep(60 * time.Millisecond)
		select {
		case err := <-added:
			t.Fatalf("Add did not wait for the lock (%v)", err)
		default:
		}
		next := lockHistory(t, path+".new")
		if _, err := next.WriteString("theirs\n"); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Rename(path+".new", path), held.Close()); err != nil {
			t.Fatal(err)
		}
		held = next
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-added; err != nil {
		t.Error(err)
	}
	if got, want := load(t, path, 0).Entries(), []string{"theirs", "mine"}; !slices.Equal(got, want) {
		t.Errorf("the file has %q, want %q", got, want)
	}
}

// A console that never gives the lock back holds up one entry for a bounded time, and the next ones not at all.
func TestHistoryStuck(t *testing.T) {
	const bound = 200 * time.Millisecond
	defer console.LockPatience(bound)()
	path := filepath.Join(t.TempDir(), "history")
	h := load(t, path, 0)
	held := lockHistory(t, path)
	start := time.Now()
	add(t, h, "one")
	if took := time.Since(start); took < bound {
		t.Errorf("Add waited %v, want %v", took, bound)
	}
	console.LockPatience(time.Hour)
	add(t, h, "two")
	if got, want := load(t, path, 0).Entries(), []string{"one", "two"}; !slices.Equal(got, want) {
		t.Errorf("the file has %q, want %q", got, want)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	add(t, h, "three")
	if got, want := load(t, path, 0).Entries(), []string{"one", "two", "three"}; !slices.Equal(got, want) {
		t.Errorf("the file has %q, want %q", got, want)
	}
}
