//go:build !race

package duet_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// publicPackages are those whose exported names must each have a user outside their package.
var publicPackages = []string{".", "admission", "duettest", "framing", "handler", "transport"}

// calledByInterface are methods that callers reach through an interface, by the name of that interface.
var calledByInterface = map[string][]string{
	"desk.Gate":                {"Ban", "Reload"},
	"duet.Handler":             {"ServeConn"},
	"encoding.TextMarshaler":   {"MarshalText"},
	"encoding.TextUnmarshaler": {"UnmarshalText"},
	"error":                    {"Error"},
	"errors.As, errors.Is":     {"As", "Is", "Unwrap"},
	"fmt.Stringer":             {"String"},
	"net.Addr":                 {"Network"},
	"net.Error":                {"Timeout"},
	"net.Listener":             {"Accept", "Addr", "Close"},
}

// unusedNames are exported names that nothing in this repository uses outside their package, by the reason why they stay.
var unusedNames = map[string][]string{
	"programs ask for it with errors.Is": {
		"admission.ErrNotAllowed", "admission.ErrTooFast", "admission.ErrTooMany",
		"duet.ErrKicked", "duet.ErrOverload",
		"handler.ErrProgramDeaf", "handler.ErrProgramTime", "handler.ErrRestarting", "handler.ErrTooManyProcesses",
	},
	"programs read it after errors.As": {
		"admission.RuleError", "admission.RuleError.Err", "admission.RuleError.Source", "admission.RuleError.Text",
		"handler.ExitError", "handler.ExitError.Signal", "handler.ExitError.Status", "handler.TrafficLogError", "handler.TrafficLogError.Err",
		"transport.ActivationError.Reason", "transport.AddressError.Reason", "transport.AddressError.Text",
		"transport.DescriptorError.FD", "transport.DescriptorError.Want",
		"transport.SchemeError.Planned", "transport.SchemeError.Scheme",
	},
	"it is the default of a field, whose comment names it": {
		"duet.DefaultQueueSize", "handler.DefaultForwardTimeout", "handler.DefaultGrace", "handler.DefaultHalfOpen",
	},
	"it is an option that no flag of the command sets": {
		"admission.Gate.HostBurst", "admission.Gate.HostRate",
		"duet.Server.ListenConfig",
		"handler.Exec.Grace", "handler.Exec.Proto", "handler.Forward.Busy", "handler.Forward.Dial",
		"handler.Shared.Grace", "handler.Shared.HalfOpen", "handler.Shared.Patience", "handler.Shared.Shell",
		"transport.Dialer.Keepalive", "transport.ListenConfig.Keepalive",
	},
	"a net.Conn of another module implements it": {
		"duet.ReadAwaiter", "duet.ReadAwaiter.AwaitRead",
	},
	"a program that does without Guard, or makes lists of its own, calls it": {
		"admission.Gate.Delay", "admission.Gate.Trace", "admission.ReadRules", "admission.Rules.Join", "admission.Rules.Len",
	},
	"handlers of other modules call it": {
		"duet.Budget.Limit", "duet.Conn.SendRaw", "duet.Conn.StartTime",
	},
	"a program that ends without Shutdown calls it": {
		"handler.Exec.Kill", "handler.Shared.Kill",
	},
	"a program that holds the TrafficLog asks for its state": {
		"handler.TrafficLog.Err",
	},
}

// Each exported name has a user outside its own package: a name that nobody needs is not exported.
func TestExportedNamesAreUsed(t *testing.T) {
	module := modulePath(t)
	c := newChecker(t, module)
	c.load(".")
	c.load("examples")
	c.load("bench")
	used := c.uses()

	reasons := map[string]string{}
	for reason, names := range unusedNames {
		for _, name := range names {
			reasons[name] = reason
		}
	}
	count := 0
	for _, pkg := range publicPackages {
		importPath := strings.TrimSuffix(module+"/"+pkg, "/.")
		for o, name := range exportedObjects(c.importOrFail(importPath)) {
			count++
			key := cmp.Or(strings.TrimPrefix(pkg, "."), "duet") + "." + name
			isUsed := used[importPath][name] || isCalledByInterface(name) || isEnumerated(o)
			switch isListed := reasons[key] != ""; {
			case isUsed && isListed:
				t.Errorf("%s is used now: delete it from unusedNames", key)
			case !isUsed && !isListed:
				t.Errorf("%s is exported, and no other package uses it: unexport or delete it, or give the reason in unusedNames", key)
			}
			delete(reasons, key)
		}
	}
	for key := range reasons {
		t.Errorf("%s stands in unusedNames and does not exist", key)
	}
	if count < 200 {
		t.Errorf("only %d exported names were found", count)
	}
}

