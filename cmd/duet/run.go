package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"duet.example/duet/internal/screen"
)

// An app is one run of the command.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer // see linesOn
	code           int
	fatal          fatal // what is done before a signal such as SIGQUIT ends the process

	mu     sync.Mutex
	cut    func() // ends at once what is ending; nil: nothing is
	hangup func() // what SIGHUP does other than to end; nil: it ends
}

// setHangup says what SIGHUP does; nil has it end.
func (a *app) setHangup(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hangup = f
}

// hungUp does what SIGHUP does; false where it is to end.
func (a *app) hungUp() bool {
	a.mu.Lock()
	f := a.hangup
	a.mu.Unlock()
	if f != nil {
		f()
	}
	return f != nil
}

// setCut says what a second signal does.
func (a *app) setCut(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cut = f
}

func (a *app) cutShort() {
	a.mu.Lock()
	f := a.cut
	a.mu.Unlock()
	if f != nil {
		f()
	}
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if asksVersion(args) {
		return printVersion(stdout, stderr)
	}
	a := &app{stdin: stdin, stdout: linesOn(stdout), stderr: linesOn(stderr)}
	ctx, stop := watchSignals(ctx, a.cutShort, a.hungUp)
	defer stop()
	defer a.fatal.watch()()
	root := a.command()
	root.SetArgs(joinRoomName(args))
	root.SetIn(stdin)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	var sig signalError
	if errors.As(context.Cause(ctx), &sig) {
		return codeOfSignal(sig.sig)
	}
	if err != nil {
		return a.report(err)
	}
	return a.code
}

// A usageError is a mistake on the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// A codeError ends duet with a code, and says nothing more.
type codeError int

func (e codeError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// A shownError has been shown at the console: only what to do about it is left to say.
type shownError struct{ error }

func (e shownError) Unwrap() error { return e.error }

// report tells a person what went wrong, and what to do, and gives the exit code.
func (a *app) report(err error) int {
	var ce codeError
	if errors.As(err, &ce) {
		return int(ce)
	}
	text, hint, code := explainError(err)
	var shown shownError
	if !errors.As(err, &shown) {
		a.errorf("%s", text)
	}
	if hint != "" {
		fmt.Fprintf(a.stderr, "duet: hint: %s\n", safe(hint))
	}
	return code
}

func (a *app) errorf(format string, args ...any) {
	fmt.Fprintf(a.stderr, "duet: error: %s\n", safe(fmt.Sprintf(format, args...)))
}

// safe makes text that may hold names and words from elsewhere fit for a terminal.
func safe(text string) string { return screen.Line(screen.Untrusted(text), screen.Style{}) }

// command is the command line.
func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "duet",
		Short: "Two-way conversations over TCP",
		Long: `duet holds two-way conversations over TCP. In one terminal:

  duet listen

and in another:

  duet connect

Two people can talk now. Each sees the other's words above the line being
typed; bye ends the conversation. Many clients may be connected to one
server. Without a terminal, duet passes bytes exactly, as a pipe.`,
		Example: `  duet listen                          listen on every interface, port 8080
  duet listen 127.0.0.1:9000           for this machine only
  duet connect example.org 9000        talk to a server
  printf 'question\n' | duet connect   ask, print the whole answer, end
  duet listen --echo                   say everything back`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{flagError(err)} })
	root.SetUsageTemplate(usageTemplate)
	root.SetHelpTemplate(helpTemplate)
	root.CompletionOptions.HiddenDefaultCmd = false
	root.AddCommand(a.listenCommand(), a.connectCommand(), a.deskCommand(), a.sayCommand())
	completions(root)
	root.SetHelpCommand(helpCommand())
	root.SetOut(bytesOn(a.stdout)) // which it keeps; what it prints comes from no peer
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Args, c.RunE = noArgs, func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
	return root
}

// noArgs takes no word where a command could stand.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return noCommand(c, args[0])
}

// noCommand is the error about a word that is no command below c.
func noCommand(c *cobra.Command, word string) error {
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return usagef("no command %q: there are %s", word, strings.Join(names, ", "))
}

// helpCommand prints the help of other commands.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		Args:  cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			about, rest, err := c.Root().Find(args)
			if err != nil {
				return usageError{err}
			}
			if len(rest) > 0 {
				return noCommand(about, rest[0])
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			var names []string
			if len(args) == 0 {
				for _, sub := range c.Root().Commands() {
					if sub.IsAvailableCommand() && strings.HasPrefix(sub.Name(), word) {
						names = append(names, sub.Name())
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

const helpTemplate = `{{with (or .Long .Short)}}{{. | trimTrailingWhitespaces}}

{{end}}{{.UsageString}}`

const usageTemplate = `Usage:{{if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsagesWrapped 80 | trimTrailingWhitespaces}}{{end}}

` + exitHelp + `
`

// A signalError is the cause of a context that a signal ended.
type signalError struct{ sig os.Signal }

func (e signalError) Error() string { return e.sig.String() }

// watchSignals ends the context at the first signal that asks duet to end. At the
// next, second is called: it cuts short what takes its time to end well. A SIGHUP ends nothing where hungUp has dealt with it.
func watchSignals(ctx context.Context, second func(), hungUp func() bool) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup(1) is respected
		signals = append(signals, syscall.SIGHUP)
	}
	c := make(chan os.Signal, 4)
	signal.Notify(c, signals...)
	// Asked for, SIGPIPE ends nothing: writing fails instead, and peers still get their goodbye.
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sig := range c {
			if ctx.Err() == nil && sig == syscall.SIGHUP && hungUp() {
				continue
			}
			if ctx.Err() != nil {
				second()
			}
			cancel(signalError{sig})
		}
	}()
	return ctx, func() {
		signal.Stop(broken)
		signal.Stop(c)
		close(c)
		<-done
		cancel(nil)
	}
}
