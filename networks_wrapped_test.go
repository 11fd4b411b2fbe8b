package duet_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// around is TCP with something around the connection on each side.
func around(dialled, accepted func(net.Conn) net.Conn) func(t *testing.T) (net.Listener, func() (net.Conn, error)) {
	return func(t *testing.T) (net.Listener, func() (net.Conn, error)) {
		t.Helper()
		l, dial := listenTCP(t)
		return &wrappingListener{l, accepted}, func() (net.Conn, error) {
			nc, err := dial()
			if err != nil {
				return nil, err
			}
			return dialled(nc), nil
		}
	}
}

type wrappingListener struct {
	net.Listener
	wrap func(net.Conn) net.Conn
}

func (l *wrappingListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.wrap(nc), nil
}

// A wrapped connection hides everything beside the methods of net.Conn.
type wrapped struct{ net.Conn }

func wrap(nc net.Conn) net.Conn { return wrapped{nc} }

func (w wrapped) plain() net.Conn { return w.Conn }

// A flipped connection has its own Read and Write and all other methods of a TCP connection. Read and Write flip the same
// bits, so that a byte that goes past one of them arrives as another byte.
type flipped struct{ *net.TCPConn }

func flip(nc net.Conn) net.Conn { return flipped{nc.(*net.TCPConn)} }

func (f flipped) Read(b []byte) (int, error) {
	n, err := f.TCPConn.Read(b)
	flipBits(b[:n])
	return n, err
}

func (f flipped) Write(b []byte) (int, error) {
	c := append([]byte(nil), b...)
	flipBits(c)
	return f.TCPConn.Write(c)
}

func flipBits(b []byte) {
	for i := range b {
		b[i] ^= 0xa5
	}
}

// A timeless connection takes deadlines and does nothing at them.
type timeless struct{ wrapped }

func forgetDeadlines(nc net.Conn) net.Conn { return timeless{wrapped{nc}} }

func (timeless) SetDeadline(time.Time) error      { return nil }
func (timeless) SetReadDeadline(time.Time) error  { return nil }
func (timeless) SetWriteDeadline(time.Time) error { return nil }

// An awaiting connection can be waited on. It keeps a byte that it has found, and an error, for Read. One goroutine reads.
type awaiting struct {
	wrapped
	r   *bufio.Reader
	err error
}

func await(nc net.Conn) net.Conn {
	return &awaiting{wrapped: wrapped{nc}, r: bufio.NewReaderSize(nc, 512)}
}

// AwaitRead waits until Read would not wait, or until the deadline for reading has passed.
func (a *awaiting) AwaitRead() error {
	if a.err != nil {
		return nil
	}
	_, err := a.r.Peek(1)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	a.err = err
	return nil
}

func (a *awaiting) Read(b []byte) (int, error) {
	if a.err != nil {
		return 0, a.err
	}
	return a.r.Read(b)
}

// certificate is made for localhost, once.
var certificate = sync.OnceValues(func() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0), // a bubble begins in the year 2000
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
})

// tlsConfigs are those of a client and of a server.
var tlsConfigs = sync.OnceValues(func() (client, server *tls.Config) {
	cert, err := certificate()
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	// A ticket would be a write that no test expects.
	return &tls.Config{RootCAs: roots, ServerName: "localhost"},
		&tls.Config{Certificates: []tls.Certificate{cert}, SessionTicketsDisabled: true}
})

func tlsClient(nc net.Conn) net.Conn { c, _ := tlsConfigs(); return tls.Client(nc, c) }

// tlsServer makes no handshake. The first Read or Write does.
func tlsServer(nc net.Conn) net.Conn { _, s := tlsConfigs(); return tls.Server(nc, s) }

// shakeHands makes the handshake of two ends that have one: without it a peer could say nothing before somebody reads.
func shakeHands(a, b net.Conn) error {
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, nc := range []net.Conn{a, b} {
		if c, ok := nc.(*tls.Conn); ok {
			wg.Go(func() { errs[i] = c.Handshake() })
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

// hasUnread reports whether what a connection sends by itself may not have been read. A close then sends a reset.
func hasUnread(nc net.Conn) bool {
	c, ok := nc.(*tls.Conn)
	return ok && !c.ConnectionState().HandshakeComplete
}
