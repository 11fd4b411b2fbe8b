package room_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"duet.example/duet"
	"duet.example/duet/framing"
	"duet.example/duet/room"
)

// serve has a server of h listen on loopback until the test ends.
func serve(t testing.TB, h duet.Handler, opts ...func(*duet.Server)) (s *duet.Server, address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l, h, opts...)
}

// A narrow listener's connections hold little in the system.
type narrow struct{ net.Listener }

func (n narrow) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if err == nil {
		err = c.(*net.TCPConn).SetWriteBuffer(64 << 10)
	}
	return c, err
}

func serveOn(t testing.TB, l net.Listener, h duet.Handler, opts ...func(*duet.Server)) (s *duet.Server, address string) {
	s = &duet.Server{Handler: h}
	for _, o := range opts {
		o(s)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	return s, l.Addr().String()
}

func dial(t testing.TB, address string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetReadDeadline(time.Now().Add(2 * patience))
	return c.(*net.TCPConn)
}

// A dialect is a framing, and how a plain program speaks it.
type dialect struct {
	framing framing.Framing
	end     string // of lines that come
	speak   string // and of those that go; empty where they are sent as length
}

func (d dialect) write(w io.Writer, line string) error {
	b := []byte(line + d.speak)
	if d.framing == framing.Length {
		b = append(binary.BigEndian.AppendUint32(nil, uint32(len(line))), line...)
	}
	_, err := w.Write(b)
	return err
}

func (d dialect) read(r *bufio.Reader) (string, error) {
	if d.framing == framing.Length {
		var n [4]byte
		if _, err := io.ReadFull(r, n[:]); err != nil {
			return "", err
		}
		b := make([]byte, binary.BigEndian.Uint32(n[:]))
		_, err := io.ReadFull(r, b)
		return string(b), err
	}
	line := ""
	for !strings.HasSuffix(line, d.end) {
		part, err := r.ReadString(d.end[len(d.end)-1])
		if err != nil {
			return line, err
		}
		line += part
	}
	return strings.TrimSuffix(line, d.end), nil
}

var dialects = []dialect{
	{framing.LF, "\n", "\n"},
	{framing.CRLF, "\r\n", "\r\n"},
	{framing.CR, "\r", "\r"},
	{framing.NUL, "\x00", "\x00"},
	{framing.Length, "", ""},
	{framing.Auto, "\n", "\n"},
	{framing.Auto, "\r\n", "\r\n"},
	{framing.Raw, "\n", ""},
	{framing.WithEOL(framing.LF, []byte(";;")), ";;", "\n"},
}

// A witness is a member over a socket.
type witness struct {
	dialect
	conn *net.TCPConn
	in   *bufio.Reader
	name string
}

// witnesses are n members of each dialect, with names, who all have heard of each other.
func witnesses(t *testing.T, h *room.Hall, n int) []*witness {
	t.Helper()
	var all []*witness
	for i, d := range dialects {
		_, address := serve(t, h, func(s *duet.Server) { s.Framing = d.framing })
		for j := range n {
			w := &witness{dialect: d, name: fmt.Sprintf("member%d-%c", i, 'a'+j)}
			w.conn = dial(t, address)
			w.in = bufio.NewReader(w.conn)
			if err := d.write(w.conn, "/nick "+w.name); err != nil {
				t.Fatal(err)
			}
			w.until(t, " is "+w.name+" from now on")
			all = append(all, w)
		}
	}
	for _, w := range all[:len(all)-1] {
		w.until(t, " is "+all[len(all)-1].name+" from now on")
	}
	return all
}

// until takes lines up to one that ends so.
func (w *witness) until(t *testing.T, end string) {
	t.Helper()
	for {
		line, err := w.read(w.in)
		if err != nil {
			t.Fatalf("%s (%v): waiting for %q: %v", w.name, w.framing, end, err)
		}
		if strings.HasSuffix(line, end) {
			return
		}
	}
}

// Members of all framings hear every line, once, in each sender's order and all in the same, while others come and go.
func TestEverybodyHearsAll(t *testing.T) {
	const lines = 300
	h := new(room.Hall)
	all := witnesses(t, h, 2)
	var coming sync.WaitGroup
	stop := make(chan struct{})
	_, address := serve(t, h)
	for range 2 {
		coming.Go(func() {
			for {
				c, err := net.Dial("tcp", address)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(c, "/join elsewhere\n/part\n")
				_, _ = io.ReadFull(c, make([]byte, 40))
				_ = c.Close()
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	var senders []*witness
	for _, w := range all {
		if w.framing != framing.Raw && strings.HasSuffix(w.name, "a") {
			senders = append(senders, w)
		}
	}
	var wg sync.WaitGroup
	heard := make([][]string, len(all))
	for i, w := range all {
		wg.Go(func() {
			want := lines * len(senders)
			if slices.Contains(senders, w) {
				want -= lines
			}
			for len(heard[i]) < want {
				line, err := w.read(w.in)
				if err != nil {
					t.Errorf("%s (%v) after %d of %d lines: %v", w.name, w.framing, len(heard[i]), want, err)
					return
				}
				if strings.HasPrefix(line, "member") {
					heard[i] = append(heard[i], line)
				}
			}
		})
	}
	for _, w := range senders {
		wg.Go(func() {
			for n := range lines {
				if err := w.write(w.conn, fmt.Sprintf("line %d", n)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	coming.Wait()
	whole := heard[1] // by one that only listens
	next := map[string]int{}
	for _, line := range whole {
		from, said, _ := strings.Cut(line, ": ")
		if want := fmt.Sprintf("line %d", next[from]); said != want {
			t.Fatalf("%s: %q, want %q", from, said, want)
		}
		next[from]++
	}
	for i, w := range all {
		others := slices.DeleteFunc(slices.Clone(whole), func(line string) bool { return strings.HasPrefix(line, w.name+":") })
		if !slices.Equal(heard[i], others) {
			t.Errorf("%s (%v) has heard other lines, or in another order", w.name, w.framing)
		}
	}
}

// What an operator does to a framing, and what auto learns, counts from the next line on.
func TestFramingChangesInMidConversation(t *testing.T) {
	h := new(room.Hall)
	s, address := serve(t, h, func(s *duet.Server) { s.Framing = framing.Auto })
	c := dial(t, address)
	in := bufio.NewReader(c)
	read := func(delim byte, want string) {
		t.Helper()
		got, err := in.ReadString(delim)
		if err != nil || got != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
	read('\n', "-- you are guest-1 in lobby; nobody else is here; /help shows the commands\n")
	speak(t, h, "ops", "one")
	read('\n', "@ops: one\n")
	if _, err := c.Write([]byte("/who\r\n")); err != nil {
		t.Fatal(err)
	}
	read('\n', "-- 2 are in lobby: @ops, guest-1\r\n")
	speak(t, h, "ops", "two")
	read('\n', "@ops: two\r\n")
	for conn := range s.Conns() {
		conn.SetFraming(framing.NUL)
		h.Reframed(conn)
	}
	speak(t, h, "ops", "three")
	read('\x00', "@ops: three\x00")
}

func TestRelayIsExact(t *testing.T) {
	var said bytes.Buffer
	h := &room.Hall{Relay: true, History: 10, Watch: room.Watch{
		Said: func(_ *duet.Conn, _ string, text []byte) { said.Write(text) },
	}}
	_, address := serve(t, h, func(s *duet.Server) { s.Framing = framing.CRLF })
	from, to, also := dial(t, address), dial(t, address), dial(t, address)
	for _, c := range []net.Conn{from, to, also} {
		untilMember(t, h, c)
	}
	speak(t, h, "ops", "go!")
	for _, c := range []net.Conn{from, to, also} {
		for b, seen := make([]byte, 1), ""; !strings.HasSuffix(seen, "go!\n"); seen += string(b) {
			if _, err := io.ReadFull(c, b); err != nil {
				t.Fatal(err)
			}
		}
	}
	chunk := make([]byte, 1<<20)
	for i := range chunk {
		chunk[i] = byte(i * i >> 3)
	}
	go func() {
		for rest := chunk; len(rest) > 0; {
			n := min(len(rest), 1+len(rest)%7919)
			if _, err := from.Write(rest[:n]); err != nil {
				t.Error(err)
				return
			}
			rest = rest[n:]
		}
		_ = from.CloseWrite()
	}()
	for _, c := range []net.Conn{to, also} {
		got := make([]byte, len(chunk))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, chunk) {
			t.Fatalf("other bytes have come: %v", err)
		}
	}
	if rest, err := io.ReadAll(from); err != nil || len(rest) > 0 { // not its own, and no announcement
		t.Errorf("the sender got %.40q, %v", rest, err)
	}
	if _, err := h.Speak(t.Context(), "ops", "/who"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(to, got); err != nil || string(got) != "/who\n" {
		t.Errorf("%q, %v", got, err)
	}
	if !bytes.Equal(said.Bytes(), chunk) {
		t.Error("the watch heard other bytes")
	}
}

// untilMember comes back when c hears what is said.
func untilMember(t *testing.T, h *room.Hall, c net.Conn) {
	t.Helper()
	for {
		speak(t, h, "ops", "x")
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		n, err := c.Read(make([]byte, 1))
		if n > 0 {
			_ = c.SetReadDeadline(time.Now().Add(patience))
			return
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
}

func TestShutdownIdleAndReset(t *testing.T) {
	h := new(room.Hall)
	s, address := serve(t, h, farewell)
	_, idle := serve(t, h, func(s *duet.Server) { s.IdleTimeout = 50 * time.Millisecond })
	a := bufio.NewReader(dial(t, address))
	line := func() string {
		t.Helper()
		got, err := a.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(got, "\n")
	}
	line()
	b := dial(t, idle)
	if got := line(); !strings.HasSuffix(got, " has joined") {
		t.Fatal(got)
	}
	if got := line(); !strings.HasSuffix(got, " has left: idle") {
		t.Fatal(got)
	}
	_ = b.Close()
	c := dial(t, address)
	if got := line(); !strings.HasSuffix(got, " has joined") {
		t.Fatal(got)
	}
	_ = c.SetLinger(0)
	_ = c.Close()
	if got := line(); !strings.HasSuffix(got, " has left: reset") {
		t.Fatal(got)
	}
	dial(t, address)
	if got := line(); !strings.HasSuffix(got, " has joined") {
		t.Fatal(got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if got := line(); got != "Bye" && got != "bye" {
		t.Errorf("at shutdown: %q", got)
	}
}
