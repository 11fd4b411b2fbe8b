package main

import (
	"bytes"
	"context"
	"io"
	"regexp"
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

func (s *screenText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

var port = regexp.MustCompile(`(:\s?)\d+`)

// withoutPorts makes lines comparable that differ in their ports.
func withoutPorts(line string) string { return port.ReplaceAllString(line, "${1}PORT") }

// An actor is duet that plays the part of one picture: what stands behind a prompt is typed there,
// everything else must be printed, in that order and nothing between.
type actor struct {
	name, picture string
	args          []string
	out           *screenText
	played        chan struct{}
}

func newActor(name, picture string, args ...string) *actor {
	return &actor{name: name, picture: picture, args: args, out: newScreenText(), played: make(chan struct{})}
}

func (a *actor) play(ctx context.Context, t *testing.T) {
	defer close(a.played)
	in, typed := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if code := run(ctx, a.args, in, a.out, a.out); code != exitOK {
			t.Errorf("%s: duet %q ended with %d", a.name, a.args, code)
		}
		_ = in.Close()
	}()
	printed := 0
	for line := range strings.Lines(a.picture) {
		line = strings.TrimSuffix(line, "\n")
		if words, ok := strings.CutPrefix(line, ">>> "); ok {
			_, _ = io.WriteString(typed, words+"\n")
			continue
		}
		got, err := a.out.line(ctx, printed)
		if err != nil {
			t.Errorf("%s: waiting for %q: %v; there is\n%s", a.name, line, err, a.out)
			break
		}
		if printed++; withoutPorts(got) != withoutPorts(line) {
			t.Errorf("%s: prints %q where its picture has %q", a.name, got, line)
		}
	}
	<-ended
	_ = typed.Close()
	if n := strings.Count(a.out.String(), "\n"); n != printed {
		t.Errorf("%s: prints %d lines, its picture has %d:\n%s", a.name, n, printed, a.out)
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
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			s := newActor("server", server, "listen", "--console", "localhost:0")
			go s.play(ctx, t)
			defer func() { <-s.played }()
			first, err := s.out.line(ctx, 0)
			if err != nil {
				t.Error(err)
				return
			}
			_, port, _ := strings.Cut(first, "localhost: ")
			newActor("client", client, "connect", "--console", "localhost:"+port).play(ctx, t)
		})
	}
}
