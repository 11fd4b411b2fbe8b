package screen_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"duet.example/duet/internal/screen"
)

func TestUntrustedPrintsQuoted(t *testing.T) {
	u := screen.Untrusted("a\x1b\\x1b\"\t\r\n\u202e你")
	const want = `"a\x1b\\x1b\"\t\x0d\n\u{202e}你"`
	for _, verb := range []string{"%s", "%v", "%q", "%+v", "%#v", "%d", "%10.2s", "%T%[1]v"} {
		got := fmt.Sprintf(verb, u)
		if got = strings.TrimPrefix(got, "screen.Untrusted"); got != want {
			t.Errorf("%s: %s, want %s", verb, got, want)
		}
	}
	if got := fmt.Sprint(u, &u, []screen.Untrusted{u}, struct{ U screen.Untrusted }{u}); got != want+" "+want+" ["+want+"] {"+want+"}" {
		t.Errorf("Sprint: %s", got)
	}
	if got := fmt.Errorf("peer said %s: %w", u, errFull).Error(); got != "peer said "+want+": full" {
		t.Errorf("Errorf: %s", got)
	}
	if got := fmt.Sprintf("% x", screen.Untrusted("\x1b[")); got != "1b 5b" {
		t.Errorf("%% x: %s", got)
	}
	if _, ok := any(u).(fmt.Stringer); ok {
		t.Error("Untrusted has a String method")
	}
}

func TestUntrustedInLogs(t *testing.T) {
	var b bytes.Buffer
	for want, h := range map[string]slog.Handler{
		`text=a\x1b[31m\nb\u009b\\x1b`:   slog.NewTextHandler(&b, nil),
		`a\\x1b[31m\\nb\\u009b\\\\x1b"}`: slog.NewJSONHandler(&b, nil),
	} {
		b.Reset()
		slog.New(h).Info("said", "text", screen.Untrusted("a\x1b[31m\nb\u009b\\x1b"))
		got := strings.TrimSuffix(b.String(), "\n")
		if err := unsafe(got); err != nil || !strings.HasSuffix(got, want) {
			t.Errorf("%s: %v", got, err)
		}
	}
}
