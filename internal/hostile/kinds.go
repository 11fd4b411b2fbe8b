package hostile

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"time"
)

// A Kind is one way to mean harm.
type Kind struct {
	Name string
	// Weight is how often it comes, in relation to the others: those that take long come seldom.
	Weight int
	// Attack holds one session with the server at address. nil: it did what it came for. Otherwise how
	// the session ended before: io.EOF where the server closed it. It returns soon after ctx has ended.
	Attack func(ctx context.Context, address string, rng *rand.Rand) error
}

// MaxMessage is the --max-message beyond which a giant line goes.
const MaxMessage = 64 << 10

// Kinds are all of them.
func Kinds() []Kind {
	return []Kind{
		{"random bytes", 120, saying(randomBytes, glance)},
		{"TLS hello", 120, saying(tlsJunk, glance)},
		{"HTTP request", 120, saying(httpRequest, glance)},
		{"bad UTF-8", 120, saying(badText, glance)},
		{"line ends only", 60, saying(lineEnds, glance)},
		{"forged lines", 60, saying(forgedLines, glance)},
		{"farewells", 60, saying(farewells, untilEnd)},
		{"flood of tiny messages", 60, tinyFlood},
		{"giant line", 10, saying(giantLine, untilEnd)},
		{"closed at once", 120, saying(nothing, leave)},
		{"reset at once", 120, saying(nothing, reset)},
		{"reset after some bytes", 120, saying(someBytes, reset)},
		{"half-close", 60, saying(someBytes, halfClose)},
		{"half a hello", 12, saying(halfHello, silence)},
		{"reads nothing", 3, readsNothing},
		{"a byte a second", 4, trickle},
		{"partial lines", 4, partialLines},
		{"ghosts", 12, ghosts},
		{"byte at a time", 6, byteAtATime},
		{"more than descriptors", 1, crowd},
	}
}

// RoomKinds are those for a server whose peers hear each other; some use its rooms. What a peer says in a room goes to all
// its members, and a member that is too slow misses some: no peer says as much in the first room as would drown the others.
func RoomKinds() []Kind {
	kinds := Kinds()
	for i, k := range kinds {
		if k.Name == "reads nothing" {
			kinds[i].Attack = hearsNothing
		}
	}
	return append(kinds, Kind{"room hopping", 4, roomHopping})
}

// saying makes an attack of what is said and what is done then.
func saying(words func(*rand.Rand) []byte, then func(context.Context, *peer, *rand.Rand) error) func(context.Context, string, *rand.Rand) error {
	return func(ctx context.Context, address string, rng *rand.Rand) error {
		p, err := dial(ctx, address)
		if err != nil {
			return err
		}
		defer p.close()
		if err := p.say(words(rng), rng); err != nil {
			return err
		}
		return then(ctx, p, rng)
	}
}

func nothing(*rand.Rand) []byte { return nil }

