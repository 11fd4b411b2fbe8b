package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestParseResult(t *testing.T) {
	r, err := parseResult("count 12\nnanoseconds 2000000000\nquantile 0.5 1500\nquantile 0.99 2500.5\n")
	if err != nil || r.numbers["count"] != 12 || r.perSecond(12) != 6 {
		t.Errorf("%+v, %v", r, err)
	}
	if ns, ok := r.quantile(0.99); !ok || ns != 2500.5 {
		t.Errorf("the 99th percentile is %v, %v", ns, ok)
	}
	if _, ok := r.quantile(0.999); ok {
		t.Error("a quantile that is not there was found")
	}
	for _, text := range []string{"count\n", "count many\n", "\n", "a 1 2\n", "quantile 0.5\nquantile 1 2 3\n"} {
		if _, err := parseResult(text); err == nil {
			t.Errorf("%q was taken for a result", text)
		}
	}
}

func TestListens(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue\n"
	for _, c := range []struct {
		line string
		want bool
	}{
		{"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000", true},
		{"   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0", true},
		{"   0: 0100007F:1F90 0100007F:C350 01 00000000:00000000", false},
		{"   0: 0100007F:1F91 0100007F:1F90 0A 00000000:00000000", false},
		{"", false},
	} {
		if got := listens(head+c.line+"\n", 8080); got != c.want {
			t.Errorf("%q: %v, want %v", c.line, got, c.want)
		}
	}
}

func TestField(t *testing.T) {
	const text = "MemTotal:       24 kB\nSlab:     1234 kB\n"
	if field(text, "Slab:") != 1234 || field(text, "Other:") != 0 {
		t.Errorf("%d, %d", field(text, "Slab:"), field(text, "Other:"))
	}
}

func TestGrowing(t *testing.T) {
	if got := growing(19000, 20000); !slices.Equal(got, []int{1000, 5000, 10000, 19000}) {
		t.Errorf("%v", got)
	}
	if got := growing(19000, 1024); !slices.IsSorted(got) || got[0] < 1 || got[3] != 524 {
		t.Errorf("with few descriptors: %v", got)
	}
}

// Whoever stands between the writer of bursts and their reader and loses, changes or keeps bytes is found.
func TestBursts(t *testing.T) {
	pattern := []byte("abcdefghijk")
	ends := []int64{40, 100, 131}
	for _, c := range []struct {
		name  string
		spoil func(b []byte) []byte
		wrong bool
	}{
		{"nothing", func(b []byte) []byte { return b }, false},
		{"a bit", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, true},
		{"a byte", func(b []byte) []byte { return b[1:] }, true},
	} {
		in, out := net.Pipe()
		marks, failed := make(chan time.Time, 1), make(chan error, 1)
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := readBursts(t.Context(), out, pattern, ends, marks); err != nil {
				failed <- err
			}
			_, _ = io.Copy(io.Discard, out)
		})
		n := 0
		w := writerFunc(func(b []byte) (int, error) {
			if n++; n == 9 {
				_, err := in.Write(c.spoil(bytes.Clone(b)))
				return len(b), err
			}
			return in.Write(b)
		})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		taken, err := sendBursts(ctx, w, pattern, ends, marks, failed)
		if c.wrong != errors.Is(err, errWrong) || !c.wrong && len(taken) != len(ends) {
			t.Errorf("%s spoilt: %v, %v", c.name, taken, err)
		}
		cancel()
		in.Close()
		wg.Wait()
		out.Close()
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// served runs a server for a test, a goroutine for each connection.
func served(t *testing.T, serve func(net.Conn)) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer nc.Close()
				serve(nc)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// loads are the load programs, built for a test.
func loads(t *testing.T, names ...string) []string {
	t.Helper()
	if _, err := exec.LookPath("cc"); err != nil || runtime.GOOS != "linux" {
		t.Skip("the load programs need Linux and a C compiler")
	}
	lab := &Lab{ctx: t.Context(), dir: t.TempDir(), log: t.Output(), built: map[string]string{}, called: map[string]string{}, absent: map[string]bool{}}
	var paths []string
	for _, name := range names {
		path, err := lab.load(name)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// echoLines says back each line as change makes it; nothing for an empty one.
func echoLines(change func(n int, line string) string) func(net.Conn) {
	return func(nc net.Conn) {
		in := bufio.NewReader(nc)
		for n := 0; ; n++ {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if _, err := io.WriteString(nc, change(n, line)); err != nil {
				return
			}
		}
	}
}

// A load program takes what is right, and ends with a wrong result where one byte is not.
func TestLoadsCompare(t *testing.T) {
	paths := loads(t, "echoload", "greetload")
	same := func(_ int, line string) string { return line }
	for _, c := range []struct {
		name  string
		serve func(net.Conn)
		load  string
		args  []string
		wrong bool
	}{
		{"echo", echoLines(same), paths[0], []string{"3", "0.05"}, false},
		{"echo of one", echoLines(same), paths[0], []string{"1", "0.05"}, false},
		{"echo with a changed byte", echoLines(func(n int, line string) string {
			if n == 5 {
				return strings.Replace(line, "z", "Z", 1)
			}
			return line
		}), paths[0], []string{"3", "5"}, true},
		{"echo of what was said before", echoLines(func() func(int, string) string {
			var mu sync.Mutex
			var first string
			return func(n int, line string) string {
				mu.Lock()
				defer mu.Unlock()
				if first == "" {
					first = line
				}
				return first
			}
		}()), paths[0], []string{"1", "5"}, true},
		{"greeting", func(nc net.Conn) {
			_, _ = io.WriteString(nc, "hello\n")
			_, _ = io.Copy(io.Discard, nc)
		}, paths[1], []string{"4", "0.05", "hello\n"}, false},
		{"another greeting", func(nc net.Conn) {
			_, _ = io.WriteString(nc, "hallo\n")
			_, _ = io.Copy(io.Discard, nc)
		}, paths[1], []string{"4", "5", "hello\n"}, true},
		{"half a greeting", func(nc net.Conn) { _, _ = io.WriteString(nc, "hel") }, paths[1], []string{"4", "5", "hello\n"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := runLoad(t.Context(), c.load, append([]string{served(t, c.serve)}, c.args...)...)
			if errors.Is(err, errWrong) != c.wrong || !c.wrong && (err != nil || r.numbers["count"] == 0) {
				t.Errorf("%+v, %v; want a wrong result: %v", r, err, c.wrong)
			}
		})
	}
}
