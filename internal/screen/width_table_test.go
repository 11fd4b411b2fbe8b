package screen_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/clipperhouse/displaywidth"

	"duet.example/duet/internal/screen"
)

func TestRuneWidth(t *testing.T) {
	for want, all := range map[int]string{
		0: "\u0300\u0483\u200b\u200d\ufe0f\U000e0100",
		1: "a~é\u00b7\u2026─→①αяअ\U0001d400☎",
		2: "中あ한Ａ\u3000😀🚀\u3248\u3249\u324a\u324b\u324c\u324d\u324e\u324f\u2630\u268a\U0001d300\U00020000\U0003fffd",
	} {
		for _, r := range all {
			if got := screen.RuneWidth(r); got != want {
				t.Errorf("%U takes %d columns, want %d", r, got, want)
			}
		}
	}
	for r := rune(' '); r <= unicode.MaxRune; r++ {
		if got, other := screen.RuneWidth(r), displaywidth.Rune(r); got < other || got > 2 {
			t.Fatalf("%U takes %d columns, in Unicode %d", r, got, other)
		}
	}
}

func TestMaxWidth(t *testing.T) {
	for _, tt := range []struct {
		in        string
		width, to int
	}{
		{"", 0, 0},
		{"abc", 3, 3},
		{"\x1b[7m\\x1b\x1b[27m好", 6, 6},
		{"\u3248\u0301", 2, 2},
		{"x\u3248\u324f>", 6, 6},
		{"👨‍👩‍👧", 2, 6},
		{"か\u3099", 2, 2},
		{"1️⃣", 2, 2},
	} {
		if got, to := screen.Width(tt.in), screen.MaxWidth(tt.in); got != tt.width || to != tt.to {
			t.Errorf("%+q takes %d to %d columns, want %d to %d", tt.in, got, to, tt.width, tt.to)
		}
	}
}

// The table is what the generator makes of the files that are installed, if they are of the same version.
func TestTableIsGenerated(t *testing.T) {
	out := filepath.Join(t.TempDir(), "width_table.go")
	var stderr bytes.Buffer
	cmd := exec.Command("go", "run", "width_gen.go", "-o", out)
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		if _, err := os.Stat("/usr/share/unicode/EastAsianWidth.txt"); errors.Is(err, os.ErrNotExist) {
			t.Skip("Unicode's files are not installed (Debian: unicode-data and locales)")
		}
		t.Fatalf("%v: %s", err, &stderr)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("width_table.go")
	if err != nil {
		t.Fatal(err)
	}
	source := func(b []byte) string {
		_, after, _ := bytes.Cut(b, []byte("const widthSource = "))
		line, _, _ := bytes.Cut(after, []byte("\n"))
		return string(line)
	}
	if source(got) != source(want) {
		t.Skipf("the table was made from Unicode %s, and %s is installed", source(want), source(got))
	}
	if !bytes.Equal(got, want) {
		t.Error("width_table.go is not what width_gen.go writes: go generate ./internal/screen")
	}
}

// The long form: no code point takes fewer columns than the C library counts in C.UTF-8, and none more unless Unicode
// says so.
func TestRuneWidthAgainstLibrary(t *testing.T) {
	if os.Getenv("DUET_LONG") == "" || runtime.GOOS != "linux" {
		t.Skip("DUET_LONG=1 compares every code point with the C library")
	}
	const program = `#define _XOPEN_SOURCE 700
#include <locale.h>
#include <stdio.h>
#include <wchar.h>
int main(void) {
	if (!setlocale(LC_ALL, "")) return 1;
	for (int r = 0; r <= 0x10ffff; r++) printf("%d\n", wcwidth(r));
	return 0;
}
`
	dir := t.TempDir()
	source, binary := filepath.Join(dir, "w.c"), filepath.Join(dir, "w")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-o", binary, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(out))
	if len(lines) != unicode.MaxRune+1 {
		t.Fatalf("%d code points", len(lines))
	}
	bad := 0
	for r := rune(' '); r <= unicode.MaxRune; r++ {
		library, err := strconv.Atoi(lines[r])
		if err != nil {
			t.Fatal(err)
		}
		if library < 0 { // it does not know the character
			continue
		}
		got := screen.RuneWidth(r)
		if got < library || got > max(library, displaywidth.Rune(r)) {
			if bad++; bad < 50 {
				t.Errorf("%U takes %d columns, in the C library %d, in Unicode %d", r, got, library, displaywidth.Rune(r))
			}
		}
	}
}
