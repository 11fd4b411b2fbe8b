package main

import (
	"math"
	"slices"
	"strings"
)

// A plot is a picture of one row or more; it stands behind row in the Markdown.
type plot struct {
	row, file, title, svg string
}

// plots are those for which the report has figures.
func plots(r report) []plot {
	all := slices.Concat(bulkPlot(r), memoryPlot(r), roomPlot(r))
	for _, t := range r.Rows {
		if strings.HasPrefix(t.Curve, "nanoseconds") {
			all = append(all, latencyPlot(t)...)
		}
	}
	return all
}

func (r report) row(name string) (table, bool) {
	i := slices.IndexFunc(r.Rows, func(t table) bool { return t.Name == name })
	if i < 0 {
		return table{}, false
	}
	return r.Rows[i], true
}

func bulkPlot(r report) []plot {
	c := bars{title: "Bulk throughput", xName: "GB/s", digits: 2}
	last := ""
	for _, g := range []struct{ row, name string }{
		{"bulk-pipe", "from a pipe through TCP to a pipe"},
		{"bulk-file", "from a file through TCP to /dev/null"},
	} {
		t, _ := r.row(g.row)
		var all []series
		for _, y := range t.Tallies {
			if f, ok := y.Figures[g.row]; ok && y.Error == "" {
				all = append(all, series{y.Name, y.Duet, []Point{{0, f.Median}}})
			}
		}
		if len(all) > 0 {
			c.groups = append(c.groups, group{g.name, all})
			last = g.row
		}
	}
	if len(c.groups) == 0 {
		return nil
	}
	return []plot{{last, "bulk.svg", c.title, c.svg()}}
}

// curves are the curves of a row; flip puts the value on the x axis. Only what is above zero can stand on a logarithmic axis.
func (t table) curves(flip bool) []series {
	var all []series
	for _, y := range t.Tallies {
		var points []Point
		for _, p := range y.Curve {
			if p.X <= 0 || p.Y <= 0 {
				continue
			}
			if flip {
				p = Point{p.Y, p.X}
			}
			points = append(points, p)
		}
		if len(points) > 0 && y.Error == "" {
			all = append(all, series{y.Name, y.Duet, points})
		}
	}
	return all
}

// bounds are the least and the most of all points.
func bounds(all []series) (least, most Point) {
	least, most = Point{math.Inf(1), math.Inf(1)}, Point{math.Inf(-1), math.Inf(-1)}
	for _, s := range all {
		for _, p := range s.points {
			least = Point{min(least.X, p.X), min(least.Y, p.Y)}
			most = Point{max(most.X, p.X), max(most.Y, p.Y)}
		}
	}
	return least, most
}

func memoryPlot(r report) []plot {
	t, _ := r.row("idle-many")
	all := t.curves(false)
	if len(all) == 0 {
		return nil
	}
	least, most := bounds(all)
	c := chart{
		title: "Memory by number of idle conversations", xName: "conversations", yName: "memory of the server in user space", all: all,
		x: logScale(least.X, most.X, siLabel("")), y: logScale(least.Y, most.Y, siLabel("B")),
	}
	return []plot{{t.Name, "memory.svg", c.title, c.svg()}}
}

func roomPlot(r report) []plot {
	var all []series
	last := ""
	for _, members := range []int{100, 1000, 10000} {
		blast := roomBlast{members}
		t, _ := r.row(blast.name())
		for _, y := range t.Tallies {
			f, ok := y.Figures[blast.name()]
			if !ok || y.Error != "" || f.Median <= 0 {
				continue
			}
			// ncat's name tells how many it had; the line is the same.
			name, at := y.Name, float64(members)
			if strings.HasPrefix(name, "ncat") {
				name, at = "ncat --broker", min(at, ncatMembers)
			}
			i := slices.IndexFunc(all, func(s series) bool { return s.name == name })
			if i < 0 {
				i = len(all)
				all = append(all, series{name: name, duet: y.Duet})
			}
			all[i].points = append(all[i].points, Point{at, f.Median * 1e6})
			last = t.Name
		}
	}
	if len(all) == 0 {
		return nil
	}
	least, most := bounds(all)
	c := chart{
		title: "A room: deliveries by number of members", xName: "members", yName: "lines times members per second", all: all,
		x: logScale(least.X, most.X, siLabel("")), y: logScale(least.Y, most.Y, siLabel("")),
	}
	return []plot{{last, "room.svg", c.title, c.svg()}}
}

func latencyPlot(t table) []plot {
	all := t.curves(true)
	if len(all) == 0 {
		return nil
	}
	least, most := bounds(all)
	titles := map[string]string{
		"echo-1": "Time to the answer, one conversation", "echo-64": "Time to the answer, 64 conversations",
		"echo-1000": "Time to the answer, 1,000 conversations", "accept": "Time of a whole conversation, 8 clients at once",
		"room-one": "Time until 1,000 members have a line",
	}
	c := chart{
		title: titles[t.Name], xName: "time", yName: "so many took at most that time", all: all,
		x: logScale(least.X, most.X, timeLabel), y: ninesScale(most.Y),
	}
	return []plot{{t.Name, "latency-" + t.Name + ".svg", c.title, c.svg()}}
}