// isEnumerated reports whether o is one of the values of a type of its own package. They stay together.
func isEnumerated(o types.Object) bool {
	named, ok := o.Type().(*types.Named)
	_, isConst := o.(*types.Const)
	return ok && isConst && named.Obj().Pkg() == o.Pkg()
}

func isCalledByInterface(name string) bool {
	_, method, ok := strings.Cut(name, ".")
	return ok && slices.ContainsFunc(slices.Collect(maps.Values(calledByInterface)), func(methods []string) bool {
		return slices.Contains(methods, method)
	})
}

// exportedObjects names the exported objects of a package: Dial, Conn, Conn.Send, Options.Framing.
func exportedObjects(pkg *types.Package) map[types.Object]string {
	found := map[types.Object]string{}
	for _, name := range pkg.Scope().Names() {
		o := pkg.Scope().Lookup(name)
		if !o.Exported() {
			continue
		}
		found[o] = name
		typeName, ok := o.(*types.TypeName)
		if !ok || typeName.IsAlias() {
			continue
		}
		add := func(member types.Object) {
			if member.Exported() {
				found[member] = name + "." + member.Name()
			}
		}
		for method := range typeName.Type().(*types.Named).Methods() {
			add(method)
		}
		switch u := typeName.Type().Underlying().(type) {
		case *types.Struct:
			for field := range u.Fields() {
				add(field)
			}
		case *types.Interface:
			for method := range u.ExplicitMethods() {
				add(method)
			}
		}
	}
	return found
}

// A checker type-checks packages from source, with their tests. What it imports is checked without function bodies.
type checker struct {
	t        *testing.T
	module   string
	fset     *token.FileSet
	listed   map[string]*checkedPackage // by import path
	imported map[string]*types.Package
}

type checkedPackage struct {
	ImportPath, Dir                    string
	Standard                           bool
	GoFiles, TestGoFiles, XTestGoFiles []string
	ImportMap                          map[string]string
	Module                             *struct{ Path string }
}

func newChecker(t *testing.T, module string) *checker {
	return &checker{
		t: t, module: module, fset: token.NewFileSet(), listed: map[string]*checkedPackage{},
		imported: map[string]*types.Package{"unsafe": types.Unsafe},
	}
}

// load lists the packages of the module in dir, and all that they and their tests import.
func (c *checker) load(dir string) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), "go", "list", "-e", "-deps", "-test",
		"-json=ImportPath,Dir,Standard,GoFiles,TestGoFiles,XTestGoFiles,ImportMap,Module", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("go list in %s: %v", dir, err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		p := new(checkedPackage)
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			c.t.Fatalf("go list in %s: %v", dir, err)
		}
		// The variants of packages that -test adds are not needed: their files are listed with the package itself.
		if !strings.ContainsAny(p.ImportPath, " ") && !strings.HasSuffix(p.ImportPath, ".test") && c.listed[p.ImportPath] == nil {
			c.listed[p.ImportPath] = p
		}
	}
}

func (c *checker) isOurs(p *checkedPackage) bool {
	return p.Module != nil && (p.Module.Path == c.module || strings.HasPrefix(p.Module.Path, c.module+"/"))
}

