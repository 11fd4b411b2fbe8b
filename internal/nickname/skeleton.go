package nickname

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Skeleton is equal for names that people could take for each other: it does not tell apart case, width, compatibility
// forms, and characters that look alike, in one script or in several: 0 and O; 1, l, I and, as case does not count, i;
// m and rn; w and vv; Latin a and Cyrillic а. Accents stay, but those that look alike are one. A skeleton is for
// comparing only, and is its own skeleton.
//
// It is the skeleton of Unicode Technical Standard 39, section 4, with case folded and with a table of our own (see
// alike.go). Where a small letter and its capital look like two different ones, as Greek ν and Ν, Skeleton goes by the
// small one; [Alike] and [Set] go by both.
func Skeleton(name string) string { return view(name, nil) }

// Alike reports whether people could take two names for each other, in any case.
func Alike(a, b string) bool {
	as, bs := keys(a), keys(b)
	for _, k := range as {
		for _, l := range bs {
			if k == l {
				return true
			}
		}
	}
	return false
}

// keys are what a name is compared by: its skeleton, and that of its capitals, if it is another.
func keys(name string) []string {
	small := view(name, nil)
	if capital := view(name, capitals()); capital != small {
		return []string{small, capital}
	}
	return []string{small}
}

// view replaces each character by what it looks like; first goes before the common table.
func view(name string, first map[rune]string) string {
	var b strings.Builder
	dotted := false
	// Behind a byte that is not UTF-8, NFKD leaves characters as they are.
	name = strings.ToValidUTF8(name, string(unicode.ReplacementChar))
	for _, r := range norm.NFKD.String(name) {
		r = fold(r)
		switch {
		case ignored(r), r == dotAbove && dotted:
			continue
		case !unicode.Is(unicode.M, r):
			dotted = strings.ContainsRune("ijıȷіј", r)
		}
		if s, ok := first[r]; ok {
			b.WriteString(s)
		} else if s, ok := alike()[r]; ok {
			b.WriteString(s)
		} else {
			b.WriteRune(r)
		}
	}
	return norm.NFD.String(b.String())
}

// dotAbove adds nothing to a letter that has a dot.
const dotAbove = '\u0307'

// ignored are characters that nobody sees.
func ignored(r rune) bool {
	return hidden(r) || unicode.In(r, unicode.Cf, unicode.Variation_Selector)
}

// fold gives one of all the cases of r: the small one, as a rule. With NFKD before it and ß in the table it does what
// full case folding does.
func fold(r rune) rune {
	if r < 0x80 {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	least := r
	for c := unicode.SimpleFold(r); c != r; c = unicode.SimpleFold(c) {
		least = min(least, c)
	}
	return unicode.ToLower(least)
}
