//go:build linux

package interop_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A wire is how lines are told apart on a member's wire.
type wire struct {
	name string
	// end stands behind each line; where it is empty, the line's length stands before it.
	end string
	// ask is the framing that is set for the conversation, by the control socket; empty is auto.
	ask string
	// hello is what the member says by itself, and auto learns from; empty: nothing.
	hello string
}

var (
	silentWire = wire{name: "silent", end: "\n"}
	lfWire     = wire{name: "lf", end: "\n", hello: "here\n"}
	crlfWire   = wire{name: "crlf", end: "\r\n", hello: "here\r\n"}
	// In a room with names one who ends no lines gets LF.
	bareWire   = wire{name: "bare", end: "\n", hello: "here"}
	nulWire    = wire{name: "nul", end: "\x00", ask: "nul"}
	lengthWire = wire{name: "length", ask: "length"}
	wires      = []wire{silentWire, lfWire, crlfWire, bareWire, nulWire, lengthWire}
)

func (w wire) append(dst []byte, line string) []byte {
	if w.end == "" {
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(line)))
	}
	return append(append(dst, line...), w.end...)
}

// cut cuts the first line off b; ok is false where it is not there in whole.
func (w wire) cut(b []byte) (line, rest []byte, ok bool) {
	if w.end != "" {
		return bytes.Cut(b, []byte(w.end))
	}
	if len(b) < 4 {
		return nil, b, false
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(len(b)) < 4+uint64(n) {
		return nil, b, false
	}
	return b[4 : 4+n], b[4+n:], true
}

// lines gives the lines of b, and what stands behind the last.
func (w wire) lines(b []byte) (lines []string, rest []byte) {
	for {
		line, after, ok := w.cut(b)
		if !ok {
			return lines, b
		}
		lines, b = append(lines, string(line)), after
	}
}

// lenient is the wire while auto may not have learned yet that lines end with CRLF.
func (w wire) lenient() wire {
	if w.end == "\r\n" {
		w.end = "\n"
	}
	return w
}

// A remote asks at the control socket of a server.
type remote struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

// roomServer starts a server with a control socket, and gives its port and its socket's path.
func roomServer(t *testing.T, args ...string) (srv *program, port, control string) {
	t.Helper()
	control = filepath.Join(t.TempDir(), "control")
	srv = duet(t, append(append([]string{"listen", "--control", control}, args...), "127.0.0.1:0")...)
	closeInput(srv)
	return srv, srv.port(srv.out), control
}

func remoteTo(t *testing.T, path string) *remote {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(5 * patience))
	r := &remote{t, c, bufio.NewReader(c)}
	if m := r.next(); m["type"] != "hello" {
		t.Fatalf("the control socket says %v", m)
	}
	return r
}

// next is the next line.
func (r *remote) next() map[string]any {
	r.t.Helper()
	line, err := r.r.ReadBytes('\n')
	if err != nil {
		r.t.Fatalf("the control socket: %v", err)
	}
	var m map[string]any
	if err := json.Unmarshal(line, &m); err != nil {
		r.t.Fatalf("%s: %v", line, err)
	}
	return m
}

// asks has something done.
func (r *remote) asks(request map[string]any) map[string]any {
	r.t.Helper()
	b, err := json.Marshal(request)
	if err == nil {
		_, err = r.conn.Write(append(b, '\n'))
	}
	if err != nil {
		r.t.Fatal(err)
	}
	m := r.next()
	if m["type"] != "reply" || m["ok"] != true {
		r.t.Fatalf("%s is answered by %v", b, m)
	}
	return m
}

// frames sets the framing of the conversation of guest-N.
func (r *remote) frames(guest, framing string) {
	r.t.Helper()
	r.asks(map[string]any{"do": "framing", "conn": json.Number(strings.TrimPrefix(guest, "guest-")), "framing": framing})
}
