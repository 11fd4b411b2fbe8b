package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// markdown is the report for docs/performance.md, the plots behind the first of the rows they show.
func (r report) markdown(drawn []plot) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# What duet costs\n\n%s; %s. %s", r.Machine, r.loads(), r.how())
	fmt.Fprintf(&b, " All took %d minutes %d seconds.\n", r.Seconds/60, r.Seconds%60)
	for _, t := range r.Rows {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n", t.Name, upper(t.What))
		if t.LeftOut != "" {
			fmt.Fprintf(&b, "\nLeft out: %s.\n", cell(t.LeftOut))
			continue
		}
		for _, c := range t.Columns {
			fmt.Fprintf(&b, "\n| %s | median | least | most | duet ÷ this |\n|---|---|---|---|---|\n", cell(c.String()))
			for _, y := range t.Tallies {
				if cells := y.cells(c, "–"); cells != nil {
					fmt.Fprintf(&b, "| %s | %s |\n", cell(y.Name), strings.Join(cells, " | "))
				}
			}
		}
		for _, y := range t.Tallies {
			if y.Error != "" {
				fmt.Fprintf(&b, "\n%s was not measured: %s.\n", cell(y.Name), cell(y.Error))
			}
		}
		for _, p := range drawn {
			if p.row == t.Name {
				fmt.Fprintf(&b, "\n![%s](%s)\n", p.title, p.file)
			}
		}
	}
	b.WriteString("\n## Versions\n\n")
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		fmt.Fprintf(&b, "- %s: %s\n", name, cell(r.Versions[name]))
	}
	return b.String()
}

// cell is text that neither ends a cell nor begins an element.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(s) }

func upper(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}
