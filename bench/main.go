// Command bench measures duet beside the other tools that are installed and the small references
// in the folder reference, which show where the limit is. It prints a table of medians and ratios, and never fails because of a figure.
//
//	go run .             every row
//	go run . -row idle   one row; ROW=idle does the same
//	go run . -json FILE  the same as JSON; - is the standard output, without the table
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
	"slices"
	"strings"
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
	file := f.String("json", "", "write the result as JSON to `FILE`; - is the standard output")
	if err := f.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	lab, err := newLab(ctx, stderr)
	if err != nil {
		return err
	}
	defer lab.close()
	rep := report{Machine: lab.machine(), Rounds: max(*rounds, 1)}
	for _, r := range chosen {
		t, err := measure(ctx, lab, r, rep.Rounds)
		if err != nil {
			return fmt.Errorf("row %s: %w", r.About().Name, err)
		}
		rep.Rows = append(rep.Rows, t)
	}
	rep.Versions = lab.versions()
	if *file != "-" {
		if err := rep.text(stdout); err != nil {
			return err
		}
	}
	return rep.save(*file, stdout)
}

func choose(only string) ([]Row, error) {
	if only == "" {
		return rows, nil
	}
	var chosen []Row
	for name := range strings.SplitSeq(only, ",") {
		i := slices.Index(names(rows), strings.TrimSpace(name))
		if i < 0 {
			return nil, fmt.Errorf("no row %q: there are %s", name, strings.Join(names(rows), ", "))
		}
		chosen = append(chosen, rows[i])
	}
	return chosen, nil
}

func names(rows []Row) []string {
	var all []string
	for _, r := range rows {
		all = append(all, r.About().Name)
	}
	return all
}
