package console_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"duet.example/duet/console"
)

func load(t *testing.T, path string, max int) *console.History {
	t.Helper()
	h, err := console.LoadHistory(path, max)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func add(t *testing.T, h *console.History, entries ...string) {
	t.Helper()
	for _, e := range entries {
		if err := h.Add(e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHistoryKeeps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "folder", "history")
	h := load(t, path, 0)
	add(t, h, "one", "one", " secret", "", "two\nlines\twith \\n", "one", "中文")
	want := []string{"one", "two\nlines\twith \\n", "one", "中文"}
	if got := h.Entries(); !slices.Equal(got, want) {
		t.Errorf("kept %q, want %q", got, want)
	}
	if got := load(t, path, 0).Entries(); !slices.Equal(got, want) {
		t.Errorf("read again %q, want %q", got, want)
	}
	if got := load(t, path, 2).Entries(); !slices.Equal(got, want[2:]) {
		t.Errorf("the newest two %q, want %q", got, want[2:])
	}
	if runtime.GOOS == "windows" {
		return
	}
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v (%v), want %v", name, info.Mode().Perm(), err, want)
		}
	}
}

func TestHistorySkipsWhatIsCorrupt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	content := "good\n\nbad\\x\nbad\xff\nbad\x1b[31m\nbad\\\n" + strings.Repeat("long", 20<<10) + "\nalso \\\\ good\\nyes\ncut sho"
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, want := load(t, path, 0).Entries(), []string{"good", "also \\ good\nyes"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What was cut short at the end of the file, by a crash or a full disk, does not swallow the next entry.
func TestHistoryAfterHalfLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	if err := os.WriteFile(path, []byte("good\nhal"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := load(t, path, 0)
	add(t, h, "new", "newer")
	if got, want := load(t, path, 0).Entries(), []string{"good", "hal", "new", "newer"}; !slices.Equal(got, want) {
		t.Errorf("the file has %q, want %q", got, want)
	}
}

// Several consoles share a file, which is rewritten now and then: nothing that is new enough is lost.
func TestHistoryShared(t *testing.T) {
	defer console.LockPatience(time.Minute)() // the machine may be busy
	const consoles, each, max = 4, 60, 50
	path := filepath.Join(t.TempDir(), "history")
	var wg sync.WaitGroup
	for c := range consoles {
		h := load(t, path, max)
		wg.Go(func() {
			for i := range each {
				if err := h.Add(fmt.Sprintf("console %d entry %d", c, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got := load(t, path, consoles*each).Entries()
	if len(got) < max {
		t.Errorf("%d entries are left, want at least the newest %d", len(got), max)
	}
	// Each console's own are there in order and without a gap up to its last.
	last := map[int]int{}
	for _, e := range got {
		var c, i int
		if _, err := fmt.Sscanf(e, "console %d entry %d", &c, &i); err != nil {
			t.Fatalf("%q: %v", e, err)
		}
		if was, ok := last[c]; ok && i != was+1 {
			t.Errorf("console %d: entry %d after %d", c, i, was)
		}
		last[c] = i
	}
	for c, i := range last {
		if i != each-1 {
			t.Errorf("console %d ends with entry %d, want %d", c, i, each-1)
		}
	}
	if b, err := os.ReadFile(path); err != nil || strings.Count(string(b), "\n") > 2*max+consoles*2 {
		t.Errorf("the file has %d lines (%v), want it rewritten", strings.Count(string(b), "\n"), err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".history-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestHistoryInMemory(t *testing.T) {
	var zero console.History
	add(t, &zero, "one", "two")
	if got := zero.Entries(); len(got) != 2 {
		t.Errorf("kept %q", got)
	}
	for _, path := range []string{"", os.DevNull} {
		h := load(t, path, 3)
		add(t, h, "a", "b", "c", "d")
		if got := h.Entries(); !slices.Equal(got, []string{"b", "c", "d"}) {
			t.Errorf("%q: kept %q", path, got)
		}
	}
	h, err := console.LoadHistory(filepath.Join(os.DevNull, "no", "folder"), 0)
	if err == nil || h == nil {
		t.Fatalf("a folder that cannot be: %v, %v", h, err)
	}
	add(t, h, "still works")
}

func TestHistoryPath(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Setenv("XDG_STATE_HOME", "")
		if p := console.HistoryPath(); p != "" && !filepath.IsAbs(p) {
			t.Errorf("path %q", p)
		}
		return
	}
	for _, tt := range []struct{ state, home, want string }{
		{"/state", "/home/x", "/state/duet/history"},
		{"", "/home/x", "/home/x/.local/state/duet/history"},
		{"relative", "/home/x", "/home/x/.local/state/duet/history"},
		{"", "", ""},
	} {
		t.Setenv("XDG_STATE_HOME", tt.state)
		t.Setenv("HOME", tt.home)
		if got := console.HistoryPath(); got != tt.want {
			t.Errorf("with %q and %q: %q, want %q", tt.state, tt.home, got, tt.want)
		}
	}
}
