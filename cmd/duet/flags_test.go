package main

import (
	"testing"
	"time"

	"duet.example/duet"
)

func TestMemory(t *testing.T) {
	for text, want := range map[string]int64{
		"": 0, "0": -1, "1": 1, "65536": 65536, "64k": 64 << 10, "64K": 64 << 10, "512M": 512 << 20, "1G": 1 << 30,
		"64KiB": 64 << 10, "512MiB": 512 << 20, "1GiB": 1 << 30, "1024G": 1 << 40,
		"-1": -2, "1.5G": -2, "1T": -2, "iB": -2, "1iB": -2, "GiB": -2, "M": -2, "1025G": -2, "1 G": -2, "+1": -2, "4294967296": -2,
	} {
		b := budget(-1)
		var err error
		if text != "" {
			err = b.Set(text)
		}
		if got := b.limit(); err == nil && got != want || err != nil && want != -2 {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	if n := codeOf(duet.EndOverload); n != exitFailed {
		t.Errorf("overload has the exit code %d", n)
	}
}

func TestTimeouts(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name                string
		args                []string
		connect, idle, send time.Duration
		pipe                time.Duration // how long a pipe's peer may take nothing
		system, systemPipe  time.Duration // how long the system waits for a peer, and for a pipe's
	}{
		{"none", nil, 10 * time.Second, 0, 0, -1, 0, -1},
		{"all", []string{"--timeout", "300ms"}, 300 * ms, 300 * ms, 300 * ms, 300 * ms, 30 * time.Second, 1600 * ms},
		{"others override it", []string{"--timeout", "300ms", "--connect-timeout", "1ms", "--idle-timeout", "2ms", "--send-timeout", "3ms"}, 1 * ms, 2 * ms, 3 * ms, 3 * ms, 30 * time.Second, 1006 * ms},
		{"longer ones too", []string{"--idle-timeout", "10s", "--timeout", "50ms"}, 50 * ms, 10 * time.Second, 50 * ms, 50 * ms, 30 * time.Second, 1100 * ms},
		{"never idle", []string{"--timeout", "300ms", "--idle-timeout", "0"}, 300 * ms, 0, 300 * ms, 300 * ms, 30 * time.Second, 1600 * ms},
		{"never a slow peer", []string{"--timeout", "300ms", "--send-timeout", "0"}, 300 * ms, 300 * ms, -1, -1, -1, -1},
		{"never too long connecting", []string{"--timeout", "300ms", "--connect-timeout", "0"}, 0, 300 * ms, 300 * ms, 300 * ms, 30 * time.Second, 1600 * ms},
		{"none of them", []string{"--connect-timeout", "0", "--idle-timeout", "0", "--send-timeout", "0"}, 0, 0, -1, -1, -1, -1},
		{"long", []string{"--send-timeout", "1m"}, 10 * time.Second, 0, time.Minute, time.Minute, 121 * time.Second, 121 * time.Second},
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
			if got, pipe := k.dialer(false).Transport.UserTimeout, k.dialer(true).Transport.UserTimeout; got != tt.system || pipe != tt.systemPipe {
				t.Errorf("the system waits for %v, in a pipe for %v; want %v, %v", got, pipe, tt.system, tt.systemPipe)
			}
		})
	}
}
