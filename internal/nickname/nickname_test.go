package nickname_test

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"duet.example/duet/internal/nickname"
	"duet.example/duet/internal/screen"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// good are names in many scripts, no two of which look alike.
var good = []string{
	"a", "Anna", "x1", "7of9", "anna-2", "anna_b", "a.b", "x--y", "Łukasz", "Ömer", "Zoë", "Nguyễn", "José", "Þór", "Çağlar", "Ħal",
	"Oʼneil", "Kaʻiulani", "王芳", "陳大文", "田中さん", "タロー", "ひろし2号", "佐々木", "김철수", "小明ㄅ", "Anna王", "王Anna", "김Kim",
	"Ольга", "Їжак", "Світлана", "Αλέξανδρος", "Ελένη", "Արմեն", "გიორგი", "ᏣᎳᎩ", "ᐃᓄᒃ", "ⵣⵓⵀⵔ",
	"אנה", "שָׁלוֹם", "محمد", "مُحَمَّد", "علی", "محمد٢", "ދިވެހި",
	"नेहा", "শ্রেয়া", "ਸਿਮਰਨ", "ગીતા", "ଗୀତା", "கண்ணன்", "సీత", "ಗೀತಾ", "ഗീത", "සුනිල්", "สมชาย", "กำธร", "ນ້ອຍ",
	"မောင်", "សុខា", "བསོད", "አበበ", "नेहा२",
	strings.Repeat("x", nickname.MaxBytes), strings.Repeat("中", nickname.MaxLength),
}

