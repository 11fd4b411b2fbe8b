package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"duet.example/duet/console"
	"duet.example/duet/desk"
)

func (a *app) sayCommand() *cobra.Command {
	var name string
	var asBytes bool
	c := &cobra.Command{
		Use:   "say [flags] PATH N TEXT",
		Short: "Say something in a conversation of a running server",
		Long: `Say TEXT in conversation N of the server that was started with --control PATH.
N is a number, a name that an operator gave, or all. With --bytes, TEXT is
bytes in hex, or a text in double quotes with escapes, and exactly these bytes
are sent: nothing is added that ends a message.`,
		Example: `  duet say desk.sock 2 'Good morning!'
  duet say desk.sock printer 'paper, please'
  duet say desk.sock all 'Lunch is at noon'
  duet say --bytes desk.sock 2 '02 41 03'`,
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
			send := func(ctx context.Context, r *desk.Remote, n uint64) error { return r.Say(ctx, n, args[2]) }
			if asBytes {
				b, err := console.ParseBytes(args[2])
				if err != nil {
					return usagef("--bytes: %w", err)
				}
				send = func(ctx context.Context, r *desk.Remote, n uint64) error { return r.SayRaw(ctx, n, b) }
			}
			return say(c.Context(), name, args[0], args[1], send)
		},
	}
	c.Flags().SortFlags = false
	c.Flags().BoolVar(&asBytes, "bytes", false, "TEXT is bytes, such as 02 41 03, and exactly these are sent")
	c.Flags().StringVar(&name, "name", "", "the `NAME` that the operators see (the user's if not given)")
	return c
}

// say sends to whom.
func say(ctx context.Context, operator, path, whom string, send func(ctx context.Context, r *desk.Remote, n uint64) error) error {
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
		if err := send(ctx, r, n); err != nil && !(whom == "all" && errors.Is(err, desk.ErrNobody)) {
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
