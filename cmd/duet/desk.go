package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"syscall"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"duet.example/duet/console"
	"duet.example/duet/desk"
	"duet.example/duet/internal/nickname"
	"duet.example/duet/transport"
)

// A noDeskError says that no desk could be reached.
type noDeskError struct {
	path string
	err  error
}

func (e *noDeskError) Unwrap() error { return e.err }

func (e *noDeskError) Error() string {
	why := cause(e.err)
	switch {
	case errors.Is(e.err, errAnotherUser):
		why = "it belongs to another user"
	case errors.Is(e.err, desk.ErrNotADesk):
		why = "something else listens there"
	case errors.Is(e.err, syscall.ECONNREFUSED):
		why = "nothing is listening there"
	case errors.Is(e.err, fs.ErrNotExist):
		why = "there is no such socket"
	case errors.Is(e.err, fs.ErrPermission):
		why = "permission denied"
	}
	return "cannot attach to " + e.path + ": " + why
}

// errAnotherUser: what listens at a control socket is not this user's, nor root's.
var errAnotherUser = errors.New("another user's")

// isForeign reports whether c leads to another user's process, which would learn what the operator says. Root may go
// everywhere.
func isForeign(c net.Conn) bool {
	uid, err := transport.PeerUser(c)
	own := os.Geteuid()
	return err == nil && own != 0 && uid != 0 && uid != own
}

// attach sits down at the desk whose control socket is at path.
func attach(ctx context.Context, path, operator string) (*desk.Remote, error) {
	addr, err := controlAddress(path)
	if err != nil {
		return nil, err
	}
	var d transport.Dialer
	dial := func(ctx context.Context) (net.Conn, error) {
		c, err := d.Dial(ctx, addr)
		if err == nil && isForeign(c) {
			_ = c.Close()
			return nil, errAnotherUser
		}
		return c, err
	}
	r, err := desk.Attach(ctx, dial, operator)
	if err != nil {
		return nil, &noDeskError{path: path, err: err}
	}
	return r, nil
}

// operatorName is what others see of who attaches: the given name, or that of the user, with the number of the process,
// since the same user may sit there more than once.
func operatorName(given string) (string, error) {
	if !nickname.Fits(given) {
		return "", usagef("--name has at most %d characters or %d bytes", nickname.MaxLength, nickname.MaxBytes)
	}
	if given != "" {
		return given, nil
	}
	name := os.Getenv("USER")
	if name == "" {
		if u, err := user.Current(); err == nil {
			name = u.Username
		}
	}
	pid := fmt.Sprint("-", os.Getpid())
	for !nickname.Fits(name + pid) {
		_, n := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-n]
	}
	return name + pid, nil
}

// A sitting is one `duet desk`.
type sitting struct {
	*app
	talk
	name string
	full bool
}

func (a *app) deskCommand() *cobra.Command {
	d := &sitting{app: a}
	c := &cobra.Command{
		Use:   "desk [flags] PATH",
		Short: "Attach a console to a running server",
		Long: `Attach another console to the server that was started with --control PATH. Its
operators see the same conversations, and each may answer them.

Leaving (/quit, Ctrl-C, Ctrl-D) ends nothing at the server.`,
		Example: `  duet listen --control desk.sock   the server
  duet desk desk.sock               a console for it, from another terminal
  duet desk --name anna desk.sock   as the others are to see it
  duet desk --full desk.sock        who is there beside what is said`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("desk wants the path of a control socket")
			}
			return nil
		},
		ValidArgsFunction: completePath,
		RunE:              func(c *cobra.Command, args []string) error { return d.run(c.Context(), args[0]) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&d.name, "name", "", "the `NAME` that the other operators see (the user's if not given)")
	f.BoolVar(&d.full, "full", false, "begin with the full screen: who is there beside what is said")
	f.StringVar(&d.farewell, "farewell", "bye", "the `WORD` that, typed alone, ends a conversation; '' for none")
	d.registerFace(f)
	return c
}

func (d *sitting) run(ctx context.Context, path string) error {
	if err := d.resolveFace(); err != nil {
		return err
	}
	switch {
	case d.full && !d.edits():
		return usagef("--full wants a terminal")
	case d.full && d.console:
		return usagef("--full excludes --console")
	}
	name, err := operatorName(d.name)
	if err != nil {
		return err
	}
	r, err := attach(ctx, path, name)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	b, err := d.openBooth(&d.talk, console.Options{Table: r, Operator: name, Server: true, Away: true, Full: d.full})
	if err != nil {
		return err
	}
	say := b.tell(&d.talk)
	say("attached to %s as %s; leaving ends nothing there", path, name)
	out := b.Run(ctx)
	if out == console.DeskLost {
		say("the desk is gone")
		_ = b.close() // it gives that as its error
		return nil
	}
	if err := b.close(); err != nil {
		return err
	}
	switch out {
	case console.Interrupted:
		return codeError(exitSignal + 2)
	case console.Unsent:
		return errUnsent
	}
	return b.unsent()
}
