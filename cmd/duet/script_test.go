//go:build unix

package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the command as people and scripts do. Beside the commands of testscript there are:
//
//	start [-in FILE] [-fd PEER] NAME PROGRAM ARG...   run in the background; its stdin stays open
//	start -tty NAME PROGRAM ARG...                    the same in a terminal, which must be as it was at the end
//	await NAME [-count=N] REGEXP [VAR...]             wait for it to print that; groups become variables
//	type NAME TEXT                                    a line for its stdin
//	bytes NAME TEXT                                   the same as "type" without a line end, with the escapes of Go
//	endinput NAME                                     close its stdin
//	closeoutput NAME                                  close the reading end of its stdout
//	signal NAME INT|TERM|HUP|STOP|CONT                send a signal
//	ends NAME CODE                                    wait for its end; stdout and stderr are for stdout, stderr, cmp
//	runs NAME                                         it has not ended yet
//	code CODE PROGRAM ARG...                          run to the end in the foreground
//	peer NAME VERB ...                                see peer_test.go
//
// Quoting is as in testscript: single quotes only.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			w := newWorld()
			env.Values[worldKey{}] = w
			env.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector would have each program wait a second at its end
			env.Defer(w.close)
			return nil
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "root":
				return os.Geteuid() == 0, nil
			case "ipv6":
			default:
				return false, fmt.Errorf("no condition is called %q", name)
			}
			l, err := net.Listen("tcp6", "[::1]:0")
			if err != nil {
				return false, nil
			}
			return true, l.Close()
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"start":       cmdStart,
			"await":       cmdAwait,
			"type":        cmdType,
			"bytes":       cmdBytes,
			"endinput":    cmdEndInput,
			"closeoutput": cmdCloseOutput,
			"signal":      cmdSignal,
			"ends":        cmdEnds,
			"runs":        cmdRuns,
			"code":        cmdCode,
			"peer":        cmdPeer,
		},
	})
}

// Scripts wait more than they work.
func init() {
	testing.Init()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
}

func cmdStart(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "start")
	var o startOptions
	for len(args) > 2 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-tty":
			o.tty = true
			args = args[1:]
			continue
		case "-in":
			o.in = ts.MkAbs(args[1])
		case "-fd":
			o.fd = args[1]
		default:
			ts.Fatalf("start: no option %s", args[0])
		}
		args = args[2:]
	}
	wants(ts, args, 2, -1, "start [-tty] [-in FILE] [-fd PEER] NAME PROGRAM ARG...")
	p, err := startProgram(ts, worldOf(ts), o, args[1:])
	ts.Check(err)
	worldOf(ts).programs[args[0]] = p
}

func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "await")
	count := 1
	if len(args) > 2 && strings.HasPrefix(args[1], "-count=") {
		n, err := strconv.Atoi(strings.TrimPrefix(args[1], "-count="))
		ts.Check(err)
		count = n
		args = append(args[:1:1], args[2:]...)
	}
	wants(ts, args, 2, -1, "await NAME [-count=N] REGEXP [VAR...]")
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	p := programOf(ts, args[0])
	m, err := p.await(re, count)
	if err != nil {
		ts.Fatalf("await %s: %v\nstdout:\n%sstderr:\n%s", args[0], err, p.out.String(), p.err.String())
	}
	for i, name := range args[2:] {
		if i+1 >= len(m) {
			ts.Fatalf("await: no group for %s", name)
		}
		ts.Setenv(name, m[i+1])
	}
}

func cmdType(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "type")
	wants(ts, args, 2, 2, "type NAME TEXT")
	ts.Check(programOf(ts, args[0]).write([]byte(args[1] + "\n")))
}

func cmdBytes(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "bytes")
	wants(ts, args, 2, 2, "bytes NAME TEXT")
	ts.Check(programOf(ts, args[0]).write(unescape(ts, args[1])))
}

func cmdEndInput(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "endinput")
	wants(ts, args, 1, 1, "endinput NAME")
	ts.Check(programOf(ts, args[0]).stdin.Close())
}

func cmdCloseOutput(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "closeoutput")
	wants(ts, args, 1, 1, "closeoutput NAME")
	programOf(ts, args[0]).closeOutput()
}

var signals = map[string]syscall.Signal{
	"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT,
}

func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "signal")
	wants(ts, args, 2, 2, "signal NAME SIGNAL")
	sig, ok := signals[args[1]]
	if !ok {
		ts.Fatalf("signal: no signal %s", args[1])
	}
	ts.Check(programOf(ts, args[0]).cmd.Process.Signal(sig))
}

func cmdEnds(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "ends")
	wants(ts, args, 2, 2, "ends NAME CODE")
	p := programOf(ts, args[0])
	code, err := p.end()
	fmt.Fprint(ts.Stdout(), p.out.String())
	fmt.Fprint(ts.Stderr(), p.err.String())
	if err != nil {
		ts.Fatalf("ends %s: %v", args[0], err)
	}
	if strconv.Itoa(code) != args[1] {
		ts.Fatalf("%s ended with code %d, want %s", args[0], code, args[1])
	}
}

func cmdRuns(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "runs")
	wants(ts, args, 1, 1, "runs NAME")
	select {
	case <-programOf(ts, args[0]).ended:
		ts.Fatalf("%s has ended", args[0])
	default:
	}
}

func cmdCode(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "code")
	wants(ts, args, 2, -1, "code CODE PROGRAM ARG...")
	p, err := startProgram(ts, worldOf(ts), startOptions{}, args[1:])
	ts.Check(err)
	ts.Check(p.stdin.Close())
	code, err := p.end()
	fmt.Fprint(ts.Stdout(), p.out.String())
	fmt.Fprint(ts.Stderr(), p.err.String())
	ts.Check(err)
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

func positive(ts *testscript.TestScript, neg bool, name string) {
	if neg {
		ts.Fatalf("! %s means nothing", name)
	}
}

// wants checks the number of words; most below zero is no limit.
func wants(ts *testscript.TestScript, args []string, least, most int, usage string) {
	if len(args) < least || most >= 0 && len(args) > most {
		ts.Fatalf("usage: %s", usage)
	}
}

// unescape takes the escapes of Go: \r, \x00, \u00e9.
func unescape(ts *testscript.TestScript, text string) []byte {
	s, err := strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
	if err != nil {
		ts.Fatalf("%s: %v", text, err)
	}
	return []byte(s)
}