// uses returns, for each package by its import path, the names of its exported objects that other packages use. A type is also
// used if a member of it is used, or if the type of a used object mentions it; so are the methods of an interface that is used.
func (c *checker) uses() map[string]map[string]bool {
	names := map[types.Object]string{}
	used := map[string]map[string]bool{}
	for importPath, p := range c.listed {
		if c.isOurs(p) {
			maps.Copy(names, exportedObjects(c.importOrFail(importPath)))
			used[importPath] = map[string]bool{}
		}
	}
	note := func(o types.Object) {
		name := names[o]
		used[o.Pkg().Path()][name] = true
		typeName, _, _ := strings.Cut(name, ".")
		used[o.Pkg().Path()][typeName] = true
		for _, m := range mentionedType.FindAllStringSubmatch(types.TypeString(o.Type(), nil), -1) {
			if pkg := used[m[1]]; pkg != nil {
				pkg[m[2]] = true
			}
		}
	}
	for importPath, p := range c.listed {
		if !c.isOurs(p) {
			continue
		}
		for _, files := range [][]string{slices.Concat(p.GoFiles, p.TestGoFiles), p.XTestGoFiles} {
			info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
			pkg := c.check(p, files, info)
			for _, o := range info.Uses {
				if names[o] != "" && (o.Pkg().Path() != importPath || isForTests(pkg)) {
					note(o)
				}
			}
		}
	}
	for o, name := range names {
		if !used[o.Pkg().Path()][name] || !types.IsInterface(o.Type()) {
			continue
		}
		for method := range o.Type().Underlying().(*types.Interface).ExplicitMethods() {
			used[o.Pkg().Path()][name+"."+method.Name()] = true
		}
	}
	return used
}

// mentionedType finds the types of packages in a type, as types.TypeString writes it.
var mentionedType = regexp.MustCompile(`([\w./-]+)\.(\w+)`)

// isForTests reports whether pkg is the external test of duettest. The users of duettest are tests, and these are some of them.
func isForTests(pkg *types.Package) bool { return pkg.Name() == "duettest_test" }

// importOrFail returns a listed package.
func (c *checker) importOrFail(importPath string) *types.Package {
	c.t.Helper()
	if pkg := c.imported[importPath]; pkg != nil {
		return pkg
	}
	p := c.listed[importPath]
	if p == nil {
		c.t.Fatalf("go list does not list %s", importPath)
	}
	pkg := c.check(p, p.GoFiles, nil)
	c.imported[importPath] = pkg
	return pkg
}

// check type-checks some files of a package. It skips function bodies if info is nil. It ignores type errors: an external test
// may use what the package exports for it alone.
func (c *checker) check(p *checkedPackage, names []string, info *types.Info) *types.Package {
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(c.fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			c.t.Fatal(err)
		}
		files = append(files, f)
	}
	conf := types.Config{
		IgnoreFuncBodies: info == nil,
		Error:            func(error) {},
		Importer: importFunc(func(importPath string) (*types.Package, error) {
			if importPath = cmp.Or(p.ImportMap[importPath], importPath); c.imported[importPath] == nil && c.listed[importPath] == nil {
				return nil, fmt.Errorf("%s is not listed", importPath)
			}
			return c.importOrFail(importPath), nil
		}),
	}
	pkg, _ := conf.Check(p.ImportPath, c.fset, files, info)
	return pkg
}

type importFunc func(importPath string) (*types.Package, error)

func (f importFunc) Import(importPath string) (*types.Package, error) { return f(importPath) }

// clauseMark is a clause of docs/protocol.md, [C-5] for one.
var clauseMark = regexp.MustCompile(`\[[A-Z]+-\d+\]`)

// A reader of go doc does not know the clauses of docs/protocol.md: the comments of exported names say in words what holds.
func TestExportedCommentsHoldNoClauseMark(t *testing.T) {
	comments := 0
	for _, f := range sourceFiles(t) {
		if f.isTest() || strings.HasPrefix(f.path, "internal/") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, f.path, f.text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if file.Name.Name == "main" {
			continue
		}
		ast.FileExports(file)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BlockStmt:
				return false
			case *ast.CommentGroup:
				comments++
				if mark := clauseMark.FindString(n.Text()); mark != "" {
					t.Errorf("%s: an exported comment holds %s", fset.Position(n.Pos()), mark)
				}
			}
			return true
		})
	}
	if comments < 500 {
		t.Errorf("only %d comments were found", comments)
	}
}
