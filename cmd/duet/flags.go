package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"duet.example/duet/console"
	"duet.example/duet/framing"
	"duet.example/duet/internal/charset"
	"duet.example/duet/transport"
)

// talk holds the flags that listen and connect share.
type talk struct {
	ipv4, ipv6  bool
	fd          descriptor
	framing     string
	eol         string
	encoding    string
	maxMessage  size
	farewell    string
	timeout     time.Duration
	idleTimeout time.Duration
	sendTimeout time.Duration
	halfOpen    halfOpen
	turns       bool
	console     bool
	once        int
	timestamps  string
	hex         bool
	bell, title bool
	color       string
	noHistory   bool
	explain     bool
	json        bool
	verbose     bool
	quiet       bool

	given func(flag string) bool // whether a flag stands on the command line

	// What the flags come to; set by resolve. bye is the farewell as the peer gets it.
	bye   string
	frame framing.Framing
	enc   *charset.Encoding
	stamp console.Stamps
}

func (t *talk) register(f *pflag.FlagSet) {
	f.SortFlags = false
	t.given = f.Changed
	f.BoolVarP(&t.ipv4, "ipv4", "4", false, "use IPv4 only")
	f.BoolVarP(&t.ipv6, "ipv6", "6", false, "use IPv6 only")
	t.fd = -1
	f.Var(&t.fd, "fd", "use the socket that was opened elsewhere as descriptor `N`")
	f.StringVar(&t.framing, "framing", "auto", "how messages are cut, a `NAME` of: "+strings.Join(framing.Names(), ", "))
	f.StringVar(&t.eol, "eol", "", "the `END` that is sent after each message, apart from the framing: lf, crlf, cr, nul, none, 0xNN")
	f.StringVar(&t.encoding, "encoding", "utf-8", "the `NAME` of what the peer's text is in: utf-8, gb18030, shift_jis, latin1, …")
	f.Var(&t.maxMessage, "max-message", "longest message, in bytes (k and M are known; 1M if not given)")
	f.StringVar(&t.farewell, "farewell", "bye", "the `WORD` that ends a conversation; '' for none")
	f.DurationVar(&t.timeout, "timeout", 0, "bound connecting, receiving and sending by the duration `D`; those for one of these override it")
	f.DurationVar(&t.idleTimeout, "idle-timeout", 0, "end a conversation in which nothing was received for `D`")
	f.DurationVar(&t.sendTimeout, "send-timeout", 0, "end a conversation whose peer takes nothing for `D` (10s if not given; in a pipe, never)")
	f.Var(&t.halfOpen, "half-open", "pipe: how long a silent stdin goes on after the peer has finished; or forever (1s if not given)")
	f.BoolVar(&t.turns, "turns", false, "take turns: the prompt opens after the peer has spoken")
	f.IntVar(&t.once, "once", 0, "end after `N` messages from the peer")
	f.BoolVar(&t.json, "json", false, "print what happens as JSON lines, and take requests on stdin, instead of a console")
	f.BoolVar(&t.explain, "explain", false, "narrate each step of the network")
	f.BoolVarP(&t.verbose, "verbose", "v", false, "say more")
	t.registerFace(f)
}

// registerFace has the flags of a console, also of one that is attached to a desk elsewhere.
func (t *talk) registerFace(f *pflag.FlagSet) {
	f.BoolVar(&t.console, "console", false, "without a terminal: a line in is a message, a message is a line out")
	f.StringVar(&t.timestamps, "timestamps", "none", "the `KIND` of times before lines: "+strings.Join(console.StampNames, ", "))
	f.BoolVar(&t.hex, "hex", false, "show messages as a hex dump, with line ends, NUL and length prefixes")
	f.BoolVar(&t.bell, "bell", false, "ring when a message arrives")
	f.BoolVar(&t.title, "title", false, "show the last message in the window's title")
	f.StringVar(&t.color, "color", "auto", "`WHEN` there are colours: auto, always, never")
	f.BoolVar(&t.noHistory, "no-history", false, "keep no history of what was typed")
	f.BoolVarP(&t.quiet, "quiet", "q", false, "say less")
}