func TestGood(t *testing.T) {
	for _, name := range good {
		name := nickname.Clean(name)
		if err := nickname.Check(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if got := screen.Line(screen.Untrusted(name), screen.Style{}); got != name {
			t.Errorf("%q is shown as %q", name, got)
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"anna": "anna", " anna\t\n": "anna", "\u00a0anna\u3000": "anna", "e\u0301va": "éva", "\u212bsa": "Åsa", "": "", " ": "",
		"\u1112\u1161\u11ab": "한", "a b": "a b", "Ａnna": "Ａnna",
	} {
		if got := nickname.Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

// Each kind of forgery, and what people are told about it.
func TestBad(t *testing.T) {
	for _, tt := range []struct{ name, why string }{
		{"", "at least one character"},
		{strings.Repeat("x", nickname.MaxBytes+1), "at most 32 characters or 64 bytes"},
		{strings.Repeat("e\u0327\u0301", 16), "at most 32 characters"},
		{"a\xff", "UTF-8"},
		{"\xc0\xafx", "UTF-8"},

		{"a b", `' ' (U+0020) cannot stand in a name: it is a blank`},
		{"a\u00a0b", "U+00A0 cannot stand in a name: it is a blank"},
		{"a\u3000b", "it is a blank"},
		{"a\u2003b", "it is a blank"},
		{"a\u2028b", "it is a blank"},
		{"a\tb", "U+0009 cannot stand in a name: it is a blank"},
		{"a\n", "U+000A"},
		{"a\u2800b", "U+2800 cannot stand in a name: nobody can see it"},
		{"a\u3164b", "nobody can see it"},
		{"a\uffa0b", "nobody can see it"},
		{"a\u115f", "nobody can see it"},
		{"a\x1b[2J", "U+001B cannot stand in a name: it is a control character"},
		{"a\x00", "control"},
		{"a\u009b", "control"},
		{"a\x7f", "control"},

		{"a\u202eb", "U+202E cannot stand in a name: it changes the direction"},
		{"a\u2066b", "direction"},
		{"a\u200fb", "direction"},
		{"a\u061cb", "direction"},
		{"an\u200bna", "U+200B cannot stand in a name: nobody can see it"},
		{"an\u200dna", "nobody can see it"},
		{"an\u200cna", "nobody can see it"},
		{"an\u2060na", "nobody can see it"},
		{"an\ufeffna", "nobody can see it"},
		{"an\u00adna", "nobody can see it"},
		{"a\U000e0061", "nobody can see it"},
		{"an\u034fna", "nobody can see it"},
		{"a\ufe0f", "nobody can see it"},
		{"a\U000e0100", "nobody can see it"},
		{"\u1780\u17b4", "nobody can see it"},
		{"a\ue000", "private use"},
		{"a\U0010fffd", "private use"},
		{"a\u0378", "U+0378 cannot stand in a name: it is not assigned"},
		{"a\uffff", "not assigned"},
		{"a\ufffd", "neither letter nor digit"},

		{"-anna", `begins with a letter or a digit, not with '-'`},
		{".anna", "begins with a letter"},
		{"_anna", "begins with a letter"},
		{"--", "begins with a letter"},
		{"anna-", `does not end with '-'`},
		{"anna.", "does not end with"},
		{"ーa", "begins with a letter"},
		{"\u0301a", "no letter is before it"},
		{"a-\u0301b", "no letter is before it"},
		{"a1\u0301", "no letter is before it"},
		{"12", "a number is no name"},
		{"1.2-3", "a number is no name"},
		{"٣", "a number is no name"},
		{"२३", "a number is no name"},
		{"１２", "a number is no name"},

		{"@anna", "neither letter nor digit"},
		{"anna@home", `'@' (U+0040) cannot stand`},
		{"anna:", "':'"},
		{"*anna", "'*'"},
		{"[anna]", "'['"},
		{"…anna", "'…'"},
		{"/anna", "'/'"},
		{"anna->you", "'>'"},
		{"anna：", "'：'"},
		{"a】", "'】'"},
		{"anna😀", "'😀'"},
		{"anna№", "'№'"},
		{"x²", "neither letter nor digit"},
		{"xⅣ", "neither letter nor digit"},
		{"annaǃ", "looks like punctuation"},
		{"annaː", "it is a modifier"},
		{"annaꓽ", "it is a modifier"},
		{"anna\ua78c", "looks like punctuation"},
		{"محـمد", "it is a modifier"},
		{"ʼanna", "begins with a letter"},

		{"x\u0300\u0301\u0302\u0303\u0304", "more than 4 marks"},
		{"x\u0308\u0308", "the same mark"},
		{"anna\u20dd", "encloses"},
		{"o\u0338x", "reaches over"},
		{"o\u0361x", "reaches over"},
		{"e\u0301", "not composed"},
		{"\u212bsa", "not composed"},

		{"\U0001d41anna", "another form"}, // mathematical a
		{"ﬁn", "another form"},
		{"annaª", "another form"},
		{"ſam", "another form"},
		{"\ufdfa", "another form"},
		{"x\U0001d7d9", "another form"},
		{"\u1100\u1100", "a part of a syllable"},
		{"ㅋㅋ", "another form"},

		{"аnna", `'а' (U+0430) is Cyrillic and 'n' (U+006E) is Latin: a name is in one script`},
		{"annа", "is Cyrillic"},
		{"αnna", "is Greek"},
		{"аννα", "is Greek"},
		{"annaᎪ", "is Cherokee"},
		{"annaօ", "is Armenian"},
		{"王а", "is Cyrillic"},
		{"さ김", "is Hangul"},
		{"anさ김", `'さ' (U+3055) is Hiragana`},
		{"ㄅさ", "is Hiragana"},
		{"김ー", "is Hangul"},
		{"aー김", "is Hangul"},
		{"annaא", "is Hebrew"},
		{"אנהمحمد", "is Arabic"},
		{"x٢", "is Arabic"},
		{"xは\u064b", "is Arabic"},
		{"김\u3099", "Japanese"},
		{"Оля\u0951", "is Devanagari"},
		{"𐌀𐌁", "names are not written in its script"},
		{"ᚠᚢ", "names are not written in its script"},
		{"ⲟⲟ", "names are not written in its script"},
		{"x1２", "digits of another kind"},
		{"محمد1٢", "digits of another kind"},
		{"1אנה", "begins with a letter"},
	} {
		err := nickname.Check(tt.name)
		if err == nil {
			t.Errorf("%+q is a name, want: %s", tt.name, tt.why)
			continue
		}
		if !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%+q: %v, want: %s", tt.name, err, tt.why)
		}
		if s := err.Error(); screen.Line(screen.Untrusted(s), screen.Style{}) != s || strings.HasSuffix(s, ".") {
			t.Errorf("%+q: the error is %+q", tt.name, s)
		}
	}
}
