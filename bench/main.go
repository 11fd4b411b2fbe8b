// Command bench measures duet beside the other tools that are installed and the small references
// in the folder reference, which show where the limit is. It prints a table of medians and ratios, and writes
// the same as Markdown, JSON and plots. It never fails because of a time, only where a result is wrong.
//
//	go run .                  every row, but those that take minutes
//	go run . -row ablation    the copy path of duet without one of its mechanisms at a time, see the folder ablation
//	go run . -row bulk-pipe   one row; ROW=bulk-pipe does the same; room-blast is all whose names begin so
//	go run . -out DIR         where the files go (out)
//	go run . -json FILE       the JSON to FILE alone; - is the standard output, without the table
//	go run . -duet PATH       another duet than this, such as a release
//	go run . -draw FILE       the table, Markdown and plots of a run before, from its JSON
//
// A figure means something beside the others of its run only: machines are noisy and differ.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	only := f.String("row", os.Getenv("ROW"), "measure these `ROWS` only, separated by commas: "+strings.Join(names(rows), ", "))
	rounds := f.Int("rounds", 3, "how many `times` each is measured")
	long := f.Bool("long", false, "measure what takes minutes, too")
	out := f.String("out", "out", "write result.json, result.md and plots into `DIR`")
	file := f.String("json", "", "write the result as JSON to `FILE` and nothing else; - is the standard output")
	draw := f.String("draw", "", "measure nothing: show the result in `FILE`")
	path := f.String("duet", "", "measure the duet at `PATH`, such as a release, and build none")
	if err := f.Parse(args); err != nil {
		return err
	}
	var rep report
	var err error
	if *draw != "" {
		rep, err = loadReport(*draw)
	} else {
		rep, err = measureAll(ctx, *only, *long, max(*rounds, 1), *path, stderr)
	}
	if err != nil {
		return err
	}
	if *file != "-" {
		if err := rep.text(stdout); err != nil {
			return err
		}
	}
	if *file != "" {
		err = rep.save(*file, stdout)
	} else {
		err = rep.publish(*out)
	}
	if err != nil {
		return err
	}
	if faults := rep.faults(); len(faults) > 0 {
		return errors.New(strings.Join(faults, "\n"))
	}
	return nil
}

func measureAll(ctx context.Context, only string, long bool, rounds int, duet string, log io.Writer) (report, error) {
	chosen, err := choose(only, long)
	if err != nil {
		return report{}, err
	}
	lab, err := newLab(ctx, log)
	if err != nil {
		return report{}, err
	}
	defer lab.close()
	if duet != "" {
		if lab.built["duet"], err = filepath.Abs(duet); err != nil {
			return report{}, err
		}
	}
	began := time.Now()
	rep := report{Schema: schema, Machine: theMachine(), Rounds: rounds, Load: []string{load()}}
	for _, r := range chosen {
		t, err := measure(ctx, lab, r, rounds)
		if err != nil {
			return rep, fmt.Errorf("row %s: %w", r.About().Name, err)
		}
		rep.Rows = append(rep.Rows, t)
	}
	rep.Load = append(rep.Load, load())
	rep.Versions = lab.versions()
	rep.Seconds = int(time.Since(began).Seconds() + 0.5)
	return rep, nil
}

// choose finds rows by their names, by the names of their columns, or by what their names begin with.
func choose(only string, long bool) ([]Row, error) {
	var chosen []Row
	if only == "" {
		for _, r := range rows {
			if long || !r.About().Long {
				chosen = append(chosen, r)
			}
		}
		return chosen, nil
	}
	for name := range strings.SplitSeq(only, ",") {
		name = strings.TrimSpace(name)
		found := rowsNamed(func(is string) bool { return is == name })
		if len(found) == 0 {
			found = rowsNamed(func(is string) bool { return strings.HasPrefix(is, name+"-") })
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("no row %q: there are %s", name, strings.Join(names(rows), ", "))
		}
		for _, r := range found {
			if !slices.Contains(chosen, r) {
				chosen = append(chosen, r)
			}
		}
	}
	return chosen, nil
}

func rowsNamed(match func(string) bool) []Row {
	var found []Row
	for _, r := range rows {
		about := r.About()
		if match(about.Name) || slices.ContainsFunc(about.Columns, func(c Column) bool { return match(c.Name) }) {
			found = append(found, r)
		}
	}
	return found
}

func names(rows []Row) []string {
	var all []string
	for _, r := range rows {
		all = append(all, r.About().Name)
	}
	return all
}
