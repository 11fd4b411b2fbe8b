package duettest_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"duet.example/duet/duettest"
)

var errTimeout = os.ErrDeadlineExceeded

func TestProxy_IsConn(t *testing.T) {
	for _, f := range []duettest.Faults{{}, {Up: smallPieces, Down: smallPieces}} {
		nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, nil, nil, err
			}
			defer l.Close()
			p, err := duettest.NewProxy(l.Addr().String(), f)
			if err != nil {
				return nil, nil, nil, err
			}
			if c1, err = net.Dial("tcp", p.Addr); err != nil {
				return nil, nil, nil, err
			}
			if c2, err = l.Accept(); err != nil {
				return nil, nil, nil, err
			}
			return c1, c2, func() { c1.Close(); c2.Close(); p.Close() }, nil
		})
	}
}

// tcp is a TCP connection with the methods of duettest.Conn.
type tcp struct{ *net.TCPConn }

func (c tcp) Reset() error {
	if err := c.SetLinger(0); err != nil {
		return err
	}
	return c.Close()
}

// proxied returns the two ends of a connection through a proxy.
func proxied(t *testing.T, f duettest.Faults) (a, b duettest.Conn, p *duettest.Proxy) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p = duettest.StartProxy(t, l.Addr().String(), f)
	c, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	// The deadline ends the test if bytes never come. It is far longer than slow bytes take.
	limit := time.Now().Add(20 * time.Second)
	c.SetDeadline(limit)
	s.SetDeadline(limit)
	t.Cleanup(func() { c.Close(); s.Close() })
	return tcp{c.(*net.TCPConn)}, tcp{s.(*net.TCPConn)}, p
}

// overBoth runs a test over sockets and in memory.
func overBoth(t *testing.T, f duettest.Faults, test func(t *testing.T, a, b duettest.Conn)) {
	t.Helper()
	t.Run("tcp", func(t *testing.T) {
		a, b, _ := proxied(t, f)
		test(t, a, b)
	})
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := chaos(t, f)
			test(t, a, b)
		})
	})
}

// wantReset checks that err is the error of a reset. Windows has its own number for it.
func wantReset(t *testing.T, err error) {
	t.Helper()
	const wsaeConnReset = syscall.Errno(10054)
	if runtime.GOOS == "windows" && errors.Is(err, wsaeConnReset) {
		return
	}
	wantErr(t, "read", err, syscall.ECONNRESET)
}

func TestFaults_None(t *testing.T) {
	overBoth(t, duettest.Faults{}, func(t *testing.T, a, b duettest.Conn) {
		sendBothWays(t, a, b, 3<<20)
	})
}

func TestFaults_Pieces(t *testing.T) {
	overBoth(t, duettest.Faults{Up: smallPieces, Down: smallPieces}, func(t *testing.T, a, b duettest.Conn) {
		sendBothWays(t, a, b, 100_000)
	})
}

func TestFaults_PassReset(t *testing.T) {
	overBoth(t, duettest.Faults{}, func(t *testing.T, a, b duettest.Conn) {
		io.WriteString(a, "ping")
		io.ReadFull(b, make([]byte, 4))
		a.Reset()
		_, err := b.Read(make([]byte, 1))
		wantReset(t, err)
	})
	overBoth(t, duettest.Faults{}, func(t *testing.T, a, b duettest.Conn) {
		b.Reset()
		_, err := a.Read(make([]byte, 1))
		wantReset(t, err)
	})
	// A peer that has closed both directions answers bytes with a reset.
	overBoth(t, duettest.Faults{}, func(t *testing.T, a, b duettest.Conn) {
		io.WriteString(b, "last")
		b.Close()
		if got, err := io.ReadAll(a); err != nil || string(got) != "last" {
			t.Errorf("read %q, %v", got, err)
		}
		var err error
		for err == nil {
			_, err = a.Write(make([]byte, 1<<10))
		}
		if _, socket := a.(tcp); !socket {
			wantErr(t, "write", err, syscall.ECONNRESET)
		} else if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) && runtime.GOOS != "windows" {
			t.Errorf("write: %v", err)
		}
	})
}

func TestDirection_ResetAfter(t *testing.T) {
	f := duettest.Faults{Up: duettest.Direction{ResetAfter: 10}}
	overBoth(t, f, func(t *testing.T, a, b duettest.Conn) {
		io.WriteString(a, "0123456")
		io.WriteString(a, "789abcdef")
		got, err := io.ReadAll(b)
		wantReset(t, err)
		if string(got) != "0123456789" {
			t.Errorf("read %q, want the first ten bytes", got)
		}
		_, err = io.ReadAll(a)
		wantReset(t, err)
	})
}

func TestDirection_ResetAtOnce(t *testing.T) {
	f := duettest.Faults{Down: duettest.Direction{ResetAfter: duettest.AtOnce}}
	t.Run("tcp", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		wantResetAtOnce(t, duettest.StartProxy(t, l.Addr().String(), f))
	})
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := chaos(t, f)
			for _, c := range []net.Conn{a, b} {
				_, err := c.Read(make([]byte, 1))
				wantReset(t, err)
			}
		})
	})
}

