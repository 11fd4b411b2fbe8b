package duet_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"

	"duet.example/duet"
)

// logBuffer is a log that a test reads.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func explode() { panic("boom") }

func TestHandlerFails(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		var log logBuffer
		st := start(t, n, &duet.Server{Logger: log.logger(), Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
			for m, err := range c.Messages(ctx) {
				if err != nil {
					return err
				}
				switch string(m.Body) {
				case "panic":
					explode()
				case "exit":
					runtime.Goexit()
				case "error":
					return errors.New("it did not work")
				case "reason":
					return &duet.Error{Op: "play", Reason: duet.EndKicked, Err: duet.ErrKicked}
				}
				c.Send(ctx, m.Body)
			}
			return nil
		})})
		other := st.peer(t)
		other.say("before\n")
		other.want("before\n")
		for _, test := range []struct {
			say  string
			end  duet.EndReason
			logs []string
		}{
			{"panic", duet.EndHandlerFailed, []string{"boom", "explode", "conversation=2"}},
			{"exit", duet.EndHandlerFailed, nil},
			{"error", duet.EndHandlerFailed, []string{"it did not work", "conversation=4"}},
			{"reason", duet.EndKicked, nil},
		} {
			p := st.peer(t)
			p.say(test.say + "\n")
			p.wantEOF()
			p.Close()
			st.wantEnd(t, test.end)
			for _, want := range test.logs {
				if !strings.Contains(log.String(), want) {
					t.Errorf("%s: the log does not say %q:\n%s", test.say, want, log.String())
				}
			}
		}
		other.say("after\n")
		other.want("after\n")
	})
}
