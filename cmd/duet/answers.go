package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	shellquote "github.com/kballard/go-shellquote"
	"github.com/spf13/pflag"

	"duet.example/duet"
	"duet.example/duet/handler"
	"duet.example/duet/internal/ownfile"
	"duet.example/duet/transport"
)

// answering holds the flags that say what answers, where it is not an operator alone.
type answering struct {
	echo, discard           bool
	exec, shell, execShared string
	stderrTo                string
	maxProcesses            int
	runTime                 time.Duration
	numbers                 bool
	forward, tee            string
	rooming

	// What the flags come to; set by resolveAnswers.
	args        []string // of --exec or --exec-shared
	childStderr handler.StderrPolicy
	target      transport.Address
	teeing      *os.File
	tell        func(text string) // tells operators, or whoever reads stderr; set before anybody is answered
	programs    programs
}

func (a *answering) registerAnswers(f *pflag.FlagSet) {
	f.BoolVar(&a.echo, "echo", false, "say everything back; bytes, or messages with --framing")
	f.BoolVar(&a.discard, "discard", false, "read everything and throw it away")
	f.StringVar(&a.exec, "exec", "", "answer each client with a process: `'PROG ARG …'`, without a shell")
	f.StringVar(&a.shell, "shell", "", "answer each client with a process: /bin/sh runs `LINE`")
	f.StringVar(&a.execShared, "exec-shared", "", "one process for all clients: `'PROG ARG …'` reads their lines, and all get its lines")
	f.BoolVar(&a.numbers, "numbers", false, "with --exec-shared: lines begin with the number of who speaks, or is to hear; * is all")
	f.StringVar(&a.stderrTo, "stderr", "log", "`WHERE` a process's error output goes: log, peer, drop")
	f.IntVar(&a.maxProcesses, "max-processes", 0, fmt.Sprintf("run no more than `N` processes at once (%d if not given)", handler.DefaultMaxProcesses))
	f.DurationVar(&a.runTime, "run-time", 0, "end a process after `D`")
	f.StringVar(&a.forward, "forward", "", "pass everything on to `ADDRESS`, and back")
	f.StringVar(&a.tee, "tee", "", "with --forward: keep what passes in `FILE`")
	a.registerRoom(f)
}

// ways are the flags of which each names what answers.
func (a *answering) ways() (given []string) {
	for _, w := range []struct {
		flag string
		on   bool
	}{
		{"--echo", a.echo},
		{"--discard", a.discard},
		{"--exec", a.exec != ""},
		{"--shell", a.shell != ""},
		{"--exec-shared", a.execShared != ""},
		{"--forward", a.forward != ""},
		{"--room", a.rooms()},
	} {
		if w.on {
			given = append(given, w.flag)
		}
	}
	return given
}

// answers reports whether something answers that is not an operator, and no room.
func (a *answering) answers() bool { return len(a.ways()) > 0 && !a.rooms() }

// runs reports whether processes answer.
func (a *answering) runs() bool { return a.exec != "" || a.shell != "" || a.execShared != "" }

// resolveAnswers checks the flags. Where is whether it was said where to listen.
func (l *listen) resolveAnswers(where bool) error {
	ways := l.ways()
	switch {
	case len(ways) > 1:
		return usagef("%s and %s exclude each other", ways[0], ways[1])
	case (l.runs() || l.forward != "") && !where:
		return usagef("%s wants an address written out: 127.0.0.1:8080 for this machine only, :8080 for everybody", ways[0])
	case l.tee != "" && l.forward == "":
		return usagef("--tee wants --forward")
	case l.numbers && l.execShared == "":
		return usagef("--numbers wants --exec-shared")
	case l.given("run-time") && l.exec == "" && l.shell == "":
		return usagef("--run-time wants --exec or --shell")
	case l.given("max-processes") && l.exec == "" && l.shell == "":
		return usagef("--max-processes wants --exec or --shell")
	case l.given("max-processes") && l.maxProcesses < 1:
		return usagef("--max-processes wants a number above zero")
	case l.given("stderr") && !l.runs():
		return usagef("--stderr wants --exec, --shell or --exec-shared")
	case l.runTime < 0:
		return usagef("a timeout is not below zero")
	}
	if l.childStderr.UnmarshalText([]byte(l.stderrTo)) != nil {
		return usagef("--stderr is log, peer or drop")
	}
	for _, way := range []struct{ flag, line string }{{"exec", l.exec}, {"exec-shared", l.execShared}} {
		if way.line == "" {
			if l.given(way.flag) {
				return usagef("--%s wants a program", way.flag)
			}
			continue
		}
		args, err := shellquote.Split(way.line)
		if err != nil || len(args) == 0 || args[0] == "" {
			return usagef("--%s %q: a quote is not closed, or there is no program", way.flag, way.line)
		}
		if err := findProgram(way.flag, args[0]); err != nil {
			return err
		}
		l.args = args
	}
	if l.forward != "" {
		var err error
		if l.target, err = transport.ParseAddress(transport.DefaultConnect, strings.Fields(l.forward)...); err != nil {
			return fmt.Errorf("--forward: %w", err)
		}
	}
	return l.resolveRoom()
}

