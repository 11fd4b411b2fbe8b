package duet_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The house of docs/architecture.md, held by tests: who may import whom, what
// importing the library links, and habits that are easily forgotten.

// internalFloor lies below all others: everybody may use it, and it uses nobody.
const internalFloor = -1

// floors says on which floor each package stands, by its folder below the
// module's root. A package imports only from floors below its own. A new
// package is placed here first, and in docs/architecture.md.
var floors = map[string]int{
	"framing":           0,
	"identity":          0,
	"transport":         0,
	"transport/tlsconn": 0,

	".": 1, // duet itself

	"admission": 2,
	"event":     2,
	"metrics":   2,
	"recording": 2,

	"desk":     3,
	"duettest": 3,
	"handler":  3,
	"room":     3,
	"script":   3,

	"console": 4,
	"web":     4,

	"cmd/duet": 5,

	"internal/hostile": 6, // tests only
	"internal/interop": 6, // tests only
}

// neighbours may be imported although they are on the same floor.
var neighbours = map[string][]string{
	"transport":         {"identity"},
	"transport/tlsconn": {"identity", "transport"},
	"recording":         {"event"},
}

// systems are those whose files the floors are checked for.
var systems = []string{"linux", "darwin", "windows"}

// maxLines is the length from which on a file is several things.
const maxLines = 600

func floorOf(pkg string) (int, bool) {
	floor, known := floors[pkg]
	if !known && (pkg == "internal" || strings.HasPrefix(pkg, "internal/")) {
		return internalFloor, true
	}
	return floor, known
}

// mayImport reports whether the floors let pkg import dep, both known.
func mayImport(pkg, dep string) bool {
	from, _ := floorOf(pkg)
	to, _ := floorOf(dep)
	return to < from || slices.Contains(neighbours[pkg], dep)
}

type listedPackage struct {
	ImportPath string
	Dir        string
	Standard   bool
	Imports    []string
	Module     *struct{ Path string }
}

// goList runs go list for one system. Packages that do not compile are listed
// too: what is wrong with them is for the compiler to say.
func goList(t *testing.T, goos string, args ...string) []listedPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{
		"list", "-e", "-json=ImportPath,Dir,Standard,Imports,Module",
	}, args...)...)
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list for %s: %v\n%s", goos, err, &stderr)
	}
	var list []listedPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listedPackage
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatalf("go list for %s: %v", goos, err)
		}
		list = append(list, p)
	}
}

