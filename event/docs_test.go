package event_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"duet.example/duet/event"
)

const schemaPath = "../docs/events.md"

// A section is the text under a heading of docs/events.md.
type section struct {
	names    []string // the first column of its tables
	examples []string // lines of JSON
}

func schema(t *testing.T) map[string]*section {
	t.Helper()
	text, err := os.ReadFile(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*section{}
	now := &section{}
	fence := ""
	row := regexp.MustCompile("^\\| `(\\w+)` \\|")
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "```") && fence == "":
			fence = strings.TrimPrefix(line, "```")
		case strings.HasPrefix(line, "```"):
			fence = ""
		case fence == "json":
			now.examples = append(now.examples, line)
		case fence != "":
		case strings.HasPrefix(line, "#"):
			now = &section{}
			all[strings.TrimLeft(line, "# ")] = now
		default:
			if m := row.FindStringSubmatch(line); m != nil {
				now.names = append(now.names, m[1])
			}
		}
	}
	return all
}

// constants returns the values of the constants of a type, read from the source.
func constants(t *testing.T, typ string) []string {
	t.Helper()
	var all []string
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != typ {
				return true
			}
			for _, v := range spec.Values {
				s, err := strconv.Unquote(v.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, s)
			}
			return true
		})
	}
	if len(all) == 0 {
		t.Fatalf("no constants of %s", typ)
	}
	return all
}

func fields(wire reflect.Type) []string {
	var all []string
	for f := range wire.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		all = append(all, name)
	}
	return all
}

// The page lists exactly the types, commands and fields of the code.
func TestSchemaIsComplete(t *testing.T) {
	page := schema(t)
	for heading, want := range map[string][]string{
		"Types":               constants(t, "Type"),
		"Commands":            constants(t, "Command"),
		"States":              constants(t, "State"),
		"Fields of an event":  fields(event.WireEvent),
		"Hello":               fields(event.WireHello),
		"Fields of a request": fields(event.WireRequest),
		"Replies":             fields(event.WireReply),
		"Roster entries":      fields(event.WireEntry),
	} {
		s := page[heading]
		if s == nil {
			t.Errorf("%s: no section %q", schemaPath, heading)
			continue
		}
		got := slices.Sorted(slices.Values(s.names))
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s, %s:\n has %q\nwant %q", schemaPath, heading, got, want)
		}
	}
}

// Each example is a line that duet writes or accepts. Each type, command and field has an example.
func TestSchemaExamples(t *testing.T) {
	page := schema(t)
	for _, heading := range []string{"Types", "Hello", "Replies"} {
		for _, line := range page[heading].examples {
			l, err := event.Decode([]byte(line))
			if err != nil {
				t.Errorf("%s: %v", line, err)
				continue
			}
			if b, err := l.MarshalJSON(); err != nil || string(b) != line {
				t.Errorf("%v: not as duet writes it\n page %s\nwrites %s", err, line, b)
			}
		}
	}
	for _, line := range page["Commands"].examples {
		var r event.Request
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, tt := range []struct{ examples, key, names string }{
		{"Types", "type", "Types"},
		{"Types", "", "Fields of an event"},
		{"Hello", "", "Hello"},
		{"Commands", "do", "Commands"},
		{"Commands", "", "Fields of a request"},
		{"Replies", "", "Replies"},
		{"Replies", "roster", "Roster entries"},
	} {
		shown := shownIn(t, page[tt.examples].examples, tt.key)
		for _, name := range page[tt.names].names {
			if !shown[name] {
				t.Errorf("%s: %s: no example has %q", schemaPath, tt.names, name)
			}
		}
	}
}

// shownIn returns the keys of the examples. With key, it returns the texts of that field, or the keys of its objects.
func shownIn(t *testing.T, examples []string, key string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, line := range examples {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		switch v := object[key].(type) {
		case string:
			all[v] = true
		case []any:
			for _, o := range v {
				for k := range maps.Keys(o.(map[string]any)) {
					all[k] = true
				}
			}
		case nil:
			if key == "" {
				for k := range object {
					all[k] = true
				}
			}
		}
	}
	return all
}
