package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"duet.example/duet/desk"
)

func (a *app) sayCommand() *cobra.Command {
	var name string
	c := &cobra.Command{
		Use:   "say [flags] PATH N TEXT",
		Short: "Say something in a conversation of a running server",
		Long: `Say TEXT in conversation N of the server that was started with --control PATH.
N is a number, a name that an operator gave, or all.`,
		Example: `  duet say desk.sock 2 'Good morning!'
  duet say desk.sock printer 'paper, please'
  duet say desk.sock all 'Lunch is at noon'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 3 {
				return usagef("say wants the path of a control socket, a number, a name or all, and one text")
			}
			return nil
		},
		ValidArgsFunction: completePath,
		RunE: func(c *cobra.Command, args []string) error {
			name, err := operatorName(name)
			if err != nil {
				return err
			}
			return say(c.Context(), name, args[0], args[1], args[2])
		},
	}
	c.Flags().StringVar(&name, "name", "", "the `NAME` that the operators see (the user's if not given)")
	return c
}

// say says text to whom.
func say(ctx context.Context, operator, path, whom, text string) error {
	r, err := attach(ctx, path, operator)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	numbers, err := addressees(r, whom)
	if err != nil {
		return err
	}
	var failed []string
	for _, n := range numbers {
		if err := r.Say(ctx, n, text); err != nil && !(whom == "all" && errors.Is(err, desk.ErrNobody)) {
			failed = append(failed, fmt.Sprintf("%d: %s", n, strings.TrimPrefix(cause(err), fmt.Sprintf("%d: ", n))))
		}
	}
	if len(failed) > 0 {
		return errors.New("not said to " + strings.Join(failed, "; "))
	}
	return nil
}

// addressees are the numbers of those that whom means.
func addressees(r *desk.Remote, whom string) ([]uint64, error) {
	if n, err := strconv.ParseUint(whom, 10, 64); err == nil {
		return []uint64{n}, nil
	}
	roster := r.Roster()
	var all []uint64
	for _, e := range roster {
		if whom == "all" || e.Name == whom {
			all = append(all, e.Number)
		}
	}
	switch {
	case len(all) > 0:
		return all, nil
	case whom == "all":
		return nil, errors.New("nobody is connected there")
	}
	return nil, fmt.Errorf("nobody there is called %s", whom)
}
