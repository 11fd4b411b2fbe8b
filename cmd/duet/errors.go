package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"duet.example/duet"
	"duet.example/duet/console"
	"duet.example/duet/internal/portowner"
	"duet.example/duet/transport"
)

// explainError words an error for people: what failed, what to do about it, and the exit code.
func explainError(err error) (text, hint string, code int) {
	var ue usageError
	var de *duet.Error
	var ae *transport.AddressError
	var se *transport.SchemeError
	var fe *transport.DescriptorError
	var sd *transport.ActivationError
	var away *noDeskError
	var pe *programError
	switch {
	case errors.Is(err, console.ErrTerminalLost): // as SIGHUP, which may come later or not at all
		return console.ErrTerminalLost.Error(), "", exitSignal + 1
	case errors.As(err, &ue):
		return ue.Error(), "duet --help, and --help after a command, show what there is", exitUsage
	case errors.As(err, &pe):
		return pe.Error(), pe.hint(), exitUsage
	case errors.Is(err, errNoOutput):
		return err.Error(), ">/dev/null throws it away on purpose", exitFailed
	case errors.As(err, &se):
		return se.Error(), "an address is host:port, :port, port, [::1]:port, unix:PATH or tcp://host:port", exitUsage
	case errors.As(err, &ae):
		return ae.Error(), "an address is host:port, :port, port, [::1]:port, unix:PATH or tcp://host:port", exitUsage
	case errors.As(err, &fe):
		return descriptorText(fe), "listen takes a listening socket, connect a connected one", exitUsage
	case errors.As(err, &sd):
		return sd.Error(), "systemd passes a socket to the service of a .socket unit; without one, give an address", exitUsage
	case errors.As(err, &away):
		return away.Error(), "is the server running, with --control, and may you open its socket?", exitConnect
	case errors.Is(err, duet.ErrNobodyCame):
		return "nobody has connected in time", "--accept-timeout waits longer", exitTimeout
	case errors.As(err, &de) && de.Op == "listen":
		return listenError(de)
	case errors.As(err, &de) && de.Op == "dial" && de.Reason != duet.EndReset:
		return dialError(de)
	case errors.As(err, &de):
		return endError(de)
	}
	return err.Error(), "", exitFailed
}

// errNoOutput: stdout was closed from the beginning, and there was something for it.
var errNoOutput = errors.New("stdout is closed: what was to be written there is lost")

// orLost is err, or errNoOutput if that is nil, there was something to be written and stdout was closed from the beginning.
func (a *app) orLost(err error, written bool) error {
	if err == nil && written && isClosed(a.stdout) {
		return errNoOutput
	}
	return err
}

// errUnsent: with --once, a script's input has ended, and all of it was refused.
var errUnsent = errors.New("nothing of the input could be sent, so that no answer is waited for")

// ownerPatience is how long the process that holds a port is looked for.
const ownerPatience = 500 * time.Millisecond

func listenError(e *duet.Error) (text, hint string, code int) {
	at := "cannot listen at " + e.Addr + ": "
	var dns *net.DNSError
	if network(e.Addr) == "unix" {
		return unixListenError(at, e)
	}
	switch {
	case errors.Is(e, syscall.EADDRINUSE):
		text = at + "the address is in use"
		ctx, cancel := context.WithTimeout(context.Background(), ownerPatience)
		defer cancel()
		if pid, name, ok := portowner.Find(ctx, "tcp", e.Addr); ok {
			text += fmt.Sprintf(" by %s (process %d)", name, pid)
		}
		return text, "choose another port, or 0 for a free one; ss -ltnp shows who listens", exitConnect
	case errors.Is(e, syscall.EADDRNOTAVAIL):
		return at + "this machine has no such address", "ip addr shows the addresses of this machine; :PORT listens on all of them", exitConnect
	case errors.Is(e, fs.ErrPermission):
		return at + "permission denied", "ports below 1024 want special rights; choose a higher one", exitConnect
	case errors.As(e, &dns) && strings.HasPrefix(dns.Name, "tcp/"):
		return at + noPort(dns), portHint, exitUsage
	case noSuchFamily(e):
		return at + "the name has no address of the family that -4 or -6 asks for", "", exitConnect
	case errors.As(e, &dns):
		return at + "no address is known for " + dns.Name, "check the name, or give a number", exitConnect
	}
	return at + cause(e), "", exitConnect
}

