//go:build linux

package interop_test

import (
	"os/exec"
	"testing"
	"time"
)

const mib = 1 << 20

// A piper is a tool that passes bytes between TCP and its standard streams.
type piper struct {
	name            string
	connect, listen []string // PORT is the port
	// quits: where it listens, it ends when its peer has finished, whatever is left on its own stdin, and throws that away: nc
	// 1.219 (once its queues are empty for a moment) and ncat 7.93 are made so. There it must finish first.
	quits bool
}

// nc tells its peer of the end of its stdin only with -N. ncat does unless --no-shutdown is given. socat gives
// the other direction half a second after the end of one, unless -t says how long.
var pipers = []piper{
	{"nc", []string{"nc.openbsd", "-N", "127.0.0.1", "PORT"}, []string{"nc.openbsd", "-N", "-l", "127.0.0.1", "PORT"}, true},
	{"ncat", []string{"ncat", "127.0.0.1", "PORT"}, []string{"ncat", "-l", "127.0.0.1", "PORT"}, true},
	{"socat", []string{"socat", "-t60", "-", "TCP:127.0.0.1:PORT"}, []string{"socat", "-t60", "-", "TCP-LISTEN:PORT,bind=127.0.0.1"}, false},
}

// meet starts duet and the tool as each other's peer. port is the server's.
func meet(t *testing.T, tl piper, duetListens bool, flags ...string) (d, p *pipeline, port string) {
	t.Helper()
	if duetListens {
		d = pipes(t, duetPath, append(append([]string{"listen"}, flags...), "127.0.0.1:0")...)
		port = d.port(d.err)
		a := forPort(tl.connect, port)
		return d, pipes(t, a[0], a[1:]...), port
	}
	port = freePort(t)
	a := forPort(tl.listen, port)
	p = pipes(t, a[0], a[1:]...)
	awaitListener(t, p.program, port)
	return pipes(t, duetPath, append(append([]string{"connect"}, flags...), "127.0.0.1", port)...), p, port
}

// eachPair runs a test for duet and each tool in both roles.
func eachPair(t *testing.T, f func(t *testing.T, tl piper, duetListens bool)) {
	t.Helper()
	for _, tl := range pipers {
		t.Run("duet connects to "+tl.name, func(t *testing.T) {
			t.Parallel()
			f(t, tl, false)
		})
		t.Run(tl.name+" connects to duet", func(t *testing.T) {
			t.Parallel()
			f(t, tl, true)
		})
	}
}

// 64 MiB each way at once.
func TestPipe_AtOnce(t *testing.T) {
	const n = 64 * mib
	eachPair(t, func(t *testing.T, tl piper, duetListens bool) {
		d, p, _ := meet(t, tl, duetListens)
		fromTool, fromDuet := catch(d.stdout, n), catch(p.stdout, n)
		var hold chan struct{}
		if tl.quits && !duetListens {
			hold = fromTool.arrived
		}
		up := pour(d.stdin, n, 1, hold)
		down := pour(p.stdin, n, 2, nil)
		wantSame(t, "to duet", down, fromTool, patience)
		wantSame(t, "from duet", up, fromDuet, patience)
		d.ends(0)
		p.ends(0)
	})
}

// One side sends 64 MiB and finishes; only then the other one begins.
func TestPipe_AfterHalfClose(t *testing.T) {
	eachPair(t, func(t *testing.T, tl piper, duetListens bool) {
		t.Run("duet finishes first", func(t *testing.T) {
			if tl.quits && !duetListens {
				quitsEarly(t, tl)
				return
			}
			d, p, port := meet(t, tl, duetListens)
			oneThenOther(t, d, p, port, 64*mib)
		})
		t.Run(tl.name+" finishes first", func(t *testing.T) {
			d, p, port := meet(t, tl, duetListens, "--half-open", "30s")
			oneThenOther(t, p, d, port, 64*mib)
		})
	})
}