func randomBytes(rng *rand.Rand) []byte {
	b := make([]byte, 1+rng.IntN(4096))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func someBytes(rng *rand.Rand) []byte { return randomBytes(rng)[:1] }

// tlsJunk begins as a ClientHello does (RFC 8446, 5.1) and goes on as nothing does.
func tlsJunk(rng *rand.Rand) []byte {
	junk := randomBytes(rng)
	return append([]byte{0x16, 0x03, 0x01, byte(len(junk) >> 8), byte(len(junk)), 0x01}, junk...)
}

func halfHello(rng *rand.Rand) []byte { return tlsJunk(rng)[:1+rng.IntN(6)] }

func httpRequest(rng *rand.Rand) []byte {
	verb := []string{"GET / HTTP/1.1", "POST /cgi-bin/x HTTP/1.0", "CONNECT a:1 HTTP/1.1", "PRI * HTTP/2.0"}[rng.IntN(4)]
	return []byte(verb + "\r\nHost: x\r\nUser-Agent: " + strings.Repeat("a", rng.IntN(2000)) + "\r\n\r\n")
}

// badText is made of what is no UTF-8 and of what a terminal would obey.
func badText(rng *rand.Rand) []byte {
	bad := []string{
		"\xff\xfe", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe4\xbd", "\x80\x80\x80", "\u202e\u2066", "\u200b",
		"\x1b]52;c;aGVsbG8=\x07", "\x1b[2J\x1b[H", "\x9b31m", "\x1b]0;title\x07", "\x00", "\x08\x08", "\x0e", "\n", "\r",
		"e\u0301\u0301\u0301\u0301\u0301\u0301", "ok",
	}
	var b bytes.Buffer
	for range 1 + rng.IntN(100) {
		b.WriteString(bad[rng.IntN(len(bad))])
	}
	return b.Bytes()
}

func lineEnds(rng *rand.Rand) []byte {
	b := make([]byte, 1+rng.IntN(300))
	for i := range b {
		b[i] = "\r\n\n\x00"[rng.IntN(4)]
	}
	return b
}

// forgedLines are what a server's operator reads from the server itself: who counts those must not count these.
func forgedLines(*rand.Rand) []byte {
	return []byte("The Server has received a connection from 127.0.0.1: 1\n" +
		"\rThe conversation with client 1 (127.0.0.1: 1) has ended: reset\n" +
		"\x0bduet: error: panic: not really\r\n【Client 1】 canary\r")
}

func farewells(rng *rand.Rand) []byte {
	return []byte(strings.Repeat([]string{"bye\n", "BYE\r\n", " bye \n", "bye"}[rng.IntN(4)], 1+rng.IntN(200)))
}

func giantLine(rng *rand.Rand) []byte {
	return bytes.Repeat([]byte{"x\x1b\xff "[rng.IntN(4)]}, MaxMessage+1+rng.IntN(MaxMessage))
}

// glance takes a look at what the server answers, and leaves.
func glance(_ context.Context, p *peer, rng *rand.Rand) error {
	_, err := p.hear(time.Duration(rng.IntN(20)) * time.Millisecond)
	return err
}

func leave(context.Context, *peer, *rand.Rand) error { return nil }

func reset(_ context.Context, p *peer, _ *rand.Rand) error {
	p.abort()
	return nil
}

// silence says no more for a while.
func silence(ctx context.Context, p *peer, rng *rand.Rand) error {
	return p.hearAll(ctx, time.Duration(50+rng.IntN(300))*time.Millisecond)
}

func halfClose(ctx context.Context, p *peer, _ *rand.Rand) error {
	if err := p.finish(); err != nil {
		return err
	}
	return p.hearAll(ctx, 2*time.Second)
}

// untilEnd waits for the server to end it, for a while.
func untilEnd(ctx context.Context, p *peer, _ *rand.Rand) error {
	return p.hearAll(ctx, 300*time.Millisecond)
}

// tinyFlood sends each message in a packet of its own.
func tinyFlood(ctx context.Context, address string, rng *rand.Rand) error {
	p, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer p.close()
	for range 50 + rng.IntN(200) {
		if _, err := io.WriteString(p.conn, "x\n"); err != nil {
			return err
		}
	}
	return nil
}

// readsNothing asks for as much as it can, takes next to nothing of it, and waits to be ended. Of a server that
// gives nothing back there is nothing to leave unread.
func readsNothing(ctx context.Context, address string, _ *rand.Rand) error {
	const most = 64 << 20 // more than the system holds on both sides, by far
	p, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer p.close()
	_ = p.conn.SetReadBuffer(4 << 10)
	line := []byte(strings.Repeat("more ", 400) + "\n")
	for sent := 0; sent < most; sent += len(line) {
		if sent == 100*len(line) {
			if n, err := p.hear(300 * time.Millisecond); n < len(line)/2 {
				return err
			}
		}
		if err := p.push(line, 3*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// hearsNothing says a quarter of a megabyte, and reads nothing of what others say for longer than a server should wait for that.
func hearsNothing(ctx context.Context, address string, rng *rand.Rand) error {
	p, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer p.close()
	_ = p.conn.SetReadBuffer(4 << 10)
	line := []byte(strings.Repeat("more ", 400) + "\n")
	for sent := 0; sent < 256<<10; sent += len(line) {
		if err := p.push(line, 3*time.Second); err != nil {
			return err
		}
	}
	return wait(ctx, time.Second+time.Duration(rng.IntN(1000))*time.Millisecond)
}

func trickle(ctx context.Context, address string, rng *rand.Rand) error {
	p, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer p.close()
	for range 1 + rng.IntN(2) {
		if _, err := p.conn.Write([]byte{byte(rng.Uint32())}); err != nil {
			return err
		}
		if err := p.hearAll(ctx, time.Second); err != nil {
			return err
		}
	}
	return nil
}

// crowdSize is more than the descriptors that a server under a storm is given.
const crowdSize = 500

// crowd holds more connections than the server has descriptors: as many as come in at once.
func crowd(ctx context.Context, address string, _ *rand.Rand) error {
	for range crowdSize {
		knock, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		c, err := new(net.Dialer).DialContext(knock, "tcp", address)
		cancel()
		switch {
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case err != nil: // the server is full
			return nil
		}
		defer func() { _ = c.Close() }()
	}
	return nil
}
