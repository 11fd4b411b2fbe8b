//go:build unix

package ownfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"duet.example/duet/internal/ownfile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTake(t *testing.T) {
	for _, tt := range []struct{ mode, was, now os.FileMode }{
		{0o600, 0, 0o600},
		{0o400, 0, 0o400},
		{0o644, 0o644, 0o600},
		{0o660, 0o660, 0o600},
		{0o602, 0o602, 0o600},
	} {
		path := filepath.Join(t.TempDir(), "x")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := f.Chmod(tt.mode); err != nil {
			t.Fatal(err)
		}
		was, err := ownfile.Take(f)
		if was != tt.was || err != nil {
			t.Errorf("%04o: was %04o, %v", tt.mode, was, err)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != tt.now {
			t.Errorf("%04o: now %v, %v", tt.mode, st.Mode(), err)
		}
	}
}
