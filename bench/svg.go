package main

import (
	"fmt"
	"slices"
	"strings"
)

// The colours of plots can be told apart on white and on black; duet's is the first.
const (
	ink   = "#767676" // text and axes
	faint = "#7676764d"
)

var (
	duetColours  = []string{"#2f7fd6", "#1aa0b8", "#7a7ae0"}
	otherColours = []string{"#d9731f", "#3a9a4f", "#c04fb0", "#d0484f", "#a08a1c", "#8a6d5a"}
)

// A series is a line of a chart, or a bar of each group.
type series struct {
	name   string
	duet   bool
	points []Point
}

// coloured gives each its colour: by its place, so that one run looks like the other.
func coloured(all []series) []string {
	var colours []string
	ours, others := 0, 0
	for _, s := range all {
		if s.duet {
			colours = append(colours, duetColours[ours%len(duetColours)])
			ours++
			continue
		}
		colours = append(colours, otherColours[others%len(otherColours)])
		others++
	}
	return colours
}

// Sizes of a plot, in pixels.
const (
	wide, high                = 820, 420
	left, right, above, below = 78, 240, 46, 52
	innerWide, innerHigh      = wide - left - right, high - above - below
	textSize, lineHigh        = 12, 15
)

// A drawing is an SVG that is being written.
type drawing struct{ b strings.Builder }

func newDrawing(title string, height int) *drawing {
	d := &drawing{}
	fmt.Fprintf(&d.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" font-family="sans-serif" font-size="%d">`+"\n",
		wide, height, wide, height, textSize)
	fmt.Fprintf(&d.b, "<title>%s</title>\n", escape(title))
	fmt.Fprintf(&d.b, `<text x="%d" y="20" font-size="15" fill="%s">%s</text>`+"\n", left, ink, escape(title))
	return d
}

func (d *drawing) end() string {
	d.b.WriteString("</svg>\n")
	return d.b.String()
}

func (d *drawing) text(x, y float64, anchor, colour, s string) {
	fmt.Fprintf(&d.b, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>`+"\n", x, y, anchor, colour, escape(s))
}

func (d *drawing) line(x1, y1, x2, y2 float64, colour string) {
	fmt.Fprintf(&d.b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, colour)
}

// A chart is lines over two axes.
type chart struct {
	title        string
	xName, yName string
	x, y         scale
	all          []series
}

func (c chart) svg() string {
	d := newDrawing(c.title, high)
	bottom := float64(above + innerHigh)
	for _, t := range c.x.ticks {
		x := left + c.x.of(t.at)*innerWide
		d.line(x, above, x, bottom, faint)
		d.text(x, bottom+18, "middle", ink, t.label)
	}
	for _, t := range c.y.ticks {
		y := bottom - c.y.of(t.at)*innerHigh
		d.line(left, y, left+innerWide, y, faint)
		d.text(left-8, y+4, "end", ink, t.label)
	}
	d.text(left+innerWide/2, bottom+40, "middle", ink, c.xName)
	d.text(left, above-8, "start", ink, c.yName)
	colours := coloured(c.all)
	ends := make([]float64, len(c.all))
	for i, s := range c.all {
		var at []string
		for _, p := range s.points {
			x, y := left+c.x.of(p.X)*innerWide, bottom-c.y.of(p.Y)*innerHigh
			at = append(at, fmt.Sprintf("%.1f,%.1f", x, y))
			ends[i] = y
			if len(s.points) <= 8 {
				fmt.Fprintf(&d.b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x, y, colours[i])
			}
		}
		thick := 1.5
		if s.duet {
			thick = 2.5
		}
		fmt.Fprintf(&d.b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="%g" stroke-linejoin="round"/>`+"\n", strings.Join(at, " "), colours[i], thick)
	}
	for i, y := range apart(ends, above+4, bottom) {
		s := c.all[i]
		last := s.points[len(s.points)-1]
		x := left + c.x.of(last.X)*innerWide
		// The label stands beside the axes, and a thin line leads to it from where the series ends.
		d.line(x+4, ends[i], left+innerWide+10, y, colours[i]+"80")
		d.text(left+innerWide+14, y+4, "start", colours[i], s.name)
	}
	return d.end()
}

// apart moves heights so far from each other that labels beside them can be read, in their order, between two heights.
func apart(at []float64, least, most float64) []float64 {
	order := make([]int, len(at))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case at[a] < at[b]:
			return -1
		case at[a] > at[b]:
			return 1
		}
		return 0
	})
	moved := slices.Clone(at)
	next := least
	for _, i := range order {
		moved[i] = max(at[i], next)
		next = moved[i] + lineHigh
	}
	next = most
	for _, i := range slices.Backward(order) {
		moved[i] = min(moved[i], next)
		next = moved[i] - lineHigh
	}
	return moved
}

// Bars are groups of horizontal bars, a value at the end of each.
type bars struct {
	title, xName string
	groups       []group
	digits       int
}

type group struct {
	name string
	all  []series // a single point each, of which Y counts
}

func (c bars) svg() string {
	const barHigh, gap, names = 20, 30, 190
	most, count := 0.0, 0
	for _, g := range c.groups {
		count += len(g.all)
		for _, s := range g.all {
			most = max(most, s.points[0].Y)
		}
	}
	x := linearScale(most)
	bottom := above + count*barHigh + len(c.groups)*gap
	d := newDrawing(c.title, bottom+below)
	const width = wide - names - 90
	for _, t := range x.ticks {
		at := names + x.of(t.at)*width
		d.line(at, above, at, float64(bottom), faint)
		d.text(at, float64(bottom+18), "middle", ink, t.label)
	}
	d.text(names+width/2, float64(bottom+40), "middle", ink, c.xName)
	y := above
	for _, g := range c.groups {
		d.text(names, float64(y+18), "start", ink, g.name)
		y += gap - 4
		colours := coloured(g.all)
		for i, s := range g.all {
			v := s.points[0].Y
			w := x.of(v) * width
			fmt.Fprintf(&d.b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", names, y, w, barHigh-5, colours[i])
			d.text(names-8, float64(y+12), "end", ink, s.name)
			d.text(names+w+6, float64(y+12), "start", ink, grouped(v, c.digits))
			y += barHigh
		}
		y += 4
	}
	return d.end()
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}