func oneThenOther(t *testing.T, first, second *pipeline, port string, n int64) {
	t.Helper()
	sent, caught := pour(first.stdin, n, 3, nil), catch(second.stdout, n)
	select {
	case <-caught.arrived:
	case <-time.After(2 * patience):
		t.Fatal("the first bytes do not arrive")
	}
	awaitHalfClosed(t, port)
	answer, back := pour(second.stdin, n, 4, nil), catch(first.stdout, n)
	wantSame(t, "before", sent, caught, 2*patience)
	wantSame(t, "after", answer, back, 2*patience)
	first.ends(0)
	second.ends(0)
}

// awaitHalfClosed waits until the one end of a connection has finished and the system at the other one knows it.
func awaitHalfClosed(t *testing.T, port string) {
	t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		out, err := exec.Command("ss", "-Htn", "state", "fin-wait-2", "( sport = :"+port+" or dport = :"+port+" )").Output()
		if err != nil {
			t.Fatalf("ss: %v", err)
		}
		if len(out) > 0 {
			return
		}
	}
	t.Fatal("nobody has finished")
}

// quitsEarly: duet finishes first, and a tool that listens ends with that. It has all that duet sent, and duet ends well.
func quitsEarly(t *testing.T, tl piper) {
	t.Helper()
	const n = 64 * mib
	d, p, _ := meet(t, tl, false)
	nothing := catch(d.stdout, 0)
	wantSame(t, "to the tool", pour(d.stdin, n, 3, nil), catch(p.stdout, n), patience)
	p.ends(0)
	d.ends(0)
	if got := <-nothing.done; got.n != 0 {
		t.Errorf("%d bytes came from a tool that sent none", got.n)
	}
}

// Between two duets: 1 GiB each way at once.
func TestPipe_Duet(t *testing.T) {
	const n = 1024 * mib
	d, p, _ := meet(t, twoDuets(), true)
	fromClient, fromServer := catch(d.stdout, n), catch(p.stdout, n)
	down := pour(d.stdin, n, 5, nil)
	up := pour(p.stdin, n, 6, nil)
	wantSame(t, "to the client", down, fromServer, 2*patience)
	wantSame(t, "to the server", up, fromClient, 2*patience)
	d.ends(0)
	p.ends(0)
}

// twoDuets is duet itself as the client, as a tool.
func twoDuets(flags ...string) piper {
	return piper{name: "duet", connect: append(append([]string{duetPath, "connect"}, flags...), "127.0.0.1", "PORT")}
}

// Between two duets: 1 GiB one way, half-close, and 1 GiB the other way.
func TestPipe_DuetAfterHalfClose(t *testing.T) {
	const n = 1024 * mib
	flags := []string{"--half-open", "30s"}
	t.Run("server finishes first", func(t *testing.T) {
		t.Parallel()
		d, p, port := meet(t, twoDuets(flags...), true, flags...)
		oneThenOther(t, d, p, port, n)
	})
	t.Run("client finishes first", func(t *testing.T) {
		t.Parallel()
		d, p, port := meet(t, twoDuets(flags...), true, flags...)
		oneThenOther(t, p, d, port, n)
	})
}

// printf 'question\n' | duet connect prints the whole answer of a server that answers only when it has
// read to the end of the question. (ncat 7.93 -l -c is no such server: it closes when its peer has
// finished, and nc gets no answer from it either.)
func TestPipe_Question(t *testing.T) {
	const answer = "seq 200000" // 1.3 MB
	want, err := exec.Command("sh", "-c", answer).Output()
	if err != nil {
		t.Fatal(err)
	}
	for name, server := range map[string][]string{
		"python": {"python3", "testdata/answerer.py", "PORT"},
		"socat":  {"socat", "-t60", "TCP-LISTEN:PORT,bind=127.0.0.1", "SYSTEM:cat >&2; " + answer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := freePort(t)
			a := forPort(server, port)
			s := run(t, a[0], a[1:]...)
			awaitListener(t, s, port)
			d := duet(t, "connect", "127.0.0.1", port)
			d.types("question")
			closeInput(d)
			d.ends(0)
			s.warns("question\n")
			if got := d.out.text(); got != string(want) {
				t.Errorf("%d bytes of the answer came, want %d", len(got), len(want))
			}
		})
	}
}
