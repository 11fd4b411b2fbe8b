package main

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/spf13/cobra"

	"duet.example/duet"
	"duet.example/duet/console"
	"duet.example/duet/transport"
)

// A listen is one `duet listen`.
type listen struct {
	*app
	talk
	backlog       int
	greeting      string
	hello         string // the greeting as the peer gets it
	greets, words bool   // --greeting and --farewell were given
	keepOpen      bool
	systemd       bool
	full          bool
	control       string
	answering
	gating

	explain *console.Explainer
}

func (a *app) listenCommand() *cobra.Command {
	l := &listen{app: a}
	c := &cobra.Command{
		Use:   "listen [flags] [ADDRESS]",
		Short: "Listen for clients and talk with them",
		Long: `Listen at ADDRESS (:8080 if none is given) and talk with whoever connects. Many
clients may be connected at once; each has a number.

ADDRESS is host:port, :port or port (every interface), [::1]:port, two words
host port, or unix:PATH. Port 0 is a free one; it is printed.

In a terminal, type and press Enter; /help shows the commands. Without a
terminal, one conversation is a pipe between it and stdin and stdout.`,
		Example: `  duet listen                       every interface, port 8080
  duet listen 127.0.0.1:9000        this machine only
  duet listen --greeting 'Hello!' --framing crlf 2323
  duet listen --echo                say everything back to everybody
  duet listen --room                everybody hears everybody
  duet listen --exec 'bc -lq' 127.0.0.1:9000
                                    a program for each client
  duet listen --forward example.org:80 127.0.0.1:8080
  duet listen --allow 192.168.1.0/24 --max-per-host 4
  duet listen --control desk.sock   attach with: duet desk desk.sock
  duet listen 9000 > received.bin   take what one client sends`,
		Args: maxWords(2),
		RunE: func(c *cobra.Command, args []string) error {
			l.greets, l.words = c.Flags().Changed("greeting"), c.Flags().Changed("farewell")
			l.maxGiven = c.Flags().Changed("max-conns")
			return l.run(c.Context(), args)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.IntVar(&l.backlog, "backlog", 0, "how many (`N`) connections may wait to be accepted, the system's maximum if not given; below zero counts as zero")
	f.StringVar(&l.greeting, "greeting", "Can I help you?", "the `TEXT` that each client gets first; '' for none")
	l.registerAnswers(f)
	f.BoolVarP(&l.keepOpen, "keep-open", "k", false, "pipe: serve one conversation after another")
	f.BoolVar(&l.systemd, "systemd", false, "use the socket that systemd passed")
	f.BoolVar(&l.full, "full", false, "begin with the full screen: who is there beside what is said")
	f.StringVar(&l.control, "control", "", "let programs, and other consoles (duet desk), at the desk through a socket at `PATH`")
	l.registerGate(f)
	l.register(f)
	return c
}

// maxWords takes an address of at most n words.
func maxWords(n int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > n {
			return usagef("too many words: an address is one word, or host and port")
		}
		return nil
	}
}

func (l *listen) run(ctx context.Context, args []string) error {
	if err := l.resolve(); err != nil {
		return err
	}
	var err error
	if l.hello, err = l.encoded("greeting", l.greeting); err != nil {
		return err
	}
	if l.sorry, err = l.encoded("busy", l.busy); err != nil {
		return err
	}
	switch {
	case l.full && !l.edits():
		return usagef("--full wants a terminal")
	case l.full && (l.console || l.json):
		return usagef("--full excludes --console and --json")
	}
	if err := l.resolveAnswers(len(args) > 0 || l.fd >= 0 || l.systemd); err != nil {
		return err
	}
	if err := l.checkSeat(l.seated()); err != nil {
		return err
	}
	if err := l.resolveGate(); err != nil {
		return err
	}
	if (l.fd >= 0 || l.systemd) && len(args) > 0 || l.fd >= 0 && l.systemd {
		return usagef("an address, --fd and --systemd exclude each other")
	}
	l.explain = l.explainer(&l.talk)
	ln, at, err := l.open(ctx, args)
	if err != nil {
		return err
	}
	defer func() { _ = ln.Close() }()
	closeTee, err := l.openTee()
	if err != nil {
		return err
	}
	defer func() { _ = closeTee() }()
	switch {
	case l.pipes():
		return l.pipe(ctx, ln, at)
	case l.seated():
		return l.converse(ctx, ln, at)
	}
	return l.unattended(ctx, ln, at)
}

// seated reports whether there is a console: one that only watches has to be asked for.
func (l *listen) seated() bool {
	if l.answers() {
		return l.console || l.full
	}
	return l.wantsConsole(&l.talk)
}

// pipes reports whether this is pipe mode.
func (l *listen) pipes() bool {
	return len(l.ways()) == 0 && !l.json && l.control == "" && !l.wantsConsole(&l.talk)
}

// open makes the listening socket.
func (l *listen) open(ctx context.Context, args []string) (net.Listener, string, error) {
	lc := transport.ListenConfig{
		Family: l.family(),
		Notice: func(text string) { l.notice(l.stderr, "duet: notice: %s", text) },
	}
	switch {
	case !l.given("backlog"):
	case l.backlog <= 0:
		lc.Backlog = -1 // the zero of ListenConfig is its default
	default:
		lc.Backlog = l.backlog
	}
	if l.talk.explain || l.wantsConsole(&l.talk) {
		lc.Step = l.explain.Step
	}
	lc.UserTimeout = l.userTimeout(l.pipes())
	switch {
	case l.fd >= 0:
		ln, err := lc.File(int(l.fd))
		if err != nil {
			return nil, "", err
		}
		closePassed(int(l.fd))
		return ln, words(ln.Addr()), nil
	case l.systemd:
		ln, err := lc.Systemd()
		if err != nil {
			return nil, "", err
		}
		return ln, words(ln.Addr()), nil
	}
	addr, err := transport.ParseAddress(transport.DefaultListen, args...)
	if err == nil {
		err = l.checkFamily(addr)
	}
	if err != nil {
		return nil, "", err
	}
	ln, err := lc.Listen(ctx, addr)
	if err != nil {
		return nil, "", &duet.Error{Op: "listen", Addr: addr.String(), Err: err}
	}
	return ln, runningAt(addr, ln), nil
}

// runningAt names the place: `localhost: 8080` where the host is empty.
func runningAt(a transport.Address, ln net.Listener) string {
	if a.Scheme == "unix" {
		return a.String()
	}
	host := a.Host
	if host == "" {
		host = "localhost"
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		port = a.Port
	}
	return host + ": " + port
}

// announce says where the server is running, and who can reach it.
func (l *listen) announce(w io.Writer, ln net.Listener, at string) {
	if l.quiet {
		return
	}
	fmt.Fprintln(w, "The Server is running at "+safe(at))
	tcp, ok := ln.Addr().(*net.TCPAddr)
	if !ok {
		return
	}
	for _, addr := range transport.Reachable(ln) {
		fmt.Fprintln(w, "  reachable at "+safe(addr))
	}
	if tcp.IP.IsUnspecified() {
		fmt.Fprintln(w, "  anybody who reaches this machine can connect;")
		fmt.Fprintf(w, "  127.0.0.1:%d is for this machine only\n", tcp.Port)
	}
	fmt.Fprintln(w, "  not encrypted, peers unknown")
}
