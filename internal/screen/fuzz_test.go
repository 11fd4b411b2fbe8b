package screen_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"duet.example/duet/internal/screen"
)

func FuzzLine(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		check(t, s)
		safe := screen.Line(screen.Untrusted(s), marked)
		for _, width := range []int{0, 1, 2, 7, 80} {
			got := screen.Cut(safe, width)
			if screen.Width(got) > width || screen.Width(safe) <= width && got != safe && width > 0 {
				t.Fatalf("Cut(%+q, %d) = %+q", safe, width, got)
			}
		}
	})
}

func FuzzWriter(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string, a, b uint16) {
		i := int(a) % (len(s) + 1)
		j := i + int(b)%(len(s)-i+1)
		whole := through(t, s)
		if got := through(t, s[:i], s[i:j], s[j:]); got != whole {
			t.Fatalf("%+q | %+q | %+q\n got %+q\nwant %+q", s[:i], s[i:j], s[j:], got, whole)
		}
		if err := unsafe(strings.ReplaceAll(whole, "\n", "")); err != nil {
			t.Fatalf("%+q: %v", whole, err)
		}
		if lines := strings.Join(screen.Lines(screen.Untrusted(s), plain), "\n"); lines != strings.TrimSuffix(whole, "\n") && lines != whole {
			t.Fatalf("Writer %+q\nLines %+q", whole, lines)
		}
	})
}

func TestCorpusIsThere(t *testing.T) {
	for _, target := range []string{"FuzzLine", "FuzzWriter", "FuzzWrap"} {
		files, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
		if err != nil || len(files) == 0 {
			t.Errorf("%s has no corpus", target)
		}
		for _, file := range files {
			if b, err := os.ReadFile(file); err != nil || len(b) == 0 {
				t.Errorf("%s: %d bytes, %v", file, len(b), err)
			}
		}
	}
}

func BenchmarkLine(b *testing.B) {
	for _, bb := range []struct{ name, in string }{
		{"ascii", strings.Repeat("Can I help you? ", 5)},
		{"chinese", strings.Repeat("有什么可以帮你的吗？", 4)},
		{"spelled", strings.Repeat("a\x1b[31m\tred", 8)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			in := screen.Untrusted(bb.in)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				screen.Line(in, plain)
			}
		})
	}
}

func TestPlainTextIsOneAllocation(t *testing.T) {
	for _, in := range []string{strings.Repeat("Can I help you? ", 5), strings.Repeat("有什么可以帮你的吗？", 4)} {
		u := screen.Untrusted(in)
		if n := testing.AllocsPerRun(100, func() { screen.Line(u, plain) }); n != 1 {
			t.Errorf("Line(%q): %v allocations", in, n)
		}
	}
}
