package mutants

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// A verdict is what became of a mutant.
type verdict string

const (
	killed   verdict = "killed"   // a test turned red
	survived verdict = "SURVIVED" // none did
	broken   verdict = "BROKEN"   // it says nothing: it does not compile, its tests are red anyway, or they hang
)

// A result is a verdict and why: the test that turned red, or what is broken.
type result struct {
	verdict
	why  string
	took time.Duration
}

// A workshop is a copy of the code in which one mutant at a time is made.
type workshop struct {
	dir   string // the copy
	bin   string // for test binaries
	limit time.Duration
	fit   *fitness
}

// fitness remembers which suites are green without any mutant. Workshops share it.
type fitness struct {
	mu   sync.Mutex
	seen map[suite]error
}

// files are those of the tree at dir that belong to it, whether they are committed or not; all, where it is no git repository.
func files(ctx context.Context, dir string) ([]string, error) {
	cmd := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = dir
	if out, err := cmd.Output(); err == nil && len(out) > 0 {
		return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"), nil
	}
	var all []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			path, err = filepath.Rel(dir, path)
			all = append(all, path)
		}
		return err
	})
	return all, err
}

// copyTree copies the files of a tree. One that was removed and is still tracked is left out.
func copyTree(from, to string, names []string) error {
	for _, name := range names {
		info, err := os.Lstat(filepath.Join(from, name))
		if errors.Is(err, os.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue
		}
		if err == nil {
			err = os.MkdirAll(filepath.Join(to, filepath.Dir(name)), 0o700)
		}
		if err == nil {
			err = copyFile(filepath.Join(from, name), filepath.Join(to, name), info.Mode().Perm())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string, mode os.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// try makes a mutant, runs its tests, and puts the code right again.
func (w *workshop) try(ctx context.Context, m mutant) (r result) {
	began := time.Now()
	defer func() { r.took = time.Since(began) }()
	for _, s := range m.suites {
		if err := w.green(ctx, s); err != nil {
			return result{verdict: broken, why: fmt.Sprintf("without the mutant: %v", err)}
		}
	}
	path := filepath.Join(w.dir, m.file)
	text, err := os.ReadFile(path)
	if err != nil {
		return result{verdict: broken, why: err.Error()}
	}
	mutated, err := m.apply(text)
	if err != nil {
		return result{verdict: broken, why: err.Error()}
	}
	if err := os.WriteFile(path, mutated, 0o600); err != nil {
		return result{verdict: broken, why: err.Error()}
	}
	defer func() {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			r = result{verdict: broken, why: err.Error()}
		}
	}()
	for _, s := range m.suites {
		err := w.run(ctx, s)
		var red *redError
		switch {
		case err == nil:
		case ctx.Err() != nil || !errors.As(err, &red):
			return result{verdict: broken, why: err.Error()}
		case red.hung && !m.hangs:
			return result{verdict: broken, why: "its tests hang: say `hang: red`, where that cannot be otherwise"}
		default:
			return result{verdict: killed, why: red.Error()}
		}
	}
	return result{verdict: survived, why: fmt.Sprint(m.suites)}
}

// green makes sure that a suite has tests, and that they pass as the code is.
func (w *workshop) green(ctx context.Context, s suite) error {
	w.fit.mu.Lock()
	defer w.fit.mu.Unlock()
	if err, known := w.fit.seen[s]; known {
		return err
	}
	err := w.run(ctx, s)
	if w.fit.seen == nil {
		w.fit.seen = map[suite]error{}
	}
	w.fit.seen[s] = err
	return err
}

// A redError says that tests failed, and which came first.
type redError struct {
	test string
	hung bool
	out  string
}

func (e *redError) Error() string {
	if e.hung {
		return e.test + " hangs"
	}
	return e.test
}

var (
	failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	passed = regexp.MustCompile(`(?m)^\s*--- (PASS|SKIP): `)
	stuck  = regexp.MustCompile(`(?m)^\s*running tests:\n\s*(\S+)`)
)

// run builds and runs the tests of a suite: nil when they pass, a *redError when they do not.
func (w *workshop) run(ctx context.Context, s suite) error {
	bin := filepath.Join(w.bin, "mutant.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-o", bin, "./"+s.pkg)
	build.Dir, build.Env = w.dir, environment()
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("it does not compile: %w\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(ctx, w.limit+10*time.Second)
	defer cancel()
	test := exec.CommandContext(ctx, bin, "-test.v", "-test.count=1", "-test.timeout="+w.limit.String(), "-test.run="+s.run)
	test.Dir, test.Env, test.WaitDelay = filepath.Join(w.dir, s.pkg), environment(), time.Second
	var out bytes.Buffer
	test.Stdout, test.Stderr = &out, &out
	err := test.Run()
	ran := passed.Match(out.Bytes()) || failed.Match(out.Bytes())
	switch {
	case err == nil && !ran:
		return errors.New("no test runs")
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return nil
	}
	red := &redError{test: "the package", out: out.String()}
	if found := failed.FindSubmatch(out.Bytes()); found != nil {
		red.test = string(found[1])
	}
	if bytes.Contains(out.Bytes(), []byte("panic: test timed out")) || ctx.Err() != nil {
		red.hung = true
		if found := stuck.FindSubmatch(out.Bytes()); found != nil {
			red.test = string(found[1])
		}
	}
	return red
}

// environment is that of scripts/test, so that what the tests see does not depend on who runs them.
func environment() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "DUET_") {
			env = append(env, e)
		}
	}
	return append(env, "LC_ALL=C.UTF-8", "GOFLAGS=-buildvcs=false", "CGO_ENABLED=0")
}
