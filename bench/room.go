package main

import (
	"slices"
	"strconv"
)

// roomBlast is one who speaks to so many as fast as the room takes it.
type roomBlast struct{ members int }

func (r roomBlast) name() string { return "room-blast-" + strconv.Itoa(r.members) }

func (r roomBlast) About() About {
	return About{
		Name: r.name(),
		What: "one says lines of 32 bytes to " + grouped(float64(r.members), 0) + " members, for 1 s and until all have all of them, at most 128 KiB ahead of the last (a second before that, which is not counted, opens this window step by step, as a connection's); the bytes of all members are counted, and those of one are compared",
		Columns: []Column{{
			Name: r.name(), What: "lines times members", Unit: "million deliveries per s", Digits: 2,
			Target: map[int]string{1000: "at least 50, with names and framing", 10000: "at least 30"}[r.members],
		}},
	}
}

func (r roomBlast) Subjects(lab *Lab) ([]Subject, error) {
	return lab.rooms(r.members, []string{"blast", "1"}, func(members int) func(result) (Sample, error) {
		return func(res result) (Sample, error) {
			n := res.numbers["count"]
			if n == 0 {
				return Sample{}, wrong("no line was said")
			}
			return Sample{Figures: map[string]float64{r.name(): res.perSecond(n*float64(members)) / 1e6}}, nil
		}
	})
}

// roomOne is one line at a time to a thousand.
type roomOne struct{}

const roomTimes = 100

func (roomOne) About() About {
	return About{
		Name: "room-one",
		What: "one says a line of 32 bytes to 1,000 members, 100 times, each when all have had the one before",
		Columns: []Column{
			{Name: "room-one", What: "half of the lines are with all within", Unit: "ms", Digits: 2, Target: "at most 1.4 times C"},
		},
		Curve: "nanoseconds until all have a line, by quantile",
	}
}

func (roomOne) Subjects(lab *Lab) ([]Subject, error) {
	return lab.rooms(1000, []string{"one", strconv.Itoa(roomTimes)}, func(int) func(result) (Sample, error) {
		return func(res result) (Sample, error) {
			half, ok := res.quantile(0.5)
			if res.numbers["count"] != roomTimes || !ok {
				return Sample{}, wrong("%.0f of %d lines were said", res.numbers["count"], roomTimes)
			}
			return Sample{Figures: map[string]float64{"room-one": half / 1e6}, Curve: res.quantiles}, nil
		}
	})
}

const (
	// ncatMembers is how many ncat bears: it keeps descriptors in a set of 1,024.
	ncatMembers = 900
	// ncatPause is how many microseconds are between two that come: ncat lets ten wait to be accepted.
	ncatPause = "2000"
)

// rooms are those that bring to all what one says.
func (lab *Lab) rooms(members int, work []string, sample func(members int) func(result) (Sample, error)) ([]Subject, error) {
	load, err := lab.load("roomload")
	if err != nil {
		return nil, err
	}
	if members > descriptors()-500 {
		return nil, leftOut("a process may not have so many descriptors")
	}
	duet, err := lab.duet()
	if err != nil {
		return nil, err
	}
	plain, err := lab.goReference("plain")
	if err != nil {
		return nil, err
	}
	var all []Subject
	add := func(s server, members int, more ...string) {
		args := slices.Concat([]string{"{}", strconv.Itoa(members)}, work, more)
		all = append(all, s.loaded(load, args, sample(members)))
	}
	most := []string{"--backlog", "4096", "--max-conns", strconv.Itoa(members + 100), "127.0.0.1:{}"}
	if lab.knows(duet, "--room") {
		add(server{name: "duet, with names", path: duet, duet: true, args: append([]string{"listen", "--room", "--framing", "lf"}, most...)}, members)
	}
	if lab.knows(duet, "--relay") {
		add(server{name: "duet, bare bytes", path: duet, duet: true, args: append([]string{"listen", "--relay"}, most...)}, members)
	}
	if c := lab.cReference("room"); c != "" {
		add(server{name: "C, one ring, in chunks", path: c, args: []string{"chunks", "{}"}}, members)
		if members <= 1000 {
			add(server{name: "C, a write for each line and member", path: c, args: []string{"lines", "{}"}}, members)
		}
	}
	if members <= 1000 {
		add(server{name: "Go, a queue for each member", path: plain, args: []string{"room", "127.0.0.1:{}"}}, members)
	}
	if ncat := lab.tool("ncat", "--version"); ncat != "" && members <= 1000 {
		n, name := min(members, ncatMembers), "ncat --broker"
		if n < members {
			name += ", " + strconv.Itoa(n) + " members"
		}
		add(server{name: name, path: ncat, args: []string{"-l", "--broker", "--max-conns", "1000", "127.0.0.1", "{}"}}, n, ncatPause)
	}
	return all, nil
}
