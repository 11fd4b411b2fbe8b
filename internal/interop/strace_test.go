//go:build linux

package interop_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"duet.example/duet/transport"
)

// Calls are compared in one form: the name that --explain uses and what matters of arguments and result, such as
// "setsockopt SO_KEEPALIVE 1", "listen the largest backlog", "send 4", "recv 0" or "recv ECONNRESET".

var (
	toldCall = regexp.MustCompile(`^(\w+)\((.*)\) → (.*?)(?:  \(inferred\))?$`)
	toldRecv = regexp.MustCompile(`^recv from (\S+) → (\d+|.*: the peer sent RST)`)
	toldSend = regexp.MustCompile(`^send to (\S+) → (\d+) bytes?$`)
	toldShut = regexp.MustCompile(`^shutdown\((\S+), SHUT_WR\) → ok`)
	toldSet  = regexp.MustCompile(`^setsockopt\((\S+:\d+), (SO_LINGER), 0 seconds\) → ok`)
	toldEnd  = regexp.MustCompile(`^close\(([^ ]+)\)(?: → ok|: not everything was read.*\(inferred\))$`)
)

// narrated takes apart what --explain told, by socket: "listener" and "conversation".
func narrated(t *testing.T, text string) map[string][]string {
	t.Helper()
	told := map[string][]string{}
	listener, conversation := "", ""
	for line := range strings.Lines(text) {
		line, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "explain: ")
		if !ok || strings.HasPrefix(line, "the conversation with") {
			continue
		}
		tell := func(call string) { told["conversation"] = append(told["conversation"], call) }
		if m := toldRecv.FindStringSubmatch(line); m != nil {
			if strings.HasSuffix(m[2], "RST") {
				m[2] = "ECONNRESET"
			}
			tell("recv " + m[2])
			continue
		}
		if m := toldSend.FindStringSubmatch(line); m != nil {
			tell("send " + m[2])
			continue
		}
		if toldShut.MatchString(line) {
			tell("shutdown")
			continue
		}
		if m := toldSet.FindStringSubmatch(line); m != nil {
			tell("setsockopt " + m[2])
			continue
		}
		if m := toldEnd.FindStringSubmatch(line); m != nil && !strings.HasPrefix(m[1], "fd") {
			tell("close")
			continue
		}
		m := toldCall.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("told in words that nobody expects: %q", line)
			continue
		}
		name, args, result := m[1], strings.Split(m[2], ", "), m[3]
		fd := args[0]
		call := name
		switch name {
		case "socket":
			fd = result
		case "setsockopt":
			call = strings.Join([]string{name, args[1], args[2]}, " ")
		case "getsockopt":
			call = name + " " + args[1]
		case "listen":
			call = name + " " + strings.TrimPrefix(args[1], "backlog ")
			listener = fd
		case "bind":
			listener = fd
		case "accept":
			conversation, _, _ = strings.Cut(result, ", ")
		case "connect":
			conversation = fd
		}
		told[fd] = append(told[fd], call)
	}
	told["listener"] = told[listener]
	told["conversation"] = append(told[conversation], told["conversation"]...)
	return told
}

var (
	seenCall    = regexp.MustCompile(`^\d+ +(\w+)\((\d+|AF_\w+)(?:, )?(.*)\) += (-?\d+)(?: (E\w+))?`)
	unfinished  = regexp.MustCompile(`^(\d+) +(.*) <unfinished \.\.\.>$`)
	resumedCall = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>(.*)$`)
	option      = regexp.MustCompile(`^\w+, (\w+), \[(\d+)\]`)
)

// observed takes apart what strace saw, in the same way; port is the server's.
func observed(trace, port string) map[string][]string {
	saw := map[string][]string{}
	open := map[string]*seenSocket{} // by descriptor
	begun := map[string]string{}     // by thread
	for line := range strings.Lines(trace) {
		line = strings.TrimRight(line, "\n")
		if m := unfinished.FindStringSubmatch(line); m != nil {
			begun[m[1]] = line[:len(line)-len(" <unfinished ...>")]
			continue
		}
		if m := resumedCall.FindStringSubmatch(line); m != nil {
			line = begun[m[1]] + m[2]
		}
		m := seenCall.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		name, fd, args, result, failed := m[1], m[2], m[3], m[4], m[5]
		if failed == "EAGAIN" {
			continue // Go waits for the descriptor then; nothing happened
		}
		switch name {
		case "socket":
			open[result] = &seenSocket{}
			fd = result
		case "accept4":
			open[result] = &seenSocket{kind: "conversation", accepted: true}
		}
		s := open[fd]
		if name == "getsockopt" && s != nil && s.accepted {
			continue // whether the peer has refused something is asked, and nothing is sent for that
		}
		if s == nil {
			continue // no socket
		}
		s.learn(name, args, port)
		s.calls = append(s.calls, seenAs(name, args, result, failed))
		if s.kind != "" {
			saw[s.kind] = append(saw[s.kind], s.calls...)
			s.calls = nil
		}
		if name == "close" {
			delete(open, fd)
		}
	}
	return saw
}

// A seenSocket is one as strace sees it. Those of which neither bind nor connect names the port are none of ours: package net
// looks what the system can do.
type seenSocket struct {
	accepted bool
	kind     string
	calls    []string // that belong to no kind yet
}

func (s *seenSocket) learn(name, args, port string) {
	if !strings.Contains(args, "htons("+port+")") && name != "listen" {
		return
	}
	switch name {
	case "listen":
		s.kind = "listener"
	case "connect":
		s.kind = "conversation"
	}
}

// seenAs is a call in the form in which they are compared.
func seenAs(name, args, result, failed string) string {
	switch name {
	case "accept4":
		return "accept"
	case "setsockopt":
		if m := option.FindStringSubmatch(args); m != nil {
			return name + " " + m[1] + " " + m[2]
		}
		if strings.Contains(args, "SO_LINGER, {l_onoff=1, l_linger=0}") {
			return name + " SO_LINGER"
		}
	case "getsockopt":
		if m := option.FindStringSubmatch(args); m != nil {
			return name + " " + m[1]
		}
	case "listen":
		if largest, known := transport.Somaxconn(); known && args == strconv.Itoa(largest) {
			args = "the largest backlog"
		}
		return name + " " + args
	case "read", "recvfrom", "recvmsg", "readv":
		if failed != "" {
			return "recv " + failed
		}
		return "recv " + result
	case "write", "sendto", "sendmsg", "writev":
		if failed != "" {
			return "send " + failed
		}
		return "send " + result
	}
	return name
}
