package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// DefaultHistory is how many entries a history keeps when it is not told otherwise.
	DefaultHistory = 1000

	// maxEntry bounds one entry of the file in bytes: a pasted document is a message, but nothing one walks back to.
	maxEntry = 16 << 10

	// maxHistoryFile bounds what is read of a file, its end, whoever wrote it.
	maxHistoryFile = 32 << 20
)

// lockPatience is how long an entry waits for the other consoles that write to the file. They hold its lock for
// milliseconds, unless the machine is busy; a person is typing meanwhile. Tests set it.
var lockPatience = 3 * time.Second

// A History is what was sent before, oldest first, for the keys Up and Ctrl-R. It may be kept in a file that
// several consoles share: each appends to it, none destroys what another has written.
//
// The zero History keeps DefaultHistory entries in memory. All methods may be called at the same time.
type History struct {
	mu      sync.Mutex
	path    string // "": memory only
	max     int    // 0: DefaultHistory
	entries []string
	inFile  int   // lines the file holds
	size    int64 // of the file when inFile was true
	stuck   bool  // the lock was not given back in time when it was last asked for
}

// HistoryPath is where the history is kept unless told otherwise: $XDG_STATE_HOME/duet/history, or
// ~/.local/state/duet/history; on macOS and Windows in the folder of os.UserConfigDir. It is empty, which means in
// memory, where there is no home.
func HistoryPath() string {
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "duet", "history")
	}
	switch runtime.GOOS {
	case "darwin", "ios", "windows", "plan9":
		if dir, err := os.UserConfigDir(); err == nil {
			return filepath.Join(dir, "duet", "history")
		}
		return ""
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return ""
	}
	return filepath.Join(home, ".local", "state", "duet", "history")
}

// LoadHistory reads the history kept at path, at most the newest max entries (DefaultHistory if max is zero or less).
// The file (mode 0600) and its folder (0700) are made where they are missing; the path "" and whatever is no regular
// file, such as /dev/null, mean a history in memory. Lines that are no entries are skipped. The History is never nil:
// with an error, which names the file, it is one in memory.
func LoadHistory(path string, max int) (*History, error) {
	h := &History{max: max}
	if path == "" {
		return h, nil
	}
	// A rewrite replaces the file by rename, which must not replace a link to it.
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return h, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return h, fmt.Errorf("history %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return h, fmt.Errorf("history %s: %w", path, err)
	}
	defer func() { _ = f.Close() }()
	_ = f.Chmod(0o600)
	all, err := readHistory(f)
	if err != nil {
		return h, fmt.Errorf("history %s: %w", path, err)
	}
	h.path = path
	if err := h.count(f, nil); err != nil {
		return h, fmt.Errorf("history %s: %w", path, err)
	}
	for _, e := range all {
		h.remember(e)
	}
	return h, nil
}

// Add appends what was sent. Not kept are empty entries, those that start with a blank, and one that repeats the last.
// While another console writes, Add waits, at most 3 s. An error means that the file could not be written; the entry is
// remembered all the same.
func (h *History) Add(entry string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.remember(entry) || h.path == "" || len(entry) > maxEntry {
		return nil
	}
	if err := h.appendFile(entry); err != nil {
		return fmt.Errorf("history %s: %w", h.path, err)
	}
	return nil
}

// Entries returns a copy of what is remembered, oldest first.
func (h *History) Entries() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.entries)
}

func (h *History) limit() int {
	if h.max <= 0 {
		return DefaultHistory
	}
	return h.max
}

// remember reports whether entry was worth keeping. The caller holds mu, or has the only reference.
func (h *History) remember(entry string) bool {
	if first, _ := utf8.DecodeRuneInString(entry); entry == "" || unicode.IsSpace(first) {
		return false
	}
	if n := len(h.entries); n > 0 && h.entries[n-1] == entry {
		return false
	}
	h.entries = append(h.entries, entry)
	if extra := len(h.entries) - h.limit(); extra > 0 {
		h.entries = slices.Delete(h.entries, 0, extra)
	}
	return true
}