// wantResetAtOnce checks that a connection is reset. The reset may come while the dial still runs.
func wantResetAtOnce(t *testing.T, p *duettest.Proxy) {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr)
	if err == nil {
		defer c.Close()
		c.SetDeadline(time.Now().Add(20 * time.Second))
		_, err = c.Read(make([]byte, 1))
	}
	wantReset(t, err)
}

func TestDirection_CutAfter(t *testing.T) {
	f := duettest.Faults{Down: duettest.Direction{CutAfter: 3}}
	overBoth(t, f, func(t *testing.T, a, b duettest.Conn) {
		io.WriteString(a, "question")
		io.ReadFull(b, make([]byte, 8))
		io.WriteString(b, "answer")
		if got, err := io.ReadAll(a); err != nil || string(got) != "ans" {
			t.Errorf("client read %q, %v", got, err)
		}
		if got, err := io.ReadAll(b); err != nil || len(got) != 0 {
			t.Errorf("server read %q, %v", got, err)
		}
	})
}

func TestDirection_HalfCloseAfter(t *testing.T) {
	f := duettest.Faults{Up: duettest.Direction{HalfCloseAfter: 3}}
	overBoth(t, f, func(t *testing.T, a, b duettest.Conn) {
		io.WriteString(a, "question")
		if got, err := io.ReadAll(b); err != nil || string(got) != "que" {
			t.Errorf("server read %q, %v", got, err)
		}
		io.WriteString(a, "into nowhere")
		io.WriteString(b, "answer")
		b.CloseWrite()
		if got, err := io.ReadAll(a); err != nil || string(got) != "answer" {
			t.Errorf("client read %q, %v", got, err)
		}
	})
}

func TestDirection_BlackHoleAfter(t *testing.T) {
	f := duettest.Faults{Up: duettest.Direction{BlackHoleAfter: 3}}
	overBoth(t, f, func(t *testing.T, a, b duettest.Conn) {
		io.WriteString(a, "question")
		got := make([]byte, 3)
		if _, err := io.ReadFull(b, got); err != nil || string(got) != "que" {
			t.Errorf("server read %q, %v", got, err)
		}
		a.CloseWrite()
		b.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if n, err := b.Read(got); n != 0 || !errors.Is(err, errTimeout) {
			t.Errorf("server read %d bytes, %v; want nothing, not even the end", n, err)
		}
		io.WriteString(b, "answer")
		b.CloseWrite()
		if got, err := io.ReadAll(a); err != nil || string(got) != "answer" {
			t.Errorf("client read %q, %v", got, err)
		}
	})
}

func TestDirection_FlipByte(t *testing.T) {
	f := duettest.Faults{Up: duettest.Direction{FlipByte: 5, Pieces: duettest.Pieces{Max: 3}}}
	overBoth(t, f, func(t *testing.T, a, b duettest.Conn) {
		sent := randomBytes(100, 3)
		a.Write(sent)
		a.CloseWrite()
		got, err := io.ReadAll(b)
		if err != nil {
			t.Fatal(err)
		}
		want := bytes.Clone(sent)
		want[4] ^= 1
		if !bytes.Equal(got, want) {
			t.Errorf("read %x, want %x", got, want)
		}
	})
}

func TestProxy_Methods(t *testing.T) {
	a, b, p := proxied(t, duettest.Faults{Up: duettest.Direction{BlackHoleAfter: duettest.AtOnce}})
	io.WriteString(b, "x") // when it has arrived, the proxy has the link
	io.ReadFull(a, make([]byte, 1))
	if n := p.Conns(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	p.SetFaults(duettest.Faults{})
	io.WriteString(a, "hello")
	got := make([]byte, 5)
	if _, err := io.ReadFull(b, got); err != nil || string(got) != "hello" {
		t.Errorf("after SetFaults read %q, %v", got, err)
	}
	p.Reset()
	for _, c := range []net.Conn{a, b} {
		_, err := c.Read(got)
		wantReset(t, err)
	}

	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if n := p.Conns(); n != 0 {
		t.Errorf("%d connections after Close", n)
	}
	if c, err := net.Dial("tcp", p.Addr); err == nil {
		c.Close()
		t.Error("the proxy still listens after Close")
	}
}

func TestProxy_CloseEndsConns(t *testing.T) {
	a, b, p := proxied(t, duettest.Faults{Up: duettest.Direction{Latency: time.Hour}})
	a.Write(make([]byte, 100))
	b.Write([]byte("x"))
	io.ReadFull(a, make([]byte, 1))
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	for _, c := range []net.Conn{a, b} {
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, errTimeout) {
			t.Errorf("read: %v, want an end", err)
		}
	}
}

func TestProxy_WithoutTarget(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	wantResetAtOnce(t, duettest.StartProxy(t, l.Addr().String(), duettest.Faults{}))
}