func modulePath(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m").Output()
	if err != nil {
		t.Fatalf("go list -m: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// folder turns an import path into a folder below the module's root.
func folder(module, importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func TestFloors(t *testing.T) {
	module := modulePath(t)
	seen := map[string]bool{} // the same fault on three systems is one
	report := func(format string, args ...any) {
		if s := fmt.Sprintf(format, args...); !seen[s] {
			seen[s] = true
			t.Error(s)
		}
	}
	for _, goos := range systems {
		for _, p := range goList(t, goos, "./...") {
			pkg, ours := folder(module, p.ImportPath)
			if !ours {
				continue
			}
			if _, known := floorOf(pkg); !known {
				report("%s stands on no floor: place it in arch_test.go and docs/architecture.md", pkg)
				continue
			}
			for _, imp := range p.Imports {
				dep, ours := folder(module, imp)
				if !ours {
					continue
				}
				if _, known := floorOf(dep); known && !mayImport(pkg, dep) {
					report("%s imports %s, which is not on a floor below it", pkg, dep)
				}
			}
		}
	}
}

// The rules themselves, so that a slip in floorOf or mayImport does not turn
// TestFloors into one that passes everything.
func TestFloorRules(t *testing.T) {
	for _, tt := range []struct {
		pkg, dep string
		want     bool
	}{
		{".", "framing", true},
		{".", "internal/screen", true},
		{"framing", ".", false},
		{"framing", "transport", false},
		{"transport", "identity", true},
		{"identity", "transport", false},
		{"internal/screen", "framing", false},
		{"internal/screen", "internal/term", false},
		{"desk", "handler", false},
		{"console", "desk", true},
		{"desk", "console", false},
		{"duettest", ".", true},
		{"transport/tlsconn", "transport", true},
		{"transport", "transport/tlsconn", false},
		{"recording", "event", true},
		{"event", "recording", false},
		{"cmd/duet", "console", true},
		{"internal/interop", "cmd/duet", true},
		{"internal/hostile", "internal/interop", false},
		{"cmd/duet", "internal/hostile", false},
	} {
		if got := mayImport(tt.pkg, tt.dep); got != tt.want {
			t.Errorf("mayImport(%q, %q) = %v, want %v", tt.pkg, tt.dep, got, tt.want)
		}
	}
	for pkg, want := range map[string]bool{"internal/any/depth": true, "internal/interop": true, "newcomer": false, "desk/below": false} {
		if _, known := floorOf(pkg); known != want {
			t.Errorf("floorOf(%q): known = %v, want %v", pkg, known, want)
		}
	}
}

// Whoever imports duet gets the standard library, golang.org/x/sys and duet.
func TestLibraryIsLight(t *testing.T) {
	module := modulePath(t)
	for _, goos := range systems {
		for _, p := range goList(t, goos, "-deps", ".") {
			if _, ours := folder(module, p.ImportPath); ours || p.Standard {
				continue
			}
			if p.Module == nil || p.Module.Path != "golang.org/x/sys" {
				t.Errorf("%s: importing duet links %s", goos, p.ImportPath)
			}
		}
	}
}

// linksTLS are the packages that may link crypto/tls and net/http, which make a program half as large again. The command does,
// for net/http/httptrace.
var linksTLS = []string{"cmd/duet"}

// A program that imports a package of the library links crypto/tls and net/http only if it wants them itself.
func TestLibraryLinksNoTLS(t *testing.T) {
	module := modulePath(t)
	for _, goos := range systems {
		var library []string
		for _, p := range goList(t, goos, "./...") {
			if pkg, ours := folder(module, p.ImportPath); ours && !slices.Contains(linksTLS, pkg) {
				library = append(library, p.ImportPath)
			}
		}
		for _, p := range goList(t, goos, append([]string{"-deps"}, library...)...) {
			for _, imp := range p.Imports {
				if !p.Standard && (imp == "crypto/tls" || imp == "net/http" || strings.HasPrefix(imp, "net/http/")) {
					t.Errorf("%s: %s imports %s", goos, p.ImportPath, imp)
				}
			}
			if p.ImportPath == "crypto/tls" || p.ImportPath == "net/http" {
				t.Errorf("%s: a package of the library links %s", goos, p.ImportPath)
			}
		}
	}
}

type sourceFile struct {
	path string // slashes, below the module's root
	text []byte
}

func (f sourceFile) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// sourceFiles returns the module's own Go files, for every system.
func sourceFiles(t *testing.T) []sourceFile {
	t.Helper()
	var files []sourceFile
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if d.IsDir() {
			_, nested := os.Stat(filepath.Join(name, "go.mod"))
			if nested == nil || d.Name() == "testdata" || strings.ContainsAny(d.Name()[:1], "._") {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		text, err := os.ReadFile(name)
		files = append(files, sourceFile{filepath.ToSlash(name), text})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no Go files found")
	}
	return files
}

func TestFilesAreSmall(t *testing.T) {
	for _, f := range sourceFiles(t) {
		if n := bytes.Count(f.text, []byte("\n")); n > maxLines && !f.isTest() {
			t.Errorf("%s has %d lines, more than %d: part it by noun", f.path, n, maxLines)
		}
	}
}

// Whoever exits skips every defer: the terminal stays raw, peers get no goodbye.
func TestOnlyMainExits(t *testing.T) {
	const mainFile = "cmd/duet/main.go"
	for _, f := range sourceFiles(t) {
		if f.isTest() || f.path == mainFile {
			continue
		}
		for _, call := range exits(t, f) {
			t.Errorf("%s: only %s may end the process", call, mainFile)
		}
	}

	bad := sourceFile{"bad.go", []byte("package bad\n" +
		"import (\n\"os\"\nl \"log\"\n\"example.org/log\"\n)\n" +
		"func f() { os.Exit(1); l.Fatalf(\"\"); log.Fatal(); g := os.Exit; g(0) }\n")}
	if got := exits(t, bad); len(got) != 3 {
		t.Errorf("exits finds %q in a file with three", got)
	}
}

// exits lists where a file names a function that ends the process.
func exits(t *testing.T, f sourceFile) []string {
	t.Helper()
	enders := map[string][]string{
		"os":      {"Exit"},
		"syscall": {"Exit"},
		"log":     {"Fatal", "Fatalf", "Fatalln"},
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, f.path, f.text, parser.SkipObjectResolution)
	if err != nil {
		t.Errorf("%v", err)
		return nil
	}
	named := map[string][]string{} // by the name the package has in this file
	for _, imp := range file.Imports {
		importPath, _ := strconv.Unquote(imp.Path.Value)
		funcs, known := enders[importPath]
		if !known {
			continue
		}
		name := importPath
		if imp.Name != nil {
			name = imp.Name.Name
		}
		named[name] = funcs
	}
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(named[x.Name], sel.Sel.Name) {
			found = append(found, fmt.Sprintf("%s: %s.%s", fset.Position(sel.Pos()), x.Name, sel.Sel.Name))
		}
		return true
	})
	return found
}

var fuzzTarget = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

// An emptied or misnamed corpus makes a fuzz target pass without a single input.
func TestFuzzTargetsHaveACorpus(t *testing.T) {
	targets := map[string]bool{}
	for _, f := range sourceFiles(t) {
		if !f.isTest() {
			continue
		}
		for _, m := range fuzzTarget.FindAllSubmatch(f.text, -1) {
			corpus := path.Join(path.Dir(f.path), "testdata", "fuzz", string(m[1]))
			targets[corpus] = true
			if !hasCorpus(t, corpus) {
				t.Errorf("%s: %s has no input in %s", f.path, m[1], corpus)
			}
		}
	}
	corpora, err := filepath.Glob("testdata/fuzz/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range sourceFiles(t) {
		more, err := filepath.Glob(filepath.Join(filepath.Dir(f.path), "testdata", "fuzz", "*"))
		if err != nil {
			t.Fatal(err)
		}
		corpora = append(corpora, more...)
	}
	slices.Sort(corpora)
	for _, corpus := range slices.Compact(corpora) {
		if !targets[filepath.ToSlash(corpus)] {
			t.Errorf("%s belongs to no fuzz target", corpus)
		}
	}
}

func hasCorpus(t *testing.T, dir string) bool {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		return err == nil && bytes.HasPrefix(text, []byte("go test fuzz v1\n"))
	})
}

// A goroutine that outlives its test has no owner.
func TestEveryPackageLooksForLeaks(t *testing.T) {
	tested, checked := map[string]bool{}, map[string]bool{}
	for _, f := range sourceFiles(t) {
		if !f.isTest() {
			continue
		}
		dir := path.Dir(f.path)
		tested[dir] = true
		if bytes.Contains(f.text, []byte("func TestMain(")) && bytes.Contains(f.text, []byte("goleak.")) {
			checked[dir] = true
		}
	}
	for dir := range tested {
		if !checked[dir] {
			t.Errorf("%s has tests and no TestMain with goleak", dir)
		}
	}
}

// pathRow is a row of a table below "Four paths" in docs/architecture.md: a function, its file and what it does.
var pathRow = regexp.MustCompile("^\\| `([\\w.]+)` \\| ([\\w./]+\\.go) \\|")

// A reader follows four paths by name: each function of docs/architecture.md exists in its file, and no path is long.
func TestArchitecturePaths(t *testing.T) {
	const page, paths, maxHops = "docs/architecture.md", 4, 8
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Four paths\n")
	section, _, _ = strings.Cut(section, "\n## ")
	found := strings.Split(section, "\n### ")[1:]
	if len(found) != paths {
		t.Errorf("%s has %d paths, want %d", page, len(found), paths)
	}
	for _, one := range found {
		title, table, _ := strings.Cut(one, "\n")
		hops := 0
		for line := range strings.Lines(table) {
			m := pathRow.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			hops++
			if name, file := m[1], m[2]; !slices.Contains(functionsIn(t, file), name) {
				t.Errorf("%s, %q: there is no %s in %s%s", page, title, name, file, movedTo(t, name, path.Dir(file)))
			}
		}
		if hops < 2 || hops > maxHops {
			t.Errorf("%s, %q: %d functions, want 2 to %d", page, title, hops, maxHops)
		}
	}
}

// movedTo names the file of dir that declares a function, for a message.
func movedTo(t *testing.T, name, dir string) string {
	for _, f := range sourceFiles(t) {
		if path.Dir(f.path) == dir && !f.isTest() && slices.Contains(functionsIn(t, f.path), name) {
			return "; it is in " + f.path + " now"
		}
	}
	return ""
}

// functionsIn names the functions and methods that a file declares: Dial, Conn.Send.
func functionsIn(t *testing.T, file string) (names []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return nil
	}
	for _, decl := range f.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		name := fn.Name.Name
		if fn.Recv != nil {
			receiver := fn.Recv.List[0].Type
			if star, ok := receiver.(*ast.StarExpr); ok {
				receiver = star.X
			}
			if id, ok := receiver.(*ast.Ident); ok {
				name = id.Name + "." + name
			}
		}
		names = append(names, name)
	}
	return names
}
