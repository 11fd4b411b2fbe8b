package main

import "strconv"

// echo is so many conversations, in each of which a message goes out when the one before has come back.
type echo struct{ conns int }

func (e echo) name() string { return "echo-" + strconv.Itoa(e.conns) }

func (e echo) About() About {
	target := map[int]string{1: "at least 0.65 of C, 3 times ncat and socat", 64: "at least 0.7 of C, twice ncat"}[e.conns]
	what := "64 conversations"
	switch e.conns {
	case 1:
		what = "one conversation"
	case 1000:
		what = "1,000 conversations"
	}
	return About{
		Name: e.name(),
		What: what + " in which a message of 64 bytes goes out when the one before has come back, for 1.5 s; each answer is compared",
		Columns: []Column{
			{Name: e.name(), What: "messages answered", Unit: "per s", Target: target},
			{Name: e.name() + "-p50", What: "half of the answers are there within", Unit: "µs", Digits: 1},
			{Name: e.name() + "-p99", What: "99 of 100 answers are there within", Unit: "µs", Digits: 1},
		},
		Curve: "nanoseconds until the answer, by quantile",
	}
}

const echoSeconds = "1.5"

func (e echo) Subjects(lab *Lab) ([]Subject, error) {
	load, err := lab.load("echoload")
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
	servers := []server{
		{name: "duet, bytes", path: duet, args: []string{"listen", "--echo", "127.0.0.1:{}"}, duet: true},
		{name: "duet, messages", path: duet, args: []string{"listen", "--echo", "--framing", "lf", "127.0.0.1:{}"}, duet: true},
	}
	if c := lab.cReference("idle"); c != "" {
		servers = append(servers, server{name: "C, epoll", path: c, args: []string{"{}"}})
	}
	servers = append(servers, server{name: "Go, plain", path: plain, args: []string{"echo", "127.0.0.1:{}"}})
	cat := lab.tool("cat", "--version")
	// A thousand programs of ncat's are more descriptors than it bears.
	if ncat := lab.tool("ncat", "--version"); ncat != "" && cat != "" && e.conns < 1000 {
		servers = append(servers, server{name: "ncat -lk --exec cat", path: ncat, args: []string{"-l", "-k", "--exec", cat, "127.0.0.1", "{}"}})
	}
	if socat := lab.tool("socat", "-V"); socat != "" {
		servers = append(servers, server{name: "socat, fork, PIPE", path: socat, args: []string{"TCP-LISTEN:{},bind=127.0.0.1,fork,reuseaddr,nodelay,backlog=1000", "PIPE"}})
	}
	var all []Subject
	for _, s := range servers {
		all = append(all, s.loaded(load, []string{"{}", strconv.Itoa(e.conns), echoSeconds}, e.sample))
	}
	return all, nil
}

func (e echo) sample(r result) (Sample, error) {
	if r.numbers["count"] == 0 {
		return Sample{}, wrong("nothing was answered")
	}
	return r.sample(e.name(), r.perSecond(r.numbers["count"]), 1e3), nil
}

// sample is a rate, and the median and the 99th percentile of a distribution in units of so many nanoseconds.
func (r result) sample(name string, rate, unit float64) Sample {
	s := Sample{Figures: map[string]float64{name: rate}, Curve: r.quantiles}
	if ns, ok := r.quantile(0.5); ok {
		s.Figures[name+"-p50"] = ns / unit
	}
	if ns, ok := r.quantile(0.99); ok {
		s.Figures[name+"-p99"] = ns / unit
	}
	return s
}