// resolve checks the flags and what they come to.
func (t *talk) resolve() error {
	var err error
	if t.frame, err = framing.Parse(t.framing); err != nil {
		return usageError{err}
	}
	if t.eol != "" {
		end, err := framing.ParseEOL(t.eol)
		if err != nil {
			return usageError{err}
		}
		if t.frame == framing.Length {
			return usagef("--eol does not go with --framing length: nothing stands after a message there")
		}
		t.frame = framing.WithEOL(t.frame, end)
	}
	if t.enc, err = charset.Lookup(t.encoding); err != nil {
		return usageError{err}
	}
	if err := t.resolveFace(); err != nil {
		return err
	}
	switch {
	case t.json && (t.console || t.once > 0):
		return usagef("--json excludes --console and --once")
	case t.ipv4 && t.ipv6:
		return usagef("-4 and -6 exclude each other; without either, both are used")
	case t.once < 0:
		return usagef("--once wants a number above zero")
	case t.timeout < 0 || t.idleTimeout < 0 || t.sendTimeout < 0:
		return usagef("a timeout is not below zero")
	}
	if t.bye, err = t.encoded("farewell", t.farewell); err != nil {
		return err
	}
	t.idleTimeout = t.bound("idle-timeout", t.idleTimeout)
	t.sendTimeout = t.bound("send-timeout", t.sendTimeout)
	if t.sendTimeout == 0 && t.given("send-timeout") {
		t.sendTimeout = -1 // the zero of a Dialer and a Server is their default
	}
	return nil
}

// bound is the timeout of a flag: what was given, zero too, which is none, or else what --timeout says of all.
func (t *talk) bound(flag string, d time.Duration) time.Duration {
	if t.given(flag) {
		return d
	}
	return t.timeout
}

// resolveFace checks the flags of a console.
func (t *talk) resolveFace() (err error) {
	if t.stamp, err = console.ParseStamps(t.timestamps); err != nil {
		return usageError{err}
	}
	if t.color != "auto" && t.color != "always" && t.color != "never" {
		return usagef("--color is auto, always or never")
	}
	return nil
}

// checkSeat refuses flags that would do nothing where there is no console.
func (t *talk) checkSeat(seated bool) error {
	switch {
	case seated:
		return nil
	case t.turns:
		return usagef("--turns wants a console; --console gives one")
	case t.once > 0:
		return usagef("--once wants a console; --console gives one")
	}
	return nil
}

func (t *talk) family() transport.Family {
	switch {
	case t.ipv4:
		return transport.IPv4
	case t.ipv6:
		return transport.IPv6
	}
	return transport.AnyFamily
}

// encoded is the text of a flag as it goes to the peer.
func (t *talk) encoded(flag, text string) (string, error) {
	b, err := t.enc.Encode(text)
	if err != nil {
		return "", usagef("--%s %q: %w", flag, text, err)
	}
	return string(b), nil
}

// checkFamily refuses an address that -4 or -6 leaves out.
func (t *talk) checkFamily(a transport.Address) error {
	ip, err := netip.ParseAddr(a.Host)
	switch {
	case err != nil:
		return nil // a name; its addresses are looked up later
	case t.ipv4 && !ip.Unmap().Is4():
		return usagef("-4 asks for IPv4, and %s is an IPv6 address", a.Host)
	case t.ipv6 && ip.Is4():
		return usagef("-6 asks for IPv6, and %s is an IPv4 address", a.Host)
	}
	return nil
}

// pipePatience is how long a pipe's peer may take nothing. For a pipe that is
// no fault unless a timeout was given: whoever reads may be waiting for a tape or a pager.
func (t *talk) pipePatience() time.Duration {
	if t.sendTimeout > 0 {
		return t.sendTimeout
	}
	return -1
}

// userTimeout is how long the system lets a peer take nothing. The system calls that a timeout, so it must be later
// than duet's own time, after which the peer is slow, also if duet gets no processor for a while.
// Zero is the default of package transport, below zero none.
func (t *talk) userTimeout(pipe bool) time.Duration {
	switch {
	case t.sendTimeout > 0 && pipe:
		return 2*t.sendTimeout + time.Second
	case t.sendTimeout > 0:
		return max(2*t.sendTimeout+time.Second, transport.DefaultUserTimeout)
	case t.sendTimeout < 0, pipe:
		return -1
	}
	return 0
}

