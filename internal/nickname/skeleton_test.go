package nickname_test

import (
	"strings"
	"testing"
	"unicode"

	"duet.example/duet/internal/nickname"
)

func TestAlike(t *testing.T) {
	for _, class := range [][]string{
		{"anna", "Anna", "ANNA", "аnnа", "ａｎｎａ", "𝐚𝐧𝐧𝐚", "ɑnnɑ", "ᴀɴɴᴀ", "an\u200bna", "an\ufe0fna", "ꓮꓠꓠꓮ", "ⓐnna"},
		{"coco", "сосо", "СОСО", "c0c0", "COCO", "ℂ𝟘co", "ꓚꓳꓚꓳ"},
		{"Bill", "Biil", "BILL", "B1ll", "bⅠⅼ1", "Вill", "Ᏼill", "ВІІІ"},
		{"corner", "comer", "CORNER", "соmеr"},
		{"wow", "vvow", "ԝоԝ", "WOVV"},
		{"Ömer", "ömer", "O\u0308mer", "ömеr", "Ӧmer"},
		{"ŏx", "ǒx"},
		{"ţx", "țx"},
		{"ix", "İx", "ıx", "i\u0307x"},
		{"Straße", "STRASSE", "STRAẞE"},
		{"Ольга", "ольга", "ОЛЬГА"},
		{"Αλέξανδρος", "ΑΛΈΞΑΝΔΡΟΣ", "αλέξανδροσ"},
		{"ᏣᎳᎩ", "ꮳꮃꭹ"},
		{"გიორგი", "ᲒᲘᲝᲠᲒᲘ"},
		{"カ", "力", "ｶ"},
		{"ロx", "口x"},
		{"ガ", "ｶﾞ", "カ\u3099"},
		{"\u05e1\u05d5", "ol", "\u0665\u0627"},
		{"\u0639\u0644\u06cc", "\u0639\u0644\u0649"},
		{"Đx", "Ðx", "Ɖx", "đx"},
		{"Oʼneil", "Oʻneil"},
		{"viva", "νινα", "ѵіѵа", "ᏙᎥᏙᎪ"},
	} {
		for _, name := range class {
			if got, want := nickname.Skeleton(name), nickname.Skeleton(class[0]); got != want {
				t.Errorf("%q: %+q, but %q: %+q", name, got, class[0], want)
			}
		}
	}
}

// Small and capital letters of one name may look like different letters.
func TestAlikeInAnyCase(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"ΝΙΝΑ", "Nina", true},
		{"νιρ", "vip", true},
		{"ΝΙΡ", "vip", true}, // it may be written in small letters at any time
		{"Vick", "Nick", false},
		{"ΗΥΜ", "HYM", true},
		{"ΗΥΜ", "hym", true},
		{"ΒΕΤΑ", "beta", true},
		{"ГДЕ", "ΓДΕ", true},
		{"anna", "anne", false},
	} {
		if got := nickname.Alike(tt.a, tt.b); got != tt.want {
			t.Errorf("Alike(%q, %q) = %v", tt.a, tt.b, got)
		}
		if got := nickname.Alike(tt.b, tt.a); got != tt.want {
			t.Errorf("Alike(%q, %q) = %v", tt.b, tt.a, got)
		}
	}
}

func TestApart(t *testing.T) {
	seen := map[string]string{}
	for _, name := range append([]string{
		"Omer", "Lukasz", "Jose", "Zoe", "nana", "vava", "uaua", "5a", "sa", "2a", "za", "a-b", "a_b", "ab", "dom", "clom", "g9", "q9",
		"ñana", "ão", "äo", "áo", "ào", "åo", "ao", "øo", "ö2", "ő2",
	}, good...) {
		s := nickname.Skeleton(nickname.Clean(name))
		if other, ok := seen[s]; ok {
			t.Errorf("%q and %q: %+q", name, other, s)
		}
		seen[s] = name
	}
}

// Every letter, in every case, is alike to itself, and a skeleton is its own.
func TestSkeletonOfEveryCharacter(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !unicode.In(r, unicode.L, unicode.M, unicode.N) {
			continue
		}
		s := nickname.Skeleton(string(r))
		if again := nickname.Skeleton(s); again != s {
			t.Errorf("%U: %+q, and of that %+q", r, s, again)
		}
		for c := unicode.SimpleFold(r); c != r; c = unicode.SimpleFold(c) {
			if got := nickname.Skeleton(string(c)); got != s {
				t.Errorf("%U: %+q, and in another case, %U: %+q", r, s, c, got)
			}
		}
	}
}

func TestLatinLookAlikes(t *testing.T) {
	for latin, others := range map[string]string{
		"a": "аαɑᴀᎪꓮᗅ", "b": "ВвΒЬᏴꓐᗷ", "c": "сᏟꓚᑕ", "d": "ԁᎠꓓᗪ", "e": "еᎬꓰⴹ", "f": "ꓝᖴ", "g": "ցᏀꓖ", "h": "һнᎻꓧᕼ", "j": "јյᎫꓙᒍ",
		"k": "кκᏦꓗ", "l": "1Iiі|ӏιᏞꓡᒪⵏ", "m": "мᎷꓟᗰ", "n": "ոꓠ", "o": "0оοօꓳⵔ٥০", "p": "рρᏢꓑᑭ", "q": "ԛզ", "r": "гᎡꓣᖇ", "s": "ѕᏚꓢᔕ",
		"t": "тτᎢꓔ", "u": "υսꓴᑌ", "v": "ѵνᏙꓦᐯ", "w": "ԝᎳꓪᗯ", "x": "хχꓫ᙭", "y": "уүγᎽꓬ", "z": "ζᏃꓜ",
	} {
		for _, r := range others {
			if !strings.EqualFold(nickname.Skeleton(string(r)), nickname.Skeleton(latin)) {
				t.Errorf("%c (%U) is not taken for %s: %q", r, r, latin, nickname.Skeleton(string(r)))
			}
		}
	}
}
