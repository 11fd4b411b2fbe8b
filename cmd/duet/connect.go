package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"duet.example/duet"
	"duet.example/duet/console"
	"duet.example/duet/desk"
	"duet.example/duet/handler"
	"duet.example/duet/transport"
)

// A connect is one `duet connect`.
type connect struct {
	*app
	talk
	connectTimeout   time.Duration
	retry, reconnect bool
	retryFor         time.Duration
	zero             bool

	addr    transport.Address
	explain *console.Explainer
	say     func(format string, args ...any) // tells a notice: on stderr, and at the console once there is one
}

func (a *app) connectCommand() *cobra.Command {
	k := &connect{app: a}
	return k.command()
}

func (k *connect) command() *cobra.Command {
	c := &cobra.Command{
		Use:   "connect [flags] [ADDRESS]",
		Short: "Connect to a server and talk with it",
		Long: `Connect to ADDRESS (localhost:8080 if none is given) and talk with the server.

ADDRESS is host:port, :port or port (this machine), [::1]:port, two words
host port, or unix:PATH.

In a terminal, type and press Enter; /help shows the commands. Without a
terminal it is a pipe: stdin goes to the server, its answer to stdout; at the
end of stdin the answer is still read to its end.`,
		Example: `  duet connect                         localhost, port 8080
  duet connect example.org 9000
  printf 'question\n' | duet connect   print the whole answer
  duet connect --retry                 wait until the server is there
  duet connect -z example.org 9000     only see whether something answers`,
		Args: maxWords(2),
		RunE: func(c *cobra.Command, args []string) error { return k.run(c.Context(), args) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.DurationVar(&k.connectTimeout, "connect-timeout", 0, "give up connecting after the duration `D` (10s if not given)")
	f.BoolVar(&k.retry, "retry", false, "wait until the server is there")
	f.BoolVar(&k.reconnect, "reconnect", false, "come back after a cut, too")
	f.DurationVar(&k.retryFor, "retry-for", 0, "give up waiting after `D`; implies --retry")
	f.BoolVarP(&k.zero, "zero", "z", false, "only see whether something answers")
	k.register(f)
	return c
}

// connectTime is how long connecting may take where no flag says it. The system would try for minutes.
const connectTime = 10 * time.Second

// resolve checks the flags and what they come to.
func (k *connect) resolve() error {
	if err := k.talk.resolve(); err != nil {
		return err
	}
	if k.connectTimeout < 0 || k.retryFor < 0 {
		return usagef("a timeout is not below zero")
	}
	k.connectTimeout = k.bound("connect-timeout", k.connectTimeout)
	if k.connectTimeout == 0 && !k.given("connect-timeout") {
		k.connectTimeout = connectTime
	}
	if k.retryFor > 0 {
		k.retry = true
	}
	return nil
}

func (k *connect) run(ctx context.Context, args []string) error {
	if err := k.resolve(); err != nil {
		return err
	}
	if k.fd >= 0 && (len(args) > 0 || k.retry || k.reconnect) {
		return usagef("--fd excludes an address, --retry and --reconnect")
	}
	if err := k.checkSeat(k.wantsConsole(&k.talk)); err != nil {
		return err
	}
	k.explain = k.explainer(&k.talk)
	var err error
	if k.addr, err = transport.ParseAddress(transport.DefaultConnect, args...); err != nil {
		return err
	}
	if err := k.checkFamily(k.addr); err != nil {
		return err
	}
	pipe := !k.zero && !k.json && !k.wantsConsole(&k.talk)
	if pipe && k.reconnect {
		return usagef("--reconnect wants a console: what a pipe had sent before a cut cannot be known to have arrived")
	}
	k.say = k.earlyNotice
	d := k.dialer(pipe)
	c, err := k.dial(ctx, d)
	if k.zero && wasReset(err) {
		k.notice(k.stdout, "%s answers", console.AddressWords(k.addr.String()))
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case k.zero:
		k.notice(k.stdout, "%s answers", words(c.RemoteAddr()))
		return c.Close()
	case pipe:
		return k.pipe(ctx, c)
	case k.json:
		return k.orLost(k.tell(ctx, d, c), true)
	}
	return k.orLost(k.converse(ctx, d, c), true)
}

// wasReset reports whether dialling had connected, and the server then reset the connection before that was known.
func wasReset(err error) bool {
	var de *duet.Error
	return errors.As(err, &de) && de.Op == "dial" && de.Reason == duet.EndReset
}

// earlyNotice prints a change of state while there is no console yet.
func (k *connect) earlyNotice(format string, args ...any) {
	k.notice(k.stderr, "duet: "+format, args...)
}

// dialer is the duet.Dialer that the flags describe.
func (k *connect) dialer(pipe bool) *duet.Dialer {
	d := &duet.Dialer{
		Options: duet.Options{
			Framing: k.frame, MaxMessage: int(k.maxMessage), Farewell: k.bye, ShowFarewell: true,
			IdleTimeout: k.idleTimeout, SendTimeout: k.sendTimeout,
		},
		Transport: transport.Dialer{Family: k.family(), Timeout: k.connectTimeout},
	}
	d.Transport.UserTimeout = k.userTimeout(pipe)
	if pipe {
		d.Farewell = ""
	}
	if k.talk.explain || k.wantsConsole(&k.talk) {
		d.Transport.Step, d.Transport.WatchConnect = k.explain.Step, watchConnect
		d.Trace = k.explain.Trace()
	}
	d.Trace = duet.JoinTraces(d.Trace, wrongProtocol(func(format string, args ...any) { k.say(format, args...) }))
	return d
}

// dial connects, or takes the socket that was passed; with --retry, it waits for the server.
func (k *connect) dial(ctx context.Context, d *duet.Dialer) (*duet.Conn, error) {
	if k.fd >= 0 {
		nc, err := d.Transport.File(int(k.fd))
		if err != nil {
			return nil, err
		}
		closePassed(int(k.fd))
		return d.NewConn(nc), nil
	}
	if !k.retry && !k.reconnect {
		return d.DialAddress(ctx, k.addr)
	}
	return k.persist(ctx, d)
}

// pipe passes bytes between the server and stdin and stdout.
func (k *connect) pipe(ctx context.Context, c *duet.Conn) error {
	if k.verbose {
		k.notice(k.stderr, "connected to %s", words(c.RemoteAddr()))
	}
	k.setCut(func() { _ = c.Abort() })
	out, flush := k.output(&k.talk)
	h := &handler.Pipe{
		In: k.stdin, Out: out, HalfOpen: time.Duration(k.halfOpen), Idle: k.idleTimeout, Send: k.pipePatience(),
	}
	err := duet.Serve(ctx, c, h)
	if ferr := flush(); err == nil && ferr != nil {
		err = ferr
	}
	reason, cause := c.Result()
	return k.orLost(newEnding(c, reason, cause).result(err), c.Stats().BytesIn > 0)
}

// converse talks with the server at the console, and with --reconnect comes back to it.
func (k *connect) converse(ctx context.Context, d *duet.Dialer, c *duet.Conn) error {
	ds := &desk.Desk{Encoding: k.enc}
	b, err := k.openBooth(&k.talk, console.Options{Table: ds.Operator(operatorHere), Operator: operatorHere, Explainer: k.explain})
	if err != nil {
		_ = c.Close()
		return err
	}
	k.say = b.tell(&k.talk)
	link := newLink(k, d, ds)
	talking, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		link.run(talking, c)
		stop()
	}()
	k.setCut(link.cut)
	out := b.Run(talking)
	if out == console.Enough {
		link.finish()
	} else {
		link.goodbye()
	}
	b.onInterrupt(link.cut)
	awaitEnd(link.ended, b.sayingGoodbye(&k.talk))
	cerr := b.close()
	switch {
	case out == console.Interrupted:
		return codeError(exitSignal + 2)
	case out == console.Quit, out == console.Enough:
		return b.unsent()
	case out == console.Unsent:
		return errUnsent
	case out == console.FaceLost && cerr != nil:
		return cerr
	case link.err != nil && b.editor:
		return shownError{link.err}
	case link.err != nil:
		return link.err
	case cerr != nil:
		return cerr
	}
	return b.unsent()
}

// tell prints what happens as lines for programs, which answer through stdin.
func (k *connect) tell(ctx context.Context, d *duet.Dialer, c *duet.Conn) error {
	ds := &desk.Desk{Encoding: k.enc}
	x := k.openLines(ctx, &desk.Control{Desk: ds, Version: version(), MaxMessage: int(k.maxMessage)})
	link := newLink(k, d, ds)
	talking, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		link.run(talking, c)
		stop()
	}()
	k.setCut(link.cut)
	select {
	case <-talking.Done():
	case <-x.ended:
	}
	link.goodbye()
	awaitEnd(link.ended, func() {
		if isTerminal(k.stderr) {
			k.say(goodbyeWords)
		}
	})
	if err := x.close(); err != nil {
		return err
	}
	return link.err
}
