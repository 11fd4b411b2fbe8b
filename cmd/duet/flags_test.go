package main

import (
	"testing"
	"time"
)

func TestTimeouts(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name                string
		args                []string
		connect, idle, send time.Duration
		pipe                time.Duration // how long a pipe's peer may take nothing
	}{
		{"none", nil, 10 * time.Second, 0, 0, -1},
		{"all", []string{"--timeout", "300ms"}, 300 * ms, 300 * ms, 300 * ms, 300 * ms},
		{"others override it", []string{"--timeout", "300ms", "--connect-timeout", "1ms", "--idle-timeout", "2ms", "--send-timeout", "3ms"}, 1 * ms, 2 * ms, 3 * ms, 3 * ms},
		{"longer ones too", []string{"--idle-timeout", "10s", "--timeout", "50ms"}, 50 * ms, 10 * time.Second, 50 * ms, 50 * ms},
		{"never idle", []string{"--timeout", "300ms", "--idle-timeout", "0"}, 300 * ms, 0, 300 * ms, 300 * ms},
		{"never a slow peer", []string{"--timeout", "300ms", "--send-timeout", "0"}, 300 * ms, 300 * ms, -1, -1},
		{"never too long connecting", []string{"--timeout", "300ms", "--connect-timeout", "0"}, 0, 300 * ms, 300 * ms, 300 * ms},
		{"none of them", []string{"--connect-timeout", "0", "--idle-timeout", "0", "--send-timeout", "0"}, 0, 0, -1, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := &connect{app: &app{}}
			if err := k.command().ParseFlags(tt.args); err != nil {
				t.Fatal(err)
			}
			if err := k.resolve(); err != nil {
				t.Fatal(err)
			}
			if k.connectTimeout != tt.connect || k.idleTimeout != tt.idle || k.sendTimeout != tt.send {
				t.Errorf("connecting %v, idle %v, sending %v; want %v, %v, %v",
					k.connectTimeout, k.idleTimeout, k.sendTimeout, tt.connect, tt.idle, tt.send)
			}
			if got := k.pipePatience(); got != tt.pipe {
				t.Errorf("a pipe's peer may take nothing for %v, want %v", got, tt.pipe)
			}
		})
	}
}
