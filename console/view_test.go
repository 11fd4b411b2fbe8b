package console_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"duet.example/duet/console"
	"duet.example/duet/internal/screen"
)

func lines(texts ...string) []console.ViewLine {
	var all []console.ViewLine
	for i, text := range texts {
		all = append(all, console.ViewLine{Seq: uint64(3*i + 1), Text: text})
	}
	return all
}

func numbered(n int) []console.ViewLine {
	var texts []string
	for i := range n {
		texts = append(texts, fmt.Sprintf("line %d", i+1))
	}
	return lines(texts...)
}

var threePeers = []console.ViewPeer{
	{Number: 1, Name: "王芳", Unread: 12, Waits: true},
	{Number: 2, Name: "anna", Chosen: true, Typing: true},
	{Number: 30, Name: "192.0.2.7: 53122"},
}

func TestView(t *testing.T) {
	many := make([]console.ViewPeer, 0, 50)
	for i := range 50 {
		many = append(many, console.ViewPeer{Number: uint64(i + 1), Name: fmt.Sprint("peer", i+1), Chosen: i == 29, Unread: i % 2})
	}
	for _, tt := range []struct {
		name  string
		view  console.View
		w, h  int
		input []string
		down  int
		want  string
	}{
		{"nobody", console.View{Title: "nobody is being answered"}, 62, 6, []string{">>> "}, 0, `
0 clients           │ nobody is being answered
                    │
                    │
                    │
────────────────────┴────────────────────────────────────────
>>>`},
		{
			"at the side",
			console.View{Peers: threePeers, Title: "client 2 anna", Lines: lines("【Client 2 anna】 好", ">>> 早"), Partial: "【Client 2 anna】 lo"},
			66, 8,
			[]string{"2 anna >>> x", "... y"},
			0, `
3 clients, 12 unread  │ client 2 anna
  1 王芳         ? 12 │ 【Client 2 anna】 好
→ 2 anna            … │ >>> 早
  30 192.0.2.7: 531…  │ 【Client 2 anna】 lo
                      │
──────────────────────┴──────────────────────────────────────────
2 anna >>> x
... y`,
		},
		{
			"narrow",
			console.View{Peers: threePeers, Title: "client 2 anna", Lines: lines("【Client 2 anna】 "+strings.Repeat("中文", 12), "👩‍👩‍👧 done")},
			40, 7,
			[]string{"2 anna >>> "},
			0, `
→ 2 anna… │ 1 王芳? (12) │ 30 192.0.2.…
【Client 2 anna】 中文中文中文中文中文
                  中文中文中文中文中文
                  中文中文
👩‍👩‍👧 done
───────────────────────────────────────
2 anna >>>`,
		},
		{"narrow, nobody chosen", console.View{Peers: threePeers[:1], Title: "nobody is being answered"}, 40, 4, []string{"? >>> "}, 0, `
? │ 1 王芳? (12)

───────────────────────────────────────
? >>>`},
		{"narrow, nobody", console.View{Title: "nobody is being answered"}, 40, 4, []string{">>> "}, 0, `
nobody is being answered

───────────────────────────────────────
>>>`},
		{"more peers than rows", console.View{Peers: many, Title: "client 30"}, 60, 8, []string{"30 >>> "}, 0, `
50 clients, 25 unre…│ client 30
  28 peer28       1 │
  29 peer29         │
→ 30 peer30       1 │
  31 peer31         │
  … 46 more         │
────────────────────┴──────────────────────────────────────
30 >>>`},
		{"more lines than rows", console.View{Lines: numbered(9)}, 40, 6, []string{">>> "}, 0, `

line 7
line 8
line 9
───────────────────────────────────────
>>>`},
		{"scrolled", console.View{Lines: numbered(9)}, 40, 6, []string{">>> "}, -4, `

line 3
line 4
line 5
─────────────────────────── ↓ 4 more ──
>>>`},
		{"scrolled to the top", console.View{Lines: numbered(9)}, 40, 6, []string{">>> "}, -99, `

line 1
line 2
line 3
─────────────────────────── ↓ 6 more ──
>>>`},
		{"scrolled, with nothing to scroll", console.View{Lines: numbered(2), Partial: "x"}, 40, 6, []string{">>> "}, -99, `

line 1
line 2
x
───────────────────────────────────────
>>>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rows := console.ViewRows(tt.view, tt.w, tt.h, tt.input, tt.down)
			for i := range rows {
				rows[i] = strings.TrimRight(rows[i], " ")
			}
			if got := strings.Join(rows, "\n"); got != tt.want[1:] {
				t.Errorf("drawn\n%s\nwant\n%s", got, tt.want[1:])
			}
		})
	}
}

// Whatever is in it, the view fills the screen and no row is too wide.
func TestViewFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		safe := rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return screen.Line(b, screen.Reverse) })
		text := rapid.OneOf(safe, rapid.StringOf(rapid.RuneFrom([]rune("ab 中文é👩‍👧🏽 ")))) //nolint:gosmopolitan // wide characters
		var v console.View
		v.Title, v.Partial = text.Draw(t, "title"), text.Draw(t, "partial")
		v.Lines = lines(rapid.SliceOfN(text, 0, 30).Draw(t, "lines")...)
		for i := range rapid.IntRange(0, 30).Draw(t, "peers") {
			v.Peers = append(v.Peers, console.ViewPeer{
				Number: uint64(i * i * i), Name: text.Draw(t, "name"), Unread: rapid.IntRange(0, 100000).Draw(t, "unread"),
				Chosen: i == 3, Waits: rapid.Bool().Draw(t, "waits"),
			})
		}
		w, h := rapid.IntRange(8, 200).Draw(t, "width"), rapid.IntRange(4, 60).Draw(t, "height")
		input := slices.Repeat([]string{"x"}, rapid.IntRange(1, max(1, min(6, h-3))).Draw(t, "input"))
		rows := console.ViewRows(v, w, h, input, rapid.IntRange(-100, 0).Draw(t, "scroll"))
		if len(rows) != h {
			t.Fatalf("%d rows, want %d", len(rows), h)
		}
		for i, r := range rows {
			if screen.Width(r) > w-1 {
				t.Errorf("row %d has %d columns of %d: %q", i, screen.Width(r), w, r)
			}
		}
	})
}

// The full view in the README is what it draws.
func TestViewOfTheReadme(t *testing.T) {
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "```\n3 clients,")
	want, _, _ := strings.Cut(rest, "```")
	v := console.View{
		Title: "client 2 anna, 127.0.0.1: 56012: wants the blue one",
		Peers: []console.ViewPeer{
			{Number: 1, Name: "王芳", Unread: 2, Waits: true},
			{Number: 2, Name: "anna", Chosen: true, Waits: true},
			{Number: 3, Name: "127.0.0.1: 56014", Unread: 1, Waits: true, Typing: true},
		},
		Lines: lines("client 2 is anna from now on", "【Client 2 anna】 Good morning!", ">>> Good morning, what can I do for you?",
			"【desk → 2 anna】 I have looked: it is there, the blue one, too", "【Client 2 anna】 好的，谢谢！ Can you keep it for me until the evening?",
			"noted about client 2 anna: wants the blue one"),
	}
	rows := console.ViewRows(v, 80, 24, []string{"2 anna >>> Of course. 没问题"}, 0)
	for i := range rows {
		rows[i] = strings.TrimRight(rows[i], " ")
	}
	if got := strings.Join(rows, "\n") + "\n"; got != "3 clients,"+want {
		t.Errorf("README.md shows\n3 clients,%s\nwhat is drawn is\n%s", want, got)
	}
}
