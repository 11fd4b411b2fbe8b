package nickname

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// A script is one that names are written in. The CJK ones may stand together as below.
type script struct {
	name  string
	table *unicode.RangeTable
	// with is a bit for each group that the script may be in; 0: it stands alone.
	with uint8
	// toLeft is a script that is written from right to left.
	toLeft bool
}

// Groups of scripts that one name may hold (UTS 39, table 1: highly restrictive).
const (
	japanese uint8 = 1 << iota
	korean
	chinese
)

// scripts are those of UAX 31's table 5 (recommended), and those of its table 7 (limited use) for which there are
// fonts almost everywhere.
var scripts = []script{
	{name: "Latin", table: unicode.Latin, with: japanese | korean | chinese},
	{name: "Han", table: unicode.Han, with: japanese | korean | chinese},
	{name: "Hiragana", table: unicode.Hiragana, with: japanese},
	{name: "Katakana", table: unicode.Katakana, with: japanese},
	{name: "Hangul", table: unicode.Hangul, with: korean},
	{name: "Bopomofo", table: unicode.Bopomofo, with: chinese},
	{name: "Cyrillic", table: unicode.Cyrillic},
	{name: "Greek", table: unicode.Greek},
	{name: "Arabic", table: unicode.Arabic, toLeft: true},
	{name: "Hebrew", table: unicode.Hebrew, toLeft: true},
	{name: "Armenian", table: unicode.Armenian},
	{name: "Bengali", table: unicode.Bengali},
	{name: "Devanagari", table: unicode.Devanagari},
	{name: "Ethiopic", table: unicode.Ethiopic},
	{name: "Georgian", table: unicode.Georgian},
	{name: "Gujarati", table: unicode.Gujarati},
	{name: "Gurmukhi", table: unicode.Gurmukhi},
	{name: "Kannada", table: unicode.Kannada},
	{name: "Khmer", table: unicode.Khmer},
	{name: "Lao", table: unicode.Lao},
	{name: "Malayalam", table: unicode.Malayalam},
	{name: "Myanmar", table: unicode.Myanmar},
	{name: "Oriya", table: unicode.Oriya},
	{name: "Sinhala", table: unicode.Sinhala},
	{name: "Tamil", table: unicode.Tamil},
	{name: "Telugu", table: unicode.Telugu},
	{name: "Thaana", table: unicode.Thaana, toLeft: true},
	{name: "Thai", table: unicode.Thai},
	{name: "Tibetan", table: unicode.Tibetan},
	{name: "Canadian Aboriginal", table: unicode.Canadian_Aboriginal},
	{name: "Cherokee", table: unicode.Cherokee},
	{name: "Lisu", table: unicode.Lisu},
	{name: "N'Ko", table: unicode.Nko, toLeft: true},
	{name: "Syriac", table: unicode.Syriac, toLeft: true},
	{name: "Tifinagh", table: unicode.Tifinagh},
	{name: "Yi", table: unicode.Yi},
}

// shared says where characters belong that Unicode counts as common to several scripts or inherited from what is
// before them, and that stand with some only (ScriptExtensions.txt).
var shared = []struct {
	lo, hi rune
	with   uint8
	script string // where with is 0
}{
	{lo: 0x0485, hi: 0x0486, script: "Cyrillic"},
	{lo: 0x064b, hi: 0x0655, script: "Arabic"},
	{lo: 0x0660, hi: 0x0669, script: "Arabic"},
	{lo: 0x0670, hi: 0x0670, script: "Arabic"},
	{lo: 0x0951, hi: 0x0954, script: "Devanagari"},
	{lo: 0x302a, hi: 0x302d, with: japanese | korean | chinese},
	{lo: 0x3099, hi: 0x309a, with: japanese},
	{lo: 0x30fc, hi: 0x30fc, with: japanese},
	{lo: 0xff70, hi: 0xff70, with: japanese},
	{lo: 0xff9e, hi: 0xff9f, with: japanese},
}

// everywhere are common and inherited characters that stand with every script.
func everywhere(r rune) bool {
	switch {
	case r < utf8.RuneSelf, r >= 0xff10 && r <= 0xff19, r == 0x02bb, r == 0x02bc:
		return true
	}
	return r >= 0x0300 && r <= 0x036f
}

// scriptOf finds the script of r; nil where it is none that names are written in.
func scriptOf(r rune) *script {
	for _, s := range shared {
		if r < s.lo || r > s.hi {
			continue
		}
		if s.with != 0 {
			return &script{name: "Chinese, Japanese or Korean", with: s.with}
		}
		for i := range scripts {
			if scripts[i].name == s.script {
				return &scripts[i]
			}
		}
	}
	for i := range scripts {
		if unicode.Is(scripts[i].table, r) {
			return &scripts[i]
		}
	}
	return nil
}

// checkScripts refuses a mixture of scripts that could hide a letter in a word of another script.
func checkScripts(name string) error {
	var first *script // the narrowest until now
	var one rune      // of first
	groups := japanese | korean | chinese
	for i, r := range name {
		s := scriptOf(r)
		switch {
		case s == nil && everywhere(r):
			continue
		case s == nil:
			return refuse(r, "names are not written in its script")
		case first == nil:
			first, one = s, r
			if s.toLeft && i > 0 {
				return fmt.Errorf("a name in %s begins with a letter", s.name)
			}
		}
		groups &= s.with
		if groups == 0 && s.name != first.name {
			return fmt.Errorf("%s is %s and %s is %s: a name is in one script", shown(one), first.name, shown(r), s.name)
		}
		if s.with < first.with {
			first, one = s, r
		}
	}
	return nil
}
