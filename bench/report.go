package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"text/tabwriter"
)

// A report is a whole run.
type report struct {
	Machine  machine           `json:"machine"`
	Versions map[string]string `json:"versions"`
	Rounds   int               `json:"rounds"`
	Rows     []table           `json:"rows"`
}

// text prints a table for people.
func (r report) text(w io.Writer) error {
	fmt.Fprintf(w, "%s; medians of %d interleaved rounds; ratio: duet's figure divided by the other's, round by round\n", r.Machine, r.Rounds)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, t := range r.Rows {
		fmt.Fprintf(tw, "\n%s: %s, %s", t.Name, t.What, t.Unit)
		if t.Target != "" {
			fmt.Fprintf(tw, " (target: %s)", t.Target)
		}
		fmt.Fprintf(tw, "\n  \tmedian\tleast\tmost\tratio\n")
		for _, y := range t.Tallies {
			if y.Error != "" {
				fmt.Fprintf(tw, "  %s\t%s\n", y.Name, y.Error)
				continue
			}
			n := func(f float64) string { return strconv.FormatFloat(f, 'f', t.Digits, 64) }
			ratio := "-"
			if y.Ratio > 0 {
				ratio = strconv.FormatFloat(y.Ratio, 'f', 2, 64)
			}
			fmt.Fprintf(tw, "  %s\t%s\t%s\t%s\t%s\n", y.Name, n(y.Median), n(y.Least), n(y.Most), ratio)
		}
	}
	return tw.Flush()
}

// save writes the report as JSON.
func (r report) save(file string, stdout io.Writer) error {
	if file == "" {
		return nil
	}
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
