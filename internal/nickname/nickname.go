// Package nickname knows which names people may have in rooms and at desks, and which of them others would take for
// one another.
//
// A name is made of letters and digits of one script that is in use today (or of Latin together with those that
// Chinese, Japanese or Korean is written in), the marks that stand on them, and "-", "_" and "." inside it. It begins
// with a letter or a digit, holds a letter, and is as short as [Fits] says. Whatever
// passes [Check] passes a terminal's filter (internal/screen) as it is.
//
// The rule about scripts is "highly restrictive" of Unicode Technical Standard 39, section 5.2; the scripts are those
// that Unicode Standard Annex 31 recommends, and some of its "limited use". What is left out on purpose, although it
// stands in some people's names: the joiners of Persian and Indic spelling, since nobody sees them, and
// the tsheg, the geresh and middle dots, which are punctuation.
package nickname

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// MaxLength is how long a name may be, in characters: code points, marks included.
	MaxLength = 32
	// MaxBytes is how long a name may be instead, in bytes of UTF-8. Whichever allows more counts.
	MaxBytes = 64
	// maxMarks is how many marks may stand on one letter; internal/screen spells a fifth out.
	maxMarks = 4
	// inner may stand inside a name.
	inner = "-_."
)

// Clean gives what somebody meant as a name: without the blanks around it, and composed (NFC). Whether it is one, Check
// says.
func Clean(name string) string { return norm.NFC.String(strings.TrimSpace(name)) }

// Fits reports whether a name is short enough: at most MaxLength characters, or at most MaxBytes bytes. It is the one
// rule for the length of a name, of an operator's too.
func Fits(name string) bool {
	return len(name) <= MaxBytes || utf8.RuneCountInString(name) <= MaxLength
}

// Check says why a name, as Clean gives it, cannot be one. The errors are for people: they name the character and why.
func Check(name string) error {
	switch {
	case name == "":
		return errors.New("a name has at least one character")
	case !Fits(name):
		return fmt.Errorf("a name has at most %d characters or %d bytes, and this has %d and %d", MaxLength, MaxBytes, utf8.RuneCountInString(name), len(name))
	case !utf8.ValidString(name):
		return errors.New("a name is UTF-8, and this is not")
	}
	var k checker
	for _, r := range name {
		if err := k.next(r); err != nil {
			return err
		}
	}
	if err := k.end(); err != nil {
		return err
	}
	if !norm.NFC.IsNormalString(name) {
		return fmt.Errorf("%q is not composed (Unicode NFC)", name)
	}
	return checkScripts(name)
}

// A checker looks at one character after the other.
type checker struct {
	last   rune // 0 at the beginning
	base   rune // the letter that marks stand on; 0 where none may
	marks  int
	letter bool
	zero   rune // of the decimal digits in use
}

func (k *checker) next(r rune) error {
	if err := k.character(r); err != nil {
		return err
	}
	k.last = r
	return nil
}

func (k *checker) character(r rune) error {
	switch {
	case unicode.Is(unicode.M, r):
		return k.mark(r)
	case strings.ContainsRune(inner, r):
		k.base, k.marks = 0, 0
		if k.last == 0 {
			return fmt.Errorf("a name begins with a letter or a digit, not with %q", r)
		}
		return nil
	case unicode.Is(unicode.Nd, r):
		k.base, k.marks = 0, 0
		return k.digit(r)
	}
	if why := unfit(r); why != "" {
		return refuse(r, why)
	}
	if unicode.Is(unicode.Lm, r) && k.last == 0 {
		return fmt.Errorf("a name begins with a letter or a digit, not with %q, which belongs to one before it", r)
	}
	k.base, k.marks, k.letter = r, 0, true
	return nil
}

func (k *checker) mark(r rune) error {
	switch {
	case unfitMark(r) != "":
		return refuse(r, unfitMark(r))
	case k.base == 0:
		return refuse(r, "it is a mark, and no letter is before it")
	case k.marks == maxMarks:
		return fmt.Errorf("%q has more than %d marks on it", k.base, maxMarks)
	case k.last == r:
		return refuse(r, "the same mark is before it, so that only one would be seen")
	}
	k.marks++
	return nil
}

func (k *checker) digit(r rune) error {
	zero := zeroOf(r)
	switch {
	case compatible(r) && !fullWidth(r):
		return refuse(r, "it is another form of a common digit")
	case k.zero != 0 && k.zero != zero:
		return refuse(r, "digits of another kind are before it")
	}
	k.zero = zero
	return nil
}

func (k *checker) end() error {
	switch {
	case strings.ContainsRune(inner, k.last):
		return fmt.Errorf("a name does not end with %q", k.last)
	case !k.letter:
		return errors.New("a number is no name: at least one character is a letter")
	}
	return nil
}

// zeroOf is the digit zero that a decimal digit belongs to: Unicode keeps the ten in a row, and ranges hold whole rows.
func zeroOf(r rune) rune {
	for _, t := range unicode.Nd.R16 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return r - (r-rune(t.Lo))%10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return r - (r-rune(t.Lo))%10
		}
	}
	return r
}

func refuse(r rune, why string) error {
	return fmt.Errorf("%s cannot stand in a name: %s", shown(r), why)
}

// shown is a character as an error names it; one that cannot be seen by its number alone.
func shown(r rune) string {
	if unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) && !hidden(r) || r == ' ' {
		return fmt.Sprintf("%q (%U)", r, r)
	}
	return fmt.Sprintf("%U", r)
}
