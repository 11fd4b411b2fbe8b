package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// idleMany is what the same conversations cost as their number grows.
type idleMany struct{}

func (idleMany) About() About {
	return About{
		Name: "idle-many",
		What: "conversations that have spoken once and wait, up to 19,000 in one process (fewer where a process may have fewer descriptors, or the tool bears fewer): memory at several sizes, the slope between two of them, and how fast they came; each answer is compared",
		Columns: []Column{
			{Name: "idle-many", What: "memory for one more between 5,000 and 19,000, in user space", Unit: "bytes", Target: "4,500, aim 3,900"},
			{Name: "idle-many-kernel", What: "the same in the kernel (Slab, both ends)", Unit: "bytes"},
			{Name: "idle-many-rate", What: "connected, spoken and answered", Unit: "per s"},
		},
		Curve: "bytes in user space by conversations",
	}
}

func (idleMany) Subjects(lab *Lab) ([]Subject, error) {
	load, err := lab.load("crowd")
	if err != nil {
		return nil, err
	}
	duet, err := lab.duet()
	if err != nil {
		return nil, err
	}
	floor, err := lab.goReference("idle")
	if err != nil {
		return nil, err
	}
	sizes, most := growing(19000, descriptors()), []string{"--backlog", "4096", "--max-conns", "19500", "127.0.0.1:{}"}
	lf := []string{"--framing", "lf"}
	command := func(name string, args ...string) server {
		return server{name: name, path: duet, args: append(append(append([]string{"listen"}, args...), lf...), most...), duet: true}
	}
	all := []Subject{
		throng{sizes: sizes, word: word, echoes: true}.at(command("duet", "--echo"), load),
		throng{sizes: sizes, word: word, greeting: "Can I help you?\n", prints: true}.at(command("duet, desk", "--console"), load),
	}
	if lab.knows(duet, "--room") {
		all = append(all, throng{sizes: sizes, says: true}.at(command("duet, room", "--room"), load))
	}
	all = append(all, throng{sizes: sizes, word: word, echoes: true}.at(server{name: "Go, goroutine and connection alone", path: floor, args: []string{"127.0.0.1:{}"}}, load))
	if c := lab.cReference("idle"); c != "" {
		all = append(all, throng{sizes: sizes, word: word, echoes: true}.at(server{name: "C, epoll", path: c, args: []string{"{}"}}, load))
	}
	if ncat := lab.tool("ncat", "--version"); ncat != "" {
		s := server{name: "ncat -lk, up to 900", path: ncat, args: []string{"-l", "-k", "--max-conns", "1000", "127.0.0.1", "{}"}}
		all = append(all, throng{sizes: []int{50, 200, 500, 900}, word: word, prints: true, step: ncatQueue}.at(s, load))
	}
	if socat := lab.tool("socat", "-V"); socat != "" {
		s := server{name: "socat, fork, up to 250", path: socat, args: []string{"TCP-LISTEN:{},bind=127.0.0.1,fork,reuseaddr,backlog=500", "PIPE"}}
		all = append(all, throng{sizes: []int{25, 50, 100, 250}, word: word, echoes: true}.at(s, load))
	}
	return all, nil
}

// growing are four sizes; the slope is taken between the second and the last. A process has some descriptors of its own.
func growing(most, descriptors int) []int {
	most = min(most, descriptors-500)
	return []int{most / 19, most * 5 / 19, most * 10 / 19, most}
}

// A throng is a crowd whose peers are in a process of their own.
type throng struct {
	sizes    []int
	word     string // what each says; "" for nothing
	greeting string // what the server says first
	echoes   bool   // the server says the word back
	prints   bool   // the server prints the word
	step     int    // so many at once, where the server does not answer and its queue is short; 0 for all
	says     bool   // one speaks when all are there, and all others hear it
}

func (h throng) at(s server, load string) Subject {
	return s.measured(func(ctx context.Context, p *process, port string) (Sample, error) {
		l, err := h.peers(ctx, load, port)
		if err != nil {
			return Sample{}, err
		}
		defer l.end()
		return h.grow(ctx, p, l)
	})
}

func (h throng) grow(ctx context.Context, p *process, l *peers) (Sample, error) {
	var curve []Point
	var kernel []int64
	var took time.Duration
	there := 0
	for _, size := range h.sizes {
		for there < size {
			next := size
			if h.step > 0 {
				next = min(size, there+h.step)
			}
			began := time.Now()
			if _, err := l.ask("grow %d", next); err != nil {
				return Sample{}, err
			}
			if err := (crowd{prints: h.prints}).heard(ctx, p, next); err != nil {
				return Sample{}, err
			}
			took += time.Since(began)
			there = next
		}
		if h.says {
			if _, err := l.ask("say"); err != nil {
				return Sample{}, err
			}
		}
		used, err := p.settled(ctx)
		if err != nil {
			return Sample{}, err
		}
		curve = append(curve, Point{float64(size), float64(used)})
		kernel = append(kernel, kernelMemory())
	}
	last := len(curve) - 1
	more := curve[last].X - curve[1].X
	s := Sample{Curve: curve, Figures: map[string]float64{"idle-many": (curve[last].Y - curve[1].Y) / more}}
	if kernel[last] > 0 {
		s.Figures["idle-many-kernel"] = float64(kernel[last]-kernel[1]) / more
	}
	// Who says nothing is connected as soon as the kernel has it; and steps cost what they cost.
	if h.word != "" && h.step == 0 {
		s.Figures["idle-many-rate"] = curve[last].X / took.Seconds()
	}
	return s, nil
}

// peers are the process that plays them.
type peers struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	says tail
}

func (h throng) peers(ctx context.Context, load, port string) (*peers, error) {
	args := []string{port, h.word, h.greeting}
	if h.echoes {
		args = append(args, "echo")
	}
	l := &peers{cmd: exec.CommandContext(ctx, load, args...)}
	l.cmd.Stderr = &l.says
	l.cmd.WaitDelay = time.Second
	in, err := l.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	l.in, l.out = in, bufio.NewReader(out)
	return l, l.cmd.Start()
}

// ask gives a command and waits for its answer, whose last word are the nanoseconds it took.
func (l *peers) ask(format string, args ...any) (float64, error) {
	_, err := fmt.Fprintf(l.in, format+"\n", args...)
	var line string
	if err == nil {
		line, err = l.out.ReadString('\n')
	}
	if err != nil {
		_ = l.in.Close()
		if exit := l.cmd.Wait(); exit != nil {
			err = exit
		}
		return 0, loadError(err, l.says.String())
	}
	var ns float64
	words := strings.Fields(line)
	if _, err := fmt.Sscan(words[len(words)-1], &ns); err != nil {
		return 0, fmt.Errorf("the load program says %q", line)
	}
	return ns, nil
}

func (l *peers) end() {
	_ = l.in.Close()
	_ = l.cmd.Wait()
}
