//go:build unix

package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A peer is the other side of a duet under test: a plain socket, and no byte more or less than the script says.
//
//	peer NAME listen [unix:PATH]  listen; $NAME_ADDR and $NAME_PORT say where
//	peer NAME full                listen, and have a full backlog: nobody else can connect
//	peer NAME again               listen at the same address as before
//	peer NAME deaf                stop listening
//	peer NAME resets              reset each connection at once, from now on
//	peer NAME accept              take a connection
//	peer NAME dial ADDR           connect; $NAME_ADDR is this side's address, $NAME_PORT its port
//	peer NAME enter 'ADDR TEXT'   dial until TEXT is what comes first: a place is free a moment after one has left
//	peer NAME meets OTHER         speak until OTHER hears it, and has heard all: in a relay nobody is told who is in
//	peer NAME tls ADDR            connect and begin a TLS handshake
//	peer NAME send TEXT           with the escapes of Go
//	peer NAME gets TEXT           read until TEXT was read, which must be what comes next
//	peer NAME file FILE           the same with what FILE holds
//	peer NAME eof [TEXT]          TEXT, or nothing, is all that still comes before FIN
//	peer NAME cut                 the connection ends by a reset
//	peer NAME flood               send until nobody takes it any more
//	peer NAME fin, rst, close     half-close, reset, close
//	peer NAME dgram               be a socket of the wrong kind, for start -fd
type peer struct {
	addr     string
	listener net.Listener
	conn     net.Conn
	packet   net.PacketConn
	filler   []net.Conn
}

func cmdPeer(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "peer")
	wants(ts, args, 2, 3, "peer NAME VERB [ARG]")
	w := worldOf(ts)
	name, verb, arg := args[0], args[1], ""
	if len(args) > 2 {
		arg = args[2]
	}
	p := w.peers[name]
	if p == nil {
		p = new(peer)
		w.peers[name] = p
	}
	if err := p.do(ts, verb, arg); err != nil {
		ts.Fatalf("peer %s %s: %v", name, verb, err)
	}
	if p.addr != "" {
		_, port, _ := net.SplitHostPort(p.addr)
		ts.Setenv(name+"_ADDR", p.addr)
		ts.Setenv(name+"_PORT", port)
	}
}

func (p *peer) do(ts *testscript.TestScript, verb, arg string) error {
	switch verb {
	case "listen":
		return p.listen(arg)
	case "again":
		return p.again()
	case "deaf":
		// A process that another script is just starting holds the socket until it runs its own program.
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		return p.listener.Close()
	case "full":
		return p.full()
	case "resets":
		go p.resets()
		return nil
	case "accept":
		return p.accept()
	case "dial":
		return p.dial(arg)
	case "enter":
		addr, hello, _ := strings.Cut(arg, " ")
		return p.enter(addr, unescape(ts, hello))
	case "tls":
		return p.tls(arg)
	case "dgram":
		return p.dgram()
	}
	if p.conn == nil {
		return errors.New("not connected")
	}
	if err := p.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	switch verb {
	case "meets":
		return p.meets(worldOf(ts).peers[arg])
	case "send":
		_, err := p.conn.Write(unescape(ts, arg))
		return err
	case "gets":
		return p.gets(unescape(ts, arg))
	case "file":
		return p.gets([]byte(ts.ReadFile(arg)))
	case "eof":
		return p.eof(unescape(ts, arg))
	case "cut":
		return p.cut()
	case "flood":
		return p.flood()
	case "fin":
		return p.conn.(interface{ CloseWrite() error }).CloseWrite()
	case "rst":
		if err := p.conn.(*net.TCPConn).SetLinger(0); err != nil {
			return err
		}
		return p.conn.Close()
	case "close":
		return p.conn.Close()
	}
	return errors.New("no such verb")
}

func (p *peer) listen(at string) (err error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(at, "unix:"); ok {
		network, at = "unix", path
	} else if at == "" {
		at = "127.0.0.1:0"
	}
	p.listener, err = net.Listen(network, at)
	if err == nil {
		p.addr = p.listener.Addr().String()
	}
	return err
}

// again listens where it listened before. For a moment the old socket may still be held by a process that another script is starting.
func (p *peer) again() error {
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := p.listen(p.addr)
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(end) {
			return err
		}
	}
}

