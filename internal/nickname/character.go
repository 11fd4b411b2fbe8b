package nickname

import (
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// unfit says why a character that is no mark and no digit cannot stand in a name; "" where it can.
func unfit(r rune) string {
	switch {
	case hidden(r):
		return "nobody can see it"
	case unicode.Is(unicode.Bidi_Control, r):
		return "it changes the direction of text"
	case unicode.IsSpace(r), unicode.Is(unicode.Z, r):
		return "it is a blank"
	case unicode.Is(unicode.Cc, r):
		return "it is a control character"
	case unicode.Is(unicode.Cf, r):
		return "nobody can see it"
	case unicode.Is(unicode.Co, r):
		return "it is for private use"
	case unicode.Is(unicode.Cs, r), !unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S):
		return "it is not assigned"
	case !unicode.Is(unicode.L, r):
		return "it is neither letter nor digit"
	case r >= 0x1100 && r <= 0x11ff, r >= 0xa960 && r <= 0xa97f, r >= 0xd7b0 && r <= 0xd7ff:
		return "it is a part of a syllable"
	case compatible(r) && !fullWidth(r) && !spelled(r):
		return "it is another form of common letters"
	case unicode.Is(unicode.Lm, r) && !unicode.Is(modifiers, r):
		return "it is a modifier, not a letter"
	case unicode.Is(likePunctuation, r):
		return "it looks like punctuation"
	}
	return ""
}

// unfitMark says why a mark cannot stand in a name; "" where it can.
func unfitMark(r rune) string {
	switch {
	case hidden(r), unicode.Is(unicode.Variation_Selector, r):
		return "nobody can see it"
	case unicode.Is(unicode.Me, r):
		return "it encloses other characters"
	case unicode.Is(covering, r):
		return "it reaches over other characters"
	case compatible(r):
		return "it is another form of common marks"
	}
	return ""
}

// hidden are letters and marks that nobody can see, although their category says otherwise: the default ignorable code
// points of Unicode's DerivedCoreProperties.
func hidden(r rune) bool {
	switch r {
	case 0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x2800, 0x3164, 0xffa0, 0x13441, 0x13442, 0x16fe4, 0x1d159:
		return true
	}
	return false
}

// compatible reports whether Unicode knows r as another form of other characters, for compatibility only.
func compatible(r rune) bool {
	if r < 0x80 {
		return false
	}
	s := string(r)
	return norm.NFKD.String(s) != norm.NFD.String(s)
}

// fullWidth are the wide forms of ASCII letters and digits, and the narrow ones of katakana, which input methods make.
func fullWidth(r rune) bool {
	return r >= 0xff10 && r <= 0xff19 || r >= 0xff21 && r <= 0xff3a || r >= 0xff41 && r <= 0xff5a || r >= 0xff66 && r <= 0xff9f
}

// spelled are letters that Unicode can take apart for compatibility and that Thai and Lao are spelled with.
func spelled(r rune) bool { return r == 0x0e33 || r == 0x0eb3 || r == 0x0edc || r == 0x0edd }

// modifiers are the modifier letters that names are spelled with.
var modifiers = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x02bb, 0x02bc, 1}, // turned comma (ʻokina) and apostrophe
		{0x0e46, 0x0e46, 1}, // Thai repetition
		{0x0ec6, 0x0ec6, 1}, // Lao repetition
		{0x17d7, 0x17d7, 1}, // Khmer repetition
		{0x3005, 0x3005, 1}, // ideographic iteration
		{0x309d, 0x309e, 1}, // hiragana iteration
		{0x30fc, 0x30fe, 1}, // long vowel, katakana iteration
		{0xff70, 0xff70, 1}, // narrow long vowel
		{0xff9e, 0xff9f, 1}, // narrow voiced sound marks
	},
}

// likePunctuation are letters that look like what is none.
var likePunctuation = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x01c0, 0x01c3, 1}, // clicks: | || ! and another
		{0x1427, 0x1427, 1}, // Canadian final middle dot
		{0x144a, 0x144a, 1}, // Canadian West Cree P: an apostrophe
		{0x141f, 0x1420, 1}, // Canadian finals: an acute and a grave
		{0x1433, 0x1433, 1}, // Canadian PO: a greater-than sign
		{0x1438, 0x1438, 1}, // Canadian PA: a less-than sign
		{0x1440, 0x1440, 1}, // Canadian finals: a hyphen
		{0x2d42, 0x2d42, 1}, // Tifinagh yah: a colon of three
		{0xa78b, 0xa78c, 1}, // saltillo: an apostrophe
		{0xa78f, 0xa78f, 1}, // sinological dot
	},
	LatinOffset: 0,
}

// covering are marks that strike the letter through or reach over its neighbours, and those for symbols.
var covering = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x0334, 0x0338, 1},
		{0x035c, 0x0362, 1},
		{0x1ab0, 0x1aff, 1},
		{0x1dc0, 0x1dff, 1},
		{0x20d0, 0x20ff, 1},
		{0xfe20, 0xfe2f, 1},
	},
}
