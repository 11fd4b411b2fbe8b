package screen

import "unicode"

// kind is what sort of character a code point is to the filter.
type kind uint8

const (
	hidden    kind = iota // not on the list
	graphic               // shows itself and may carry marks
	emoji                 // the same, and may be joined, selected and toned
	wideBlank             // U+3000
	mark                  // stands on the character before it
	skinTone              // U+1F3FB to U+1F3FF
	selector              // U+FE0F
	joiner                // U+200D
)

// kindOf classes a code point beyond ASCII. The first cases are what most text consists of; they only
// save time.
func kindOf(r rune) kind {
	switch {
	case r >= 0x4e00 && r <= 0x9fff, // CJK ideographs
		r >= 0x3400 && r <= 0x4dbf,
		r >= 0x3041 && r <= 0x3096, // kana
		r >= 0x30a1 && r <= 0x30ff,
		r >= 0x3001 && r <= 0x3029, // CJK punctuation
		r >= 0xff01 && r <= 0xff9d, // full and half width forms
		r >= 0xac00 && r <= 0xd7a3, // Hangul syllables
		r >= 0xaf && r <= 0x2ff:    // Latin
		return graphic
	case r == 0x3000:
		return wideBlank
	case r == 0xfe0f:
		return selector
	case r == 0x200d:
		return joiner
	case r >= 0x1f3fb && r <= 0x1f3ff:
		return skinTone
	case r < 0xa0, unicode.Is(invisible, r):
		return hidden
	case r >= 0x1161 && r <= 0x11ff, r >= 0xd7b0 && r <= 0xd7ff:
		// Hangul vowels and finals stand on the consonant before them; alone, terminals give them no column.
		if unicode.Is(unicode.L, r) {
			return mark
		}
		return hidden
	case unicode.Is(unicode.M, r):
		if unicode.Is(unicode.Variation_Selector, r) {
			return hidden
		}
		return mark
	case unicode.Is(emojis, r):
		if !unicode.Is(unicode.S, r) && !unicode.Is(unicode.P, r) {
			return hidden
		}
		return emoji
	case unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S):
		return graphic
	default:
		return hidden
	}
}

// invisible is what the general categories let through although nobody can see it: the default
// ignorable code points (Unicode, DerivedCoreProperties) that are letters or marks, and blanks that are
// no separators by category.
var invisible = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x034f, 0x034f, 1}, // combining grapheme joiner
		{0x115f, 0x1160, 1}, // Hangul fillers
		{0x17b4, 0x17b5, 1}, // Khmer inherent vowels
		{0x2800, 0x2800, 1}, // Braille blank
		{0x3164, 0x3164, 1}, // Hangul filler
		{0xffa0, 0xffa0, 1}, // half width Hangul filler
	},
	R32: []unicode.Range32{
		{0x13441, 0x13442, 1}, // hieroglyph blanks
		{0x16fe4, 0x16fe4, 1}, // Khitan filler
		{0x1d159, 0x1d159, 1}, // musical null notehead
	},
}