// A programError is a program that cannot be run, named by a flag. It is a usage error with a hint of its own.
type programError struct {
	flag, name string
	err        error
}

func (e *programError) Unwrap() error { return e.err }

func (e *programError) Error() string {
	why := cause(e.err)
	switch {
	case errors.Is(e.err, exec.ErrNotFound):
		why = "there is no such program in PATH"
	case errors.Is(e.err, fs.ErrNotExist), errors.Is(e.err, syscall.ENOTDIR):
		why = "there is no such file"
	case errors.Is(e.err, syscall.EISDIR):
		why = "it is a folder"
	case errors.Is(e.err, fs.ErrPermission):
		why = "it may not be executed"
	case errors.Is(e.err, exec.ErrDot):
		why = "it is in this folder, which is not searched"
	}
	return "--" + e.flag + " " + e.name + ": " + why
}

// hint says what to do about it.
func (e *programError) hint() string {
	switch {
	case errors.Is(e.err, exec.ErrNotFound), errors.Is(e.err, exec.ErrDot):
		return "a name without a slash is looked for in PATH; write ./" + e.name + " for one in this folder, or an absolute path"
	case errors.Is(e.err, fs.ErrPermission):
		return "chmod +x makes a file a program"
	}
	return "check the path; a relative one begins at the folder in which duet was started"
}

// findProgram looks for a program, by its path or in PATH, so that a mistake is known before anybody connects.
func findProgram(flag, name string) error {
	if _, err := exec.LookPath(name); err != nil {
		return &programError{flag, name, err}
	}
	return nil
}

// openTee makes the file of --tee, for its owner alone. A file that others may read is made so, or is refused.
func (l *listen) openTee() (closeIt func() error, err error) {
	if l.tee == "" {
		return func() error { return nil }, nil
	}
	f, err := os.OpenFile(l.tee, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot keep what passes: %w", err)
	}
	was, err := ownfile.Take(f)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("cannot keep what passes: others may read %s (mode %04o): %w", l.tee, was, err)
	}
	if was != 0 {
		l.notice(l.stderr, "duet: notice: only its owner may read %s from now on: its mode was %04o and is 0600", l.tee, was)
	}
	l.teeing = f
	return f.Close, nil
}

// handler is what answers by itself; nil where operators do. It adds nothing of its own: no greeting and no farewell unless they were given.
func (l *listen) handler() duet.Handler {
	if len(l.ways()) == 0 {
		return nil
	}
	if !l.greets {
		l.hello = ""
	}
	if !l.words && (!l.rooms() || l.relay) {
		l.bye = ""
	}
	framed := l.talk.framing != "auto" || l.words
	switch {
	case l.rooms():
		return l.hall()
	case l.discard:
		return handler.Discard{Framed: framed, Idle: l.idleTimeout}
	case l.echo:
		return handler.Echo{Framed: framed, Idle: l.idleTimeout, Send: l.sendTimeout}
	case l.forward != "":
		return l.forwards()
	case l.execShared != "":
		h := &handler.Shared{
			Args: l.args, Numbers: l.numbers, Stderr: l.childStderr,
			Log: func(line string) { l.tell(l.program() + ": " + line) },
		}
		l.programs = h
		return h
	}
	h := &handler.Exec{
		Args: l.args, Shell: l.shell, Stderr: l.childStderr, Log: l.programSaid,
		Max: l.maxProcesses, Time: l.runTime, Idle: l.idleTimeout, Send: l.sendTimeout,
	}
	l.programs = h
	return h
}

// programs are what runs behind a port.
type programs interface {
	Kill() // ends all at once
}

// stopPrograms ends what runs for all conversations, when they have ended.
func (a *answering) stopPrograms() {
	if c, ok := a.programs.(io.Closer); ok {
		_ = c.Close()
	}
}

// keepPrograms sees to it that nothing which programs start is left behind, however this process ends, until it is released.
func (l *listen) keepPrograms() (release func()) {
	if !l.runs() {
		return func() {}
	}
	keepDescriptors()
	c, err := handler.StartReaper()
	if err != nil && l.tell != nil {
		l.tell(fmt.Sprintf("programs may outlive duet: %v", err))
	}
	remove := l.fatal.before(c.KillAll)
	return func() {
		remove()
		c.Close()
	}
}

// killPrograms ends all that runs at once.
func (a *answering) killPrograms() {
	if a.programs != nil {
		a.programs.Kill()
	}
}

// programSaid tells what a process wrote on its error output.
func (l *listen) programSaid(c *duet.Conn, line string) {
	l.tell(fmt.Sprintf("%s for client %d: %s", l.program(), c.ID(), line))
}

// program is the name of what runs.
func (a *answering) program() string {
	if len(a.args) > 0 {
		return a.args[0]
	}
	return "sh"
}

func (l *listen) forwards() duet.Handler {
	f := &handler.Forward{
		Address: l.target,
		Dialer:  transport.Dialer{Family: l.family(), Timeout: l.timeout},
		Idle:    l.idleTimeout, Send: l.sendTimeout,
	}
	if l.teeing != nil {
		f.Traffic = handler.NewTrafficLog(l.teeing)
	}
	return f
}
