package nickname_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"duet.example/duet/internal/nickname"
	"duet.example/duet/internal/screen"
)

func FuzzName(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		skeleton := nickname.Skeleton(s)
		if again := nickname.Skeleton(skeleton); again != skeleton {
			t.Fatalf("%+q: skeleton %+q, and of that %+q", s, skeleton, again)
		}
		name := nickname.Clean(s)
		if again := nickname.Clean(name); again != name {
			t.Fatalf("%+q: clean %+q, and that %+q", s, name, again)
		}
		err := nickname.Check(name)
		var set nickname.Set
		if took := set.Take(name); (err == nil) != (took == nil) {
			if strings.HasPrefix(nickname.Skeleton(name), nickname.Guest) {
				return
			}
			t.Fatalf("%+q: %v, but %v", name, err, took)
		}
		if err != nil {
			if s := err.Error(); screen.Line(screen.Untrusted(s), screen.Style{}) != s {
				t.Fatalf("%+q: the error is %+q", name, s)
			}
			return
		}
		if got := screen.Line(screen.Untrusted(name), screen.Style{}); got != name {
			t.Fatalf("%+q is shown as %+q", name, got)
		}
		if strings.ContainsAny(name, " \t\r\n:@/") || utf8.RuneCountInString(name) > nickname.MaxLength && len(name) > nickname.MaxBytes {
			t.Fatalf("%+q is a name", name)
		}
		if !nickname.Alike(name, name) || nickname.Skeleton(name) == "" {
			t.Fatalf("%+q is not itself: %+q", name, skeleton)
		}
		if set.Change(name, name) != nil || set.Take(name) == nil {
			t.Fatalf("%+q is not held", name)
		}
	})
}

// What passes Check passes the terminal's filter, and looks like itself in every case.
func TestAnyName(t *testing.T) {
	letters := []*rapid.Generator[rune]{rapid.RuneFrom([]rune("iIjlm0O1-.'\u0307\u0327\u0301"))}
	for _, script := range []*unicode.RangeTable{
		unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Armenian, unicode.Cherokee, unicode.Georgian, unicode.Hebrew, unicode.Arabic,
		unicode.Devanagari, unicode.Thai, unicode.Tibetan, unicode.Hangul, unicode.Han, unicode.Katakana, unicode.M,
	} {
		letters = append(letters, rapid.RuneFrom(nil, script))
	}
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SampledFrom(letters[1:]).Draw(t, "script")
		drawn := rapid.StringOfN(rapid.OneOf(some, some, letters[0], letters[len(letters)-1]), 1, 5, -1).Draw(t, "name")
		skeleton := nickname.Skeleton(drawn)
		if again := nickname.Skeleton(skeleton); again != skeleton {
			t.Fatalf("%+q: skeleton %+q, and of that %+q", drawn, skeleton, again)
		}
		name := nickname.Clean(drawn)
		if nickname.Check(name) != nil {
			return
		}
		if got := screen.Line(screen.Untrusted(name), screen.Style{}); got != name {
			t.Fatalf("%+q is shown as %+q", name, got)
		}
		for _, other := range []string{drawn, strings.ToUpper(name), strings.ToLower(name)} {
			if !nickname.Alike(name, other) {
				t.Fatalf("%+q and %+q are two", name, other)
			}
		}
	})
}

func TestCorpusIsThere(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "fuzz", "FuzzName", "*"))
	if err != nil || len(files) == 0 {
		t.Errorf("there is no corpus: %v", err)
	}
	for _, file := range files {
		if b, err := os.ReadFile(file); err != nil || len(b) == 0 {
			t.Errorf("%s: %d bytes, %v", file, len(b), err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	for _, name := range []string{"anna", "Αλέξανδρος", "王芳"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := nickname.Check(name); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTake(b *testing.B) {
	var s nickname.Set
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Take("anna"); err != nil {
			b.Fatal(err)
		}
		s.Free("anna")
	}
}
