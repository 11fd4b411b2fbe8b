package screen_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"duet.example/duet/internal/screen"
)

type writes []string

func (w *writes) Write(b []byte) (int, error) {
	*w = append(*w, string(b))
	return len(b), nil
}

func TestRows(t *testing.T) {
	var w writes
	width := 20
	rows := screen.NewRows(&w, func() int { return width })
	for _, s := range []string{"short\nand one that is longer than a row\n", "in", " parts", "\n", "", "\u3248\u3248\u3248\u3248\u3248\u3248\u3248\u3248\u3248\u3248>>>\n"} {
		if n, err := io.WriteString(rows, s); n != len(s) || err != nil {
			t.Errorf("Write(%q) = %d, %v", s, n, err)
		}
	}
	width = 0 // unknown
	fmt.Fprintln(rows, strings.Repeat("x", 79)+">>>")
	want := []string{
		"short\nand one that is \n  longer than a row\n", "in parts\n", "\u3248\u3248\u3248\u3248\u3248\u3248\u3248\u3248\u3248\n  \u3248>>>\n",
		strings.Repeat("x", 79) + "\n  >>>\n",
	}
	if got := fmt.Sprintf("%q", []string(w)); got != fmt.Sprintf("%q", want) {
		t.Errorf("got  %s\nwant %q", got, want)
	}
}

func TestRowsHoldLittle(t *testing.T) {
	var w writes
	rows := screen.NewRows(&w, func() int { return 80 })
	for range 40 {
		fmt.Fprint(rows, strings.Repeat("x", 64<<10))
	}
	total := 0
	for _, s := range w {
		total += strings.Count(s, "x")
	}
	if held := 40*64<<10 - total; held > 1<<20 {
		t.Errorf("%d bytes are held", held)
	}
}

func TestRowsErrors(t *testing.T) {
	rows := screen.NewRows(&failing{}, func() int { return 80 })
	if n, err := io.WriteString(rows, "x\n"); !errors.Is(err, errFull) || n != 0 {
		t.Errorf("Write = %d, %v", n, err)
	}
}
