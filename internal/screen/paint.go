package screen

import "unicode/utf8"

const (
	tabStop = 8
	// maxRun bounds what is kept to find the widths of grapheme clusters that are still growing.
	maxRun = 128
)

// painter writes the safe form of a stream and knows the column it is at.
type painter struct {
	style  Style
	filter filter
	out    []byte

	column int    // where run begins
	run    []byte // the end of the text on this line, not measured yet
}

// paint paints b as far as it can be decided and returns the number of bytes taken. Within oneLine, line
// ends are spelled out, and all of b is taken.
func (p *painter) paint(b []byte, oneLine bool) int {
	taken := 0
	for taken < len(b) {
		if n := printable(b[taken:]); n > 0 {
			p.ascii(b[taken : taken+n])
			taken += n
			continue
		}
		n, v := p.filter.next(b[taken:], oneLine)
		char := b[taken : taken+n]
		switch {
		case v == more:
			return taken
		case v == pass:
			p.text(char)
		case v == tab:
			p.tab()
		case v == lineEnd && !oneLine:
			p.newline()
		case v == lineEnd && n == 2:
			p.spell(char[:1])
			p.spell(char[1:])
		default:
			p.spell(char)
		}
		taken += n
	}
	return taken
}

// flush spells out what waited for more; there is no more.
func (p *painter) flush(held []byte) {
	for len(held) > 0 {
		n, v := p.filter.next(held, true)
		if v == pass {
			p.text(held[:n])
		} else {
			p.spell(held[:n])
		}
		held = held[n:]
	}
}

// spelledSize guesses how much room u needs beyond its own length: enough for bytes that are spelled out, so that a
// hostile line does not make the output grow again and again, and too much for text in other scripts, up to a bound.
func spelledSize(u []byte, st Style) int {
	odd := 0
	for _, c := range u {
		if c < ' ' || c >= 0x7f {
			odd++
		}
	}
	return min(odd*(3+len(st.On)+len(st.Off)), 4*len(u), 1<<20)
}

func printable(b []byte) int {
	n := 0
	for n < len(b) && b[n] >= ' ' && b[n] < 0x7f {
		n++
	}
	return n
}

// ascii paints printable ASCII, which has a cluster boundary between any two characters.
func (p *painter) ascii(b []byte) {
	p.out = append(p.out, b...)
	last := len(b) - 1
	p.filter = filter{place: asciiPlace(b[last])}
	if n := len(p.run); n > 0 && p.run[n-1] < utf8.RuneSelf {
		p.measure()
	}
	p.grow(b[:1])
	if last > 0 {
		p.measure()
		p.column += last - 1
		p.run = append(p.run, b[last])
	}
}

func (p *painter) text(char []byte) {
	p.out = append(p.out, char...)
	p.grow(char)
}

func (p *painter) grow(char []byte) {
	if len(p.run)+len(char) > maxRun {
		p.measure()
	}
	p.run = append(p.run, char...)
}

func (p *painter) spell(char []byte) {
	if len(p.run) > 0 {
		p.measure()
	}
	out := append(p.out, p.style.On...)
	before := len(out)
	out = appendSpelled(out, char)
	p.column += len(out) - before
	p.out = append(out, p.style.Off...)
}

func (p *painter) tab() {
	p.measure()
	for {
		p.out = append(p.out, ' ')
		p.column++
		if p.column%tabStop == 0 {
			return
		}
	}
}

func (p *painter) newline() {
	p.out = append(p.out, '\n')
	p.run = p.run[:0]
	p.column = 0
}

func (p *painter) measure() {
	switch len(p.run) {
	case 0:
	case 1:
		p.column++
	default:
		p.column += Width(string(p.run))
	}
	p.run = p.run[:0]
}
