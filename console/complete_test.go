package console_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"duet.example/duet/console"
)

func TestComplete(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := t.TempDir() + string(filepath.Separator)
		for _, name := range []string{"notes.txt", "日本.txt", "[x].txt", ".hidden", "b\u202ead"} {
			if err := os.WriteFile(dir+name, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Mkdir(dir+"folder", 0o700); err != nil {
			t.Fatal(err)
		}
		server, client := open(t, console.Options{Server: true}), open(t, console.Options{})
		server.connect()
		server.connect()
		server.types("/name 1 王芳", "/name 2 anna")
		for _, tt := range []struct {
			b    *booth
			line string // the cursor is at |
			from int
			want []string
		}{
			{server, "/|", 0, []string{"/help", "/who ", "/use ", "/next", "/to ", "/all ", "/name ", "/note ", "/bye ", "/kick ", "/ban ", "/reload", "/quiet ", "/full", "/quit", "/hex ", "/framing ", "/encoding ", "/explain ", "/send ", "/save "}},
			{client, "/u|", 0, nil},
			{client, "/qu|", 0, []string{"/quit"}},
			{client, "/qu|it now", 0, []string{"/quit"}},
			{server, "/use |", 5, []string{"1", "2", "anna", "王芳"}},
			{server, "/use a|", 5, []string{"anna"}},
			{server, "/bye 王|", 5, []string{"王芳"}},
			{server, "/to 王|", 4, []string{"王芳 "}},
			{server, "/kick 2|", 6, []string{"2 "}},
			{server, "/name 2 a|", 6, nil},
			{server, "/note |", 6, []string{"1 ", "2 ", "anna ", "王芳 "}},
			{server, "/ban a|", 5, []string{"anna"}},
			{server, "/quiet o|", 7, []string{"on", "off"}},
			{client, "/ki|", 0, nil},
			{client, "hello|", 5, nil},
			{client, "//|", 2, nil},
			{client, "|", 0, nil},
			{client, "/nothing x|", 10, nil},
			{client, "/who x|", 5, nil},
			{client, "/who a|", 5, []string{"all"}},
			{client, "/hex |", 5, []string{"on", "off"}},
			{client, "/hex of|", 5, []string{"off"}},
			{client, "/framing l|", 9, []string{"lf", "length"}},
			{client, "/encoding sh|", 10, []string{"shift_jis"}},
			{client, "/send " + dir + "no|", 6, []string{dir + "notes.txt"}},
			{client, "/send " + dir + "日|", 6, []string{dir + "日本.txt"}},
			{client, "/send " + dir + "[|", 6, []string{dir + "[x].txt"}},
			{client, "/save " + dir + ".|", 6, []string{dir + ".hidden"}},
			{client, "/save " + dir + "|", 6, []string{dir + "[x].txt", dir + "folder" + string(filepath.Separator), dir + "notes.txt", dir + "日本.txt"}},
			{client, "/save /no/such/|", 6, nil},
		} {
			before, after, _ := strings.Cut(tt.line, "|")
			from, got := tt.b.Complete(before+after, len(before))
			if from != tt.from || !slices.Equal(got, tt.want) {
				t.Errorf("%q: %d %q, want %d %q", tt.line, from, got, tt.from, tt.want)
			}
		}
		for _, cursor := range []int{-1, 99} {
			if from, _ := client.Complete("/q", cursor); from < 0 || from > 2 {
				t.Errorf("cursor %d: from %d", cursor, from)
			}
		}
	})
}
