package charset

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/text/encoding/htmlindex"
)

// labels gives every label that byLabel knows.
func labels(t *testing.T) (all []string) {
	file, err := parser.ParseFile(token.NewFileSet(), "label.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if c, ok := n.(*ast.CaseClause); ok {
			for _, e := range c.List {
				label, err := strconv.Unquote(e.(*ast.BasicLit).Value)
				if err != nil {
					t.Error(err)
				}
				all = append(all, label)
			}
		}
		return true
	})
	return all
}

// The labels mean the same in htmlindex, except for the real Latin-1 and ASCII and for the code pages of DOS.
func TestByLabel_Standard(t *testing.T) {
	const standard = 228 // labels of htmlindex
	ours := []string{"latin-1", "cp437", "ibm437", "cp850", "ibm850", "cp932", "cp936", "cp949", "cp950"}
	known := 0
	for _, label := range labels(t) {
		name, enc := byLabel(label)
		want, err := htmlindex.Get(label)
		if err != nil {
			if !slices.Contains(ours, label) {
				t.Errorf("htmlindex does not know %q", label)
			}
			continue
		}
		known++
		wantName, err := htmlindex.Name(want)
		if err != nil {
			t.Errorf("%q: %v", label, err)
		}
		if wantName == "windows-1252" && (name == "iso-8859-1" || name == "us-ascii") {
			continue
		}
		if name != wantName || enc != nil && enc != want {
			t.Errorf("%q is %s, and %s in htmlindex", label, name, wantName)
		}
	}
	if known != standard {
		t.Errorf("%d labels are in the standard, which has %d", known, standard)
	}
}

// Only the encodings that need no table have none.
func TestByLabel_Encoding(t *testing.T) {
	without := []string{"utf-8", "us-ascii", "iso-2022-jp", "replacement", "utf-16be", "utf-16le", "x-user-defined"}
	for _, label := range labels(t) {
		if name, enc := byLabel(label); name == "" || (enc == nil) != slices.Contains(without, name) {
			t.Errorf("%q is %q with the encoding %v", label, name, enc)
		}
	}
}
