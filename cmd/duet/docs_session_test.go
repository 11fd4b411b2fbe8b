package main

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A screenText collects what a command prints and lets a test wait for it.
type screenText struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newScreenText() *screenText { return &screenText{changed: make(chan struct{})} }

func (s *screenText) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
	return s.text.Write(b)
}

// line waits for line i of the whole lines that were printed.
func (s *screenText) line(ctx context.Context, i int) (string, error) {
	for {
		s.mu.Lock()
		lines := strings.SplitAfter(s.text.String(), "\n")
		changed := s.changed
		s.mu.Unlock()
		if i < len(lines)-1 {
			return strings.TrimSuffix(lines[i], "\n"), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// await waits until part of what was printed is text.
func (s *screenText) await(ctx context.Context, text string) error {
	for {
		s.mu.Lock()
		found, changed := strings.Contains(s.text.String(), text), s.changed
		s.mu.Unlock()
		if found {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *screenText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

var portNumber = regexp.MustCompile(`(:\s?)\d+`)

// withoutPorts makes lines comparable that differ in their ports.
func withoutPorts(line string) string { return portNumber.ReplaceAllString(line, "${1}PORT") }

// A stage is duet while it runs in a test.
type stage struct {
	name  string
	out   *screenText
	typed *io.PipeWriter
	ended chan struct{}
}

// startOn runs duet, which must end well by itself: at the test's end it is waited for.
func startOn(ctx context.Context, t *testing.T, args ...string) *stage {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	in, typed := io.Pipe()
	s := &stage{name: args[0], out: newScreenText(), typed: typed, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		if code := run(ctx, args, in, s.out, s.out); code != exitOK {
			t.Errorf("duet %q ended with %d", args, code)
		}
		_ = in.Close()
	}()
	t.Cleanup(func() {
		if t.Failed() {
			cancel()
		}
		<-s.ended
		cancel()
		_ = typed.Close()
	})
	return s
}

func (s *stage) say(line string) { _, _ = io.WriteString(s.typed, line+"\n") }

// play holds duet against a picture of its screen: what stands behind a prompt is
// typed there, everything else must be printed, in that order and nothing between.
func (s *stage) play(ctx context.Context, t *testing.T, picture string) {
	printed := 0
	for line := range strings.Lines(picture) {
		line = strings.TrimSuffix(line, "\n")
		if words, ok := strings.CutPrefix(line, ">>> "); ok {
			s.say(words)
			continue
		}
		got, err := s.out.line(ctx, printed)
		if err != nil {
			t.Errorf("%s: waiting for %q: %v; there is\n%s", s.name, line, err, s.out)
			return
		}
		if printed++; withoutPorts(got) != withoutPorts(line) {
			t.Errorf("%s prints %q where its picture has %q", s.name, got, line)
		}
	}
	select {
	case <-s.ended:
	case <-ctx.Done():
		t.Errorf("%s has not ended with its picture", s.name)
	}
	if n := strings.Count(s.out.String(), "\n"); n != printed {
		t.Errorf("%s prints %d lines, its picture has %d:\n%s", s.name, n, printed, s.out)
	}
}

// The session that a README shows is what the two commands of the quick start print.
func TestSessionsOfTheReadmes(t *testing.T) {
	for _, path := range readmes {
		t.Run(path, func(t *testing.T) {
			var server, client string
			for _, block := range fenced(document(t, path), "") {
				switch {
				case strings.HasPrefix(block, "The Server is running"):
					server = block
				case strings.HasPrefix(block, "connected to"):
					client = block
				}
			}
			if server == "" || client == "" {
				t.Fatal("there is no picture of a server or a client")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			s := startOn(ctx, t, "listen", "--console", "localhost:0")
			var playing sync.WaitGroup
			defer playing.Wait()
			playing.Go(func() { s.play(ctx, t, server) })
			first, err := s.out.line(ctx, 0)
			if err != nil {
				t.Error(err)
				return
			}
			_, port, _ := strings.Cut(first, "localhost: ")
			startOn(ctx, t, "connect", "--console", "localhost:"+port).play(ctx, t, client)
		})
	}
}

// The lines of --explain in the README are lines that --explain prints, but for numbers.
func TestExplanationOfTheReadme(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the README shows the system calls of Linux")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	server := startOn(ctx, t, "listen", "--console", "127.0.0.1:0")
	first, err := server.out.line(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(first, ": ")
	client := startOn(ctx, t, "connect", "--console", "--explain", "127.0.0.1:"+port)
	if err := client.out.await(ctx, "Can I help you?"); err != nil {
		t.Fatal(err)
	}
	client.say("bye")
	<-client.ended
	server.say("/quit")

	numbers := regexp.MustCompile(`\d+`)
	printed := strings.Split(numbers.ReplaceAllString(client.out.String(), "N"), "\n")
	shown := 0
	for _, block := range fenced(document(t, "README.md"), "") {
		for line := range strings.Lines(block) {
			line = strings.TrimSuffix(line, "\n")
			if !strings.HasPrefix(line, "explain: ") {
				continue
			}
			shown++
			if !slices.Contains(printed, numbers.ReplaceAllString(line, "N")) {
				t.Errorf("README.md shows %q, which is not printed:\n%s", line, client.out)
			}
		}
	}
	if shown == 0 {
		t.Error("README.md shows nothing of --explain")
	}
}
