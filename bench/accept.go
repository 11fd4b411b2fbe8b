package main

import (
	"os"
	"path/filepath"
)

// accept is how many conversations begin, greet and end.
type accept struct{}

func (accept) About() About {
	return About{
		Name: "accept",
		What: "8 clients at once, each of which connects, reads a greeting, says FIN, waits for the server's, and begins again, for 1.5 s; each greeting is compared",
		Columns: []Column{
			{Name: "accept", What: "conversations begun and ended", Unit: "per s", Target: "at least 0.7 of C, 30 times ncat"},
			{Name: "accept-p50", What: "half of them last", Unit: "µs", Digits: 1},
			{Name: "accept-p99", What: "99 of 100 last at most", Unit: "µs", Digits: 1},
		},
		Curve: "nanoseconds from connecting to the end, by quantile",
	}
}

func (accept) Subjects(lab *Lab) ([]Subject, error) {
	load, err := lab.load("greetload")
	if err != nil {
		return nil, err
	}
	duet, err := lab.duet()
	if err != nil {
		return nil, err
	}
	plain, err := lab.goReference("plain")
	if err != nil {
		return nil, err
	}
	servers := []server{{
		name: "duet", path: duet, duet: true,
		args: []string{"listen", "--discard", "--greeting", "hello", "--framing", "lf", "127.0.0.1:{}"},
	}}
	if c := lab.cReference("greet"); c != "" {
		servers = append(servers, server{name: "C, epoll", path: c, args: []string{"{}"}})
	}
	servers = append(servers, server{name: "Go, plain", path: plain, args: []string{"greet", "127.0.0.1:{}"}})
	if ncat, echo := lab.tool("ncat", "--version"), lab.tool("echo", "--version"); ncat != "" && echo != "" {
		servers = append(servers, server{name: "ncat -lk --exec echo", path: ncat, args: []string{"-l", "-k", "--exec", echo + " hello", "127.0.0.1", "{}"}})
	}
	if socat := lab.tool("socat", "-V"); socat != "" {
		greeting := filepath.Join(lab.dir, "greeting")
		if err := os.WriteFile(greeting, []byte("hello\n"), 0o600); err != nil {
			return nil, err
		}
		servers = append(servers, server{name: "socat, fork", path: socat, args: []string{"-U", "TCP-LISTEN:{},bind=127.0.0.1,fork,reuseaddr,backlog=128", "OPEN:" + greeting + ",rdonly"}})
	}
	var all []Subject
	for _, s := range servers {
		all = append(all, s.loaded(load, []string{"{}", "8", "1.5", "hello\n"}, func(r result) (Sample, error) {
			if r.numbers["count"] == 0 {
				return Sample{}, wrong("nobody was greeted")
			}
			return r.sample("accept", r.perSecond(r.numbers["count"]), 1e3), nil
		}))
	}
	return all, nil
}
