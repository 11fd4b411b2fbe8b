package mutants

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the module's folder.
const root = "../.."

// A mutant is the code without one guard.
type mutant struct {
	name   string
	file   string // below the module's folder
	suites []suite
	hangs  bool // a timeout is red
	hunks  []hunk
}

// A hunk is whole lines, and what becomes of them.
type hunk struct{ old, new string }

// A suite is tests of one package.
type suite struct{ pkg, run string }

// parse reads mutants; name is for errors.
func parse(name string, text []byte) ([]mutant, error) {
	var all []mutant
	var m *mutant
	for i, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if line == "" {
			m = nil
			continue
		}
		if m == nil {
			all = append(all, mutant{})
			m = &all[len(all)-1]
		}
		if err := m.take(line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
	}
	return all, nil
}

func (m *mutant) take(line string) error {
	if strings.ContainsAny(line[:1], "-+ ") {
		if len(m.hunks) == 0 {
			m.hunks = make([]hunk, 1)
		}
		h := &m.hunks[len(m.hunks)-1]
		if line[0] != '+' {
			h.old += line[1:] + "\n"
		}
		if line[0] != '-' {
			h.new += line[1:] + "\n"
		}
		return nil
	}
	if line == "@@" {
		m.hunks = append(m.hunks, hunk{})
		return nil
	}
	key, value, _ := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	switch key {
	case "name":
		m.name = value
	case "file":
		m.file = value
	case "test":
		pkg, run, _ := strings.Cut(value, " ")
		m.suites = append(m.suites, suite{pkg, strings.TrimSpace(run)})
	case "hang":
		m.hangs = value == "red"
	default:
		return fmt.Errorf("%q is no line of a mutant", line)
	}
	return nil
}

// apply takes the guard out of the file's text.
func (m *mutant) apply(text []byte) ([]byte, error) {
	whole := append([]byte("\n"), text...)
	for _, h := range m.hunks {
		old := []byte("\n" + h.old)
		if n := bytes.Count(whole, old); n != 1 {
			return nil, fmt.Errorf("%s: what %s takes out stands there %d times, want once:\n%s", m.file, m.name, n, h.old)
		}
		whole = bytes.Replace(whole, old, []byte("\n"+h.new), 1)
	}
	return whole[1:], nil
}

// check says what is wrong with a mutant, but for what running it shows.
func (m *mutant) check(dir string) error {
	switch {
	case m.name == "" || m.file == "" || len(m.suites) == 0:
		return fmt.Errorf("mutant %q of %q: name, file or test is missing", m.name, m.file)
	case len(m.hunks) == 0:
		return fmt.Errorf("%s takes nothing out", m.name)
	}
	for _, h := range m.hunks {
		if h.old == "" || h.old == h.new {
			return fmt.Errorf("%s takes nothing out", m.name)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, m.file))
	if err != nil {
		return err
	}
	if _, err := m.apply(text); err != nil {
		return err
	}
	for _, s := range m.suites {
		if err := s.check(dir); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

var testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// check looks for each of the suite's tests; run is names with | between them, of which a / begins a part.
func (s suite) check(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, s.pkg, "*_test.go"))
	if err != nil {
		return err
	}
	var names []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		for _, found := range testFunc.FindAllSubmatch(text, -1) {
			names = append(names, string(found[1]))
		}
	}
	for want := range strings.SplitSeq(s.run, "|") {
		want, _, _ = strings.Cut(want, "/")
		if !strings.Contains("\n"+strings.Join(names, "\n"), "\n"+strings.Trim(want, "^$")) || want == "" {
			return fmt.Errorf("%s has no test %q", s.pkg, want)
		}
	}
	return nil
}

// table reads all mutants.
func table(t *testing.T) []mutant {
	t.Helper()
	files, err := filepath.Glob("guards/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no guards: %v", err)
	}
	var all []mutant
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		some, err := parse(f, text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, some...)
	}
	return all
}

// TestTable: the code moves on, and the mutants with it.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range table(t) {
		if err := m.check(root); err != nil {
			t.Error(err)
		}
		if seen[m.name] {
			t.Errorf("two mutants are called %s", m.name)
		}
		seen[m.name] = true
	}
}

func TestTableIsChecked(t *testing.T) {
	dir := t.TempDir()
	for name, text := range fixture {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const head = "name: x\nfile: guard.go\ntest: . TestCapped\n"
	for text, want := range map[string]string{
		head + "-\tif n > 10 {\n+\tif n > 20 {\n": "",
		head + "-\tif n > 11 {\n+\tif n > 20 {\n": "stands there 0 times",
		head + "-}\n":                                        "stands there 2 times",
		head + " \tif n > 10 {\n":                            "takes nothing out",
		"name: x\nfile: guard.go\n-\tif n > 10 {\n":          "is missing",
		"name: x\nfile: none.go\ntest: . TestCapped\n-\tx\n": "no such file",
		"name: x\nfile: guard.go\ntest: . TestCapped|TestGone\n-\tif n > 10 {\n+\tif n > 20 {\n": `no test "TestGone"`,
	} {
		all, err := parse("x", []byte(text))
		if err != nil || len(all) != 1 {
			t.Fatalf("%q: %d mutants, %v", text, len(all), err)
		}
		if err := all[0].check(dir); want == "" && err != nil || want != "" && !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := parse("x", []byte("title: x\n")); err == nil || err.Error() != `x:1: "title: x" is no line of a mutant` {
		t.Error(err)
	}
}