// closePassed closes the descriptor that was passed with --fd, once it is duplicated: as long as it
// is open the port stays taken and no FIN goes out. Standard streams stay.
func closePassed(fd int) {
	if fd > 2 {
		_ = os.NewFile(uintptr(fd), "").Close()
	}
}

// colored reports whether styles are wanted on out.
func (t *talk) colored(terminal bool) bool {
	switch t.color {
	case "always":
		return true
	case "never":
		return false
	}
	// https://no-color.org: set and not empty
	return terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// flagError words what pflag says of a value in the words of people.
func flagError(err error) error {
	var none *pflag.ValueRequiredError
	if errors.As(err, &none) {
		return fmt.Errorf("--%s wants a value", none.GetFlag().Name)
	}
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return err
	}
	f := bad.GetFlag()
	switch f.Value.Type() {
	case "int":
		return fmt.Errorf("--%s wants a number, not %q", f.Name, bad.GetValue())
	case "duration":
		return fmt.Errorf("--%s wants a duration such as 500ms, 30s or 2m, not %q", f.Name, bad.GetValue())
	case "bool":
		return fmt.Errorf("--%s is on or off: it takes no %q", f.Name, bad.GetValue())
	}
	return fmt.Errorf("--%s %q: %w", f.Name, bad.GetValue(), bad.Unwrap())
}

// A descriptor is a number of an open file; below zero is none.
type descriptor int

func (d *descriptor) String() string {
	if *d < 0 {
		return ""
	}
	return strconv.Itoa(int(*d))
}
func (d *descriptor) Type() string { return "int" }

func (d *descriptor) Set(text string) error {
	n, err := strconv.ParseInt(text, 10, 32)
	if err == nil && n < 0 {
		err = strconv.ErrRange
	}
	*d = descriptor(n)
	return err
}

// A size is a number of bytes on the command line.
type size int

func (s *size) String() string {
	if *s == 0 {
		return ""
	}
	return strconv.Itoa(int(*s))
}
func (s *size) Type() string { return "SIZE" }

func (s *size) Set(text string) error {
	n, err := parseSize(text)
	if err != nil || n <= 0 || n > 1<<30 {
		return fmt.Errorf("want a number of bytes from 1 to 1024M, such as 65536, 64k or 1M")
	}
	*s = size(n)
	return nil
}

// parseSize takes a number of bytes: 65536, 64k, 1M, 1G, also as 64KiB, 1MiB and 1GiB.
func parseSize(text string) (int64, error) {
	digits, factor := strings.TrimSuffix(text, "iB"), int64(1)
	if n := len(digits); n > 0 {
		switch digits[n-1] {
		case 'k', 'K':
			factor = 1 << 10
		case 'M':
			factor = 1 << 20
		case 'G':
			factor = 1 << 30
		}
	}
	switch {
	case factor > 1:
		digits = digits[:len(digits)-1]
	case len(digits) < len(text):
		return 0, strconv.ErrSyntax // iB of nothing
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	return int64(n) * factor, err
}

// A budget is a number of bytes on the command line for all conversations together; zero is none, below zero what is not given.
type budget int64

func (b *budget) String() string {
	if *b < 0 {
		return ""
	}
	return strconv.FormatInt(int64(*b), 10)
}
func (b *budget) Type() string { return "SIZE" }

func (b *budget) Set(text string) error {
	n, err := parseSize(text)
	if err != nil || n > 1<<40 {
		return fmt.Errorf("want a number of bytes up to 1024G, such as 512M or 1G, or 0 for no limit")
	}
	*b = budget(n)
	return nil
}

// limit is what it is for a server.
func (b budget) limit() int64 {
	switch {
	case b < 0:
		return 0 // the server's default
	case b == 0:
		return -1
	}
	return int64(b)
}

// halfOpen is a duration or forever; zero is the default.
type halfOpen time.Duration

func (h *halfOpen) String() string {
	switch {
	case *h == 0:
		return ""
	case *h < 0:
		return "forever"
	}
	return time.Duration(*h).String()
}
func (h *halfOpen) Type() string { return "D" }

func (h *halfOpen) Set(text string) error {
	if text == "forever" {
		*h = -1
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return fmt.Errorf("want a duration such as 500ms or 1s, or forever")
	}
	*h = halfOpen(max(d, 1)) // zero is no wait at all, not the default
	return nil
}
