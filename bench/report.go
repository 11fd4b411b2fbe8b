package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// schema is the number of the form of result.json; it grows when a field changes its meaning or goes.
const schema = 2

// A report is a whole run.
type report struct {
	Schema   int               `json:"schema"`
	Machine  machine           `json:"machine"`
	Load     []string          `json:"load_averages"` // before and after
	Versions map[string]string `json:"versions"`
	Rounds   int               `json:"rounds"`
	Seconds  int               `json:"seconds"`
	Rows     []table           `json:"rows"`
}

func (r report) faults() []string {
	var all []string
	for _, t := range r.Rows {
		all = append(all, t.faults()...)
	}
	return all
}

// how says how to read the tables.
func (r report) how() string {
	return fmt.Sprintf("Medians of %d interleaved rounds, the least and the most. Ratio: duet's figure divided by the other's, round by round.", r.Rounds)
}

func (r report) loads() string {
	return "load averages before " + strings.Join(r.Load, ", after ")
}

// text prints a table for people.
func (r report) text(w io.Writer) error {
	fmt.Fprintf(w, "%s; %s\n%s\n", r.Machine, r.loads(), r.how())
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, t := range r.Rows {
		fmt.Fprintf(tw, "\n%s: %s\n", t.Name, t.What)
		if t.LeftOut != "" {
			fmt.Fprintf(tw, "  left out: %s\n", t.LeftOut)
			continue
		}
		for _, c := range t.Columns {
			fmt.Fprintf(tw, "  %s\n    \tmedian\tleast\tmost\tratio\n", c)
			for _, y := range t.Tallies {
				if cells := y.cells(c, "-"); cells != nil {
					fmt.Fprintf(tw, "    %s\t%s\n", y.Name, strings.Join(cells, "\t"))
				}
			}
		}
		for _, y := range t.Tallies {
			if y.Error != "" {
				fmt.Fprintf(tw, "    %s: %s\n", y.Name, y.Error)
			}
		}
	}
	fmt.Fprintln(tw)
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		fmt.Fprintf(tw, "%s: %s\n", name, r.Versions[name])
	}
	return tw.Flush()
}

// String is the head of the column's table.
func (c Column) String() string {
	s := c.What + ", " + c.Unit
	if c.Target != "" {
		s += " (target: " + c.Target + ")"
	}
	return s
}

// cells are median, least, most and ratio; nil where a subject has no such figure.
func (y tally) cells(c Column, none string) []string {
	f, ok := y.Figures[c.Name]
	if !ok || y.Error != "" {
		return nil
	}
	n := func(v float64) string { return grouped(v, c.Digits) }
	ratio := none
	switch {
	case strings.Trim(n(f.Median), "-0.") == "":
		// Divided by next to nothing.
	case f.Ratio >= 100:
		ratio = grouped(f.Ratio, 0)
	case f.Ratio > 0:
		ratio = strconv.FormatFloat(f.Ratio, 'f', 2, 64)
	}
	return []string{n(f.Median), n(f.Least), n(f.Most), ratio}
}

// grouped writes a number with a comma between thousands.
func grouped(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'f', digits, 64)
	whole, rest, _ := strings.Cut(s, ".")
	sign := ""
	if whole, _ = strings.CutPrefix(whole, "-"); v < 0 && strings.Trim(s, "-0.") != "" {
		sign = "-"
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		rest = "." + rest
	}
	return sign + whole + rest
}

// save writes the report as JSON.
func (r report) save(file string, stdout io.Writer) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if file == "-" {
		_, err = stdout.Write(b)
		return err
	}
	return os.WriteFile(file, b, 0o644)
}

// loadReport reads what save has written.
func loadReport(file string) (report, error) {
	var r report
	b, err := os.ReadFile(file)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("%s: %w", file, err)
	}
	if r.Schema != schema {
		return r, fmt.Errorf("%s: schema %d, want %d", file, r.Schema, schema)
	}
	return r, nil
}

// publish writes JSON, Markdown and plots into a folder.
func (r report) publish(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	drawn := plots(r)
	for _, p := range drawn {
		if err := os.WriteFile(filepath.Join(dir, p.file), []byte(p.svg), 0o644); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "result.md"), []byte(r.markdown(drawn)), 0o644); err != nil {
		return err
	}
	return r.save(filepath.Join(dir, "result.json"), nil)
}