// full listens with a backlog of none and fills it: of who else connects, the system takes no notice.
func (p *peer) full() error {
	if err := p.listen(""); err != nil {
		return err
	}
	rc, err := p.listener.(*net.TCPListener).SyscallConn()
	if err != nil {
		return err
	}
	if err := rc.Control(func(fd uintptr) { err = syscall.Listen(int(fd), 0) }); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	for range 8 {
		c, err := net.DialTimeout("tcp", p.addr, 200*time.Millisecond)
		if err != nil {
			return nil
		}
		p.filler = append(p.filler, c)
	}
	return errors.New("the backlog does not fill")
}

func (p *peer) resets() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
}

func (p *peer) accept() (err error) {
	if d, ok := p.listener.(interface{ SetDeadline(time.Time) error }); ok {
		if err := d.SetDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
	}
	p.conn, err = p.listener.Accept()
	return err
}

func (p *peer) dial(addr string) (err error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", path
	}
	p.conn, err = net.DialTimeout(network, addr, patience)
	if err == nil {
		p.addr = p.conn.LocalAddr().String()
	}
	return err
}

// enter dials until it is let in, which hello tells; those who are not let in hear something else, or nothing.
func (p *peer) enter(addr string, hello []byte) error {
	for end := time.Now().Add(patience); ; {
		if err := p.dial(addr); err != nil {
			return err
		}
		if err := p.conn.SetDeadline(end); err != nil {
			return err
		}
		err := p.gets(hello)
		if err == nil || time.Now().After(end) {
			return err
		}
		if err := p.conn.Close(); err != nil {
			return err
		}
	}
}

// meets sends one letter after another until other hears the newest, and then nothing is on its way to it.
func (p *peer) meets(other *peer) error {
	if other == nil || other.conn == nil {
		return errors.New("the other is not connected")
	}
	letter := []byte{0}
	for n := byte('a'); n <= 'z'; n++ {
		if _, err := p.conn.Write([]byte{n}); err != nil {
			return err
		}
		if err := other.conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
			return err
		}
		for {
			if _, err := io.ReadFull(other.conn, letter); errors.Is(err, os.ErrDeadlineExceeded) {
				break
			} else if err != nil {
				return err
			}
			if letter[0] == n {
				return nil
			}
		}
	}
	return errors.New("the other hears nothing")
}

// tls sends a real ClientHello and wants no answer that TLS knows.
func (p *peer) tls(addr string) error {
	if err := p.dial(addr); err != nil {
		return err
	}
	go func(c net.Conn) {
		_ = c.SetDeadline(time.Now().Add(patience))
		_ = tls.Client(c, &tls.Config{ServerName: "localhost"}).Handshake()
	}(p.conn)
	return nil
}

func (p *peer) dgram() (err error) {
	p.packet, err = net.ListenPacket("udp", "127.0.0.1:0")
	return err
}

// gets reads what must come next, and nothing more.
func (p *peer) gets(want []byte) error {
	got := make([]byte, len(want))
	n, err := io.ReadFull(p.conn, got)
	if !bytes.Equal(got[:n], want) {
		return fmt.Errorf("got %q (%v), want %q", got[:n], err, want)
	}
	return err
}

func (p *peer) eof(want []byte) error {
	got, err := io.ReadAll(p.conn)
	if err != nil {
		return fmt.Errorf("%w, after %q", err, got)
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("got %q, want %q", got, want)
	}
	return nil
}

func (p *peer) cut() error {
	_, err := io.Copy(io.Discard, p.conn)
	if !errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("ended by %v, want a reset", err)
	}
	return nil
}

// flood sends 64 MiB at the most: more than any buffers hold.
func (p *peer) flood() error {
	chunk := bytes.Repeat([]byte("flood "), 1<<14)
	for sent := 0; sent < 64<<20; sent += len(chunk) {
		if err := p.conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
			return err
		}
		if _, err := p.conn.Write(chunk); err != nil {
			return nil
		}
	}
	return errors.New("all 64 MiB were taken")
}

// file is the peer's socket, to be passed on.
func (p *peer) file() (*os.File, error) {
	if p == nil {
		return nil, errors.New("no such peer")
	}
	for _, s := range []any{p.packet, p.conn, p.listener} {
		if f, ok := s.(interface{ File() (*os.File, error) }); ok {
			return f.File()
		}
	}
	return nil, errors.New("the peer has no socket: " + strconv.Quote(p.addr))
}

func (p *peer) close() {
	for _, c := range append(p.filler, p.conn) {
		if c != nil {
			_ = c.Close()
		}
	}
	if p.listener != nil {
		_ = p.listener.Close()
	}
	if p.packet != nil {
		_ = p.packet.Close()
	}
}
