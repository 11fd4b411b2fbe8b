package desk_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"duet.example/duet"
	"duet.example/duet/desk"
	"duet.example/duet/duettest"
)

// What a subscriber has not read counts in the server's budget, also what waits for room; what it has read, or never will, does not.
func TestWatch_Budget(t *testing.T) {
	const line, lines = 300 << 10, 5 // the fifth waits
	for _, read := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			d := new(desk.Desk)
			w := d.Watch()
			var budget *duet.Budget
			s := &duet.Server{Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
				budget = c.Budget()
				return d.ServeConn(ctx, c)
			})}
			x, y := duettest.Pipe()
			served := make(chan error, 1)
			go func() { served <- s.ServeNetConn(x) }()
			if _, err := io.WriteString(y, strings.Repeat(strings.Repeat("x", line)+"\n", lines)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if n := budget.Used(); n < lines*line-64<<10 || n > lines*line+64<<10 {
				t.Errorf("%d bytes are held, want %d", n, lines*line)
			}
			if read {
				next(t, w, desk.Arrived)
				for range lines {
					next(t, w, desk.Said)
				}
			} else {
				w.Stop()
			}
			synctest.Wait()
			if n := budget.Used(); n > 64<<10 {
				t.Errorf("%d bytes are held after all was read, or dropped", n)
			}
			w.Stop()
			y.Close()
			<-served
			if n := budget.Used(); n != 0 {
				t.Errorf("%d bytes are held by nobody", n)
			}
		})
	}
}