func unixListenError(at string, e *duet.Error) (text, hint string, code int) {
	switch {
	case errors.Is(e, transport.ErrPeerUser):
		return at + "every user of this machine could connect, and the system does not tell which one does", "give a path: its file is for you alone", exitConnect
	case errors.Is(e, syscall.EADDRINUSE):
		return at + "something is there already", "another server listens there, or it is no socket, which duet leaves alone; choose another path", exitConnect
	case errors.Is(e, fs.ErrPermission):
		return at + "permission denied", "choose a folder in which you may write", exitConnect
	case errors.Is(e, fs.ErrNotExist), errors.Is(e, syscall.ENOTDIR):
		return at + "there is no such folder", "make the folder first, or choose another path", exitConnect
	}
	return at + cause(e), "", exitConnect
}

func dialError(e *duet.Error) (text, hint string, code int) {
	to := "cannot connect to " + e.Addr + ": "
	var dns *net.DNSError
	switch {
	case errors.Is(e, context.Canceled):
		return to + "given up", "", exitConnect
	case errors.As(e, &dns) && strings.HasPrefix(dns.Name, "tcp/"):
		return to + noPort(dns), portHint, exitUsage
	case noSuchFamily(e):
		return to + "the name has no address of the family that -4 or -6 asks for", "", exitConnect
	case errors.As(e, &dns) && dns.IsNotFound:
		return to + "no address is known for " + dns.Name, "check the name, or give a number", exitConnect
	case errors.As(e, &dns):
		if code = exitConnect; dns.IsTimeout {
			code = exitTimeout
		}
		return to + "no name server could tell the address of " + dns.Name, "is this machine's network there? a number needs no name server", code
	case e.Reason == duet.EndTimeout:
		return to + "no answer in time", "is the address right, and does a firewall let it through? --connect-timeout waits longer", exitTimeout
	case errors.Is(e, syscall.ECONNREFUSED):
		return to + "nothing is listening there (connection refused)", "is the server running? duet listen starts one; --retry waits for it", exitConnect
	case errors.Is(e, fs.ErrNotExist):
		return to + "there is no such socket", "is the server running? duet listen starts one; --retry waits for it", exitConnect
	case errors.Is(e, syscall.ENETUNREACH), errors.Is(e, syscall.EHOSTUNREACH):
		return to + "there is no way to that address", "check the address and this machine's network", exitConnect
	case errors.Is(e, syscall.EADDRNOTAVAIL):
		return to + "this machine has no such address", "", exitConnect
	case errors.Is(e, fs.ErrPermission):
		return to + "permission denied", "", exitConnect
	}
	return to + cause(e), "", exitConnect
}

// endError words how a conversation ended badly.
func endError(e *duet.Error) (text, hint string, code int) {
	with := "the conversation"
	if e.Addr != "" {
		with += " with " + e.Addr
	}
	why := e.Err
	if cause(e) == e.Reason.String() {
		why = nil // it only says the same
	}
	text = with + " ended: " + endWords(e.Reason, why)
	switch e.Reason {
	case duet.EndTooLong:
		hint = "--max-message allows longer ones"
	case duet.EndSlowPeer:
		hint = "the peer did not read what was sent; --send-timeout waits longer"
	case duet.EndOverload:
		hint = "--memory allows more"
	}
	return text, hint, codeOf(e.Reason)
}

// descriptorText leaves out what the system says where it only says the same again.
func descriptorText(e *transport.DescriptorError) string {
	short := *e
	if short.Got != "" {
		short.Err = nil
	}
	return short.Error()
}

const portHint = "a port is a number from 0 to 65535, or a name such as http"

// noPort words that a service is not known; package net calls it tcp/NAME.
func noPort(e *net.DNSError) string { return "no port is called " + strings.TrimPrefix(e.Name, "tcp/") }

// noSuchFamily reports whether package net found addresses, but of the other family only.
func noSuchFamily(err error) bool {
	var ae *net.AddrError
	return errors.As(err, &ae) && ae.Err == "no suitable address found"
}

// cause is the innermost error's text.
func cause(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}

// network is the network of an address as the transport prints it.
func network(addr string) string {
	if len(addr) > 5 && addr[:5] == "unix:" {
		return "unix"
	}
	return "tcp"
}

// outputGone reports whether stdout's reader has gone.
func outputGone(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed)
}
