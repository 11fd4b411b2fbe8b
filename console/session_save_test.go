package console_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"duet.example/duet/console"
)

// What others have said is saved as theirs, and clients have their names.
func TestSaveNames(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		path, file := filepath.Join(t.TempDir(), "talk.txt"), filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, make([]byte, 3000), 0o600); err != nil {
			t.Fatal(err)
		}
		b := open(t, console.Options{Server: true})
		p := b.connect()
		anna := b.desk.Operator("anna")
		b.types("/save "+path, "/name 1 printer")
		b.says(p, "out of paper")
		if err := anna.Say(t.Context(), 1, "how much?"); err != nil {
			t.Fatal(err)
		}
		b.types("hello", "/send "+file)
		send, err := anna.Transfer(t.Context(), 1, strings.NewReader("x\n"))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := send(); n != 2 || err != nil {
			t.Errorf("sent %d bytes, %v", n, err)
		}
		b.types("/save off")
		b.shown("anna has sent 2 bytes as they are to client 1 printer")
		saved(t, path, "【Client 1 printer】 out of paper", "【anna → 1 printer】 how much?", "me to 1 printer hello",
			"me to 1 printer (3,000 bytes of a file)", "【anna → 1 printer】 (2 bytes of a file)")
	})
}

// A file that others may read does not stay so, and that is said.
func TestSaveOntoReadableFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such modes")
	}
	inBubble(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "talk.txt")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		b := open(t, console.Options{Server: true})
		b.types("/save " + path)
		b.shows("saving to "+path+" from now on", "only its owner may read "+path+" from now on: its mode was 0644 and is 0600")
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", st.Mode(), err)
		}
		b.types("/save " + path)
		b.shows("saving to " + path + " from now on")
	})
}