// appendFile opens the file anew for each entry, as another console may have put a new one in its place. It rewrites a
// file that has grown too long.
func (h *History) appendFile(entry string) error {
	f, locked, err := h.open()
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	line := []byte(escapeEntry(entry) + "\n")
	if endsInHalfLine(f) {
		line = append([]byte("\n"), line...)
	}
	if _, err := f.Write(line); err != nil {
		return err
	}
	if err := h.count(f, line); err != nil {
		return err
	}
	if locked && h.inFile > 2*h.limit() {
		return h.rewrite(f)
	}
	return nil
}

// open opens the file and takes its lock, which closing the file gives back. locked is false if nobody gave the lock
// back in time. What is then appended can be lost only to a rewrite that goes on at this moment.
func (h *History) open() (f *os.File, locked bool, err error) {
	patience := lockPatience
	if h.stuck {
		patience = 0 // a lock that was held for so long is not waited for at each entry
	}
	began := time.Now()
	for {
		f, err = os.OpenFile(h.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, false, err
		}
		locked = lockFile(f, began.Add(patience))
		h.stuck = !locked
		if !locked || isAt(f, h.path) || time.Since(began) > lockPatience {
			return f, locked, nil
		}
		_ = f.Close() // another console has replaced the file while this one waited for its lock
	}
}

// endsInHalfLine reports whether the last line of f has no end: whatever wrote it died, or the disk was full.
func endsInHalfLine(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}

// count notes how many lines f holds after added was appended. It reads the file only if another console has written
// too.
func (h *History) count(f *os.File, added []byte) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if len(added) > 0 && info.Size() == h.size+int64(len(added)) {
		h.inFile, h.size = h.inFile+bytes.Count(added, []byte("\n")), info.Size()
		return nil
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, maxHistoryFile))
	if err != nil {
		return err
	}
	h.inFile, h.size = bytes.Count(b, []byte("\n")), info.Size()
	return nil
}

// rewrite replaces f, whose lock the caller holds, by a file with the newest entries of all consoles.
func (h *History) rewrite(f *os.File) error {
	all, err := readHistory(f)
	if err != nil {
		return err
	}
	all = all[max(0, len(all)-h.limit()):]
	var b bytes.Buffer
	for _, e := range all {
		b.WriteString(escapeEntry(e))
		b.WriteByte('\n')
	}
	tmp, err := os.CreateTemp(filepath.Dir(h.path), ".history-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(b.Bytes())
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), h.path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return err
	}
	h.inFile, h.size = len(all), int64(b.Len())
	return nil
}

// isAt reports whether f is still what path names.
func isAt(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(mine, there)
}

func readHistory(f *os.File) ([]string, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	from := max(0, info.Size()-maxHistoryFile)
	b, err := io.ReadAll(io.NewSectionReader(f, from, maxHistoryFile))
	if err != nil {
		return nil, err
	}
	return parseHistory(b), nil
}

// parseHistory skips what is no entry: a line cut short, bytes that are no text, a stranger's file.
func parseHistory(b []byte) []string {
	var entries []string
	for line := range bytes.Lines(b) {
		line, ended := bytes.CutSuffix(line, []byte("\n"))
		if !ended || len(line) == 0 || len(line) > 2*maxEntry {
			continue
		}
		if e, ok := unescapeEntry(string(line)); ok {
			entries = append(entries, e)
		}
	}
	return entries
}

var entryEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`)

func escapeEntry(e string) string {
	return entryEscaper.Replace(strings.ToValidUTF8(e, "\uFFFD"))
}

func unescapeEntry(line string) (string, bool) {
	var b strings.Builder
	escaped := false
	for _, r := range line {
		switch {
		case r == utf8.RuneError || unicode.IsControl(r):
			return "", false
		case !escaped && r == '\\':
			escaped = true
			continue
		case escaped:
			i := strings.IndexRune(`\nrt`, r)
			if i < 0 {
				return "", false
			}
			r = rune("\\\n\r\t"[i])
			escaped = false
		}
		b.WriteRune(r)
	}
	return b.String(), !escaped
}
