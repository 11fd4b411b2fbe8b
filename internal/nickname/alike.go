package nickname

import (
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// What looks like what, as pairs: a character, "=", and what stands for it and for all that look like it. Case is
// folded and compatibility forms are taken apart before, so the pairs are of small letters, as a rule.
//
// That these look alike is what Unicode Technical Standard 39 says (its data file confusables.txt); the choice, and
// what stands for a class, are ours. In it: the letters and digits of living scripts that look like basic Latin or
// like each other within one script, and small capitals. Not in it: letters of historic scripts, which no name is
// written in; Chinese characters that differ by a stroke only, but for a few; simplified and traditional forms of one
// character; letters with hooks, tails and strokes, which stay apart from those without; what looks alike
// in handwriting or in italics only.
const (
	latin = `0=o 1=l i=l |=l m=rn w=vv ß=ss æ=ae œ=oe
		ı=l ȷ=j ɑ=a ɡ=g ɩ=l ɪ=l ʟ=l ʙ=b ᴀ=a ᴄ=c ᴅ=d ᴇ=e ꜰ=f ɢ=g ʜ=h ᴊ=j ᴋ=k ĸ=k ᴍ=rn ɴ=n ᴏ=o ᴘ=p ʀ=r ꜱ=s ᴛ=t
		ᴜ=u ʋ=u ᴠ=v ᴡ=vv ʏ=y ɣ=y ᴢ=z ƅ=b ƨ=2 ƽ=5 ʒ=3 ȝ=3 ɜ=3 ȣ=8 ɵ=ө ð=đ ɖ=đ ǝ=ə ꞵ=b ꭓ=x ɸ=φ ɯ=ш ꟾ=l ǀ=l`

	cyrillic = `а=a в=b с=c ԁ=d е=e ԍ=g н=h һ=h і=l ӏ=l ј=j к=k м=rn о=o р=p ԛ=q г=r ѕ=s т=t у=y ү=y ѵ=v ԝ=vv ѡ=vv х=x
		ь=b ы=bl ю=lo з=3 ӡ=3 б=6 ѳ=ө ә=ə є=ɛ ԑ=ɛ ф=φ ӕ=ae ѱ=ψ ԉ=љ`

	greek = `α=a β=b γ=y ε=ɛ ζ=z η=ŋ ι=l κ=k ν=v ο=o ρ=p σ=o τ=t υ=u χ=x ω=vv ϳ=j θ=ө λ=л π=п ϸ=þ ͻ=ɔ ϝ=f`

	armenian = `ո=n ս=u օ=o ց=g զ=q հ=h յ=j լ=l շ=2`

	// Cherokee, Canadian syllables, Lisu and Tifinagh have letters as tall as Latin capitals.
	cherokee = `Ꭰ=d Ꭱ=r Ꭲ=t Ꭵ=l Ꭹ=y Ꭺ=a Ꭻ=j Ꭼ=e Ꮁ=r Ꮃ=vv Ꮇ=rn Ꮋ=h Ꮍ=y Ꮐ=g Ꮒ=h Ꮓ=z Ꮖ=l Ꮞ=4 Ꮟ=b Ꮢ=r Ꮤ=vv Ꮥ=s Ꮩ=v Ꮪ=s
		Ꮮ=l Ꮯ=c Ꮲ=p Ꮶ=k Ꮷ=d Ᏻ=g Ᏼ=b`
	canadian = `ᐯ=v ᑌ=u ᑭ=p ᑯ=d ᑲ=b ᒍ=j ᒪ=l ᒿ=2 ᕼ=h ᖇ=r ᖴ=f ᗅ=a ᗞ=d ᗪ=d ᗰ=rn ᗷ=b ᙭=x ᑕ=c ᗯ=vv ᔕ=s ᘔ=z`
	lisu     = `ꓐ=b ꓑ=p ꓒ=d ꓓ=d ꓔ=t ꓖ=g ꓗ=k ꓙ=j ꓚ=c ꓜ=z ꓝ=f ꓟ=rn ꓠ=n ꓡ=l ꓢ=s ꓣ=r ꓦ=v ꓧ=h ꓪ=vv ꓫ=x ꓬ=y ꓮ=a ꓰ=e ꓲ=l ꓳ=o ꓴ=u`
	tifinagh = `ⵏ=l ⵔ=o ⴸ=v ⴹ=e ⵝ=x ⵑ=l`

	// Letters and digits that are a circle or a line, in scripts that look like Latin in these only.
	circles = `ყ=y ჿ=o ዐ=o ሀ=u ०=o ০=o ੦=o ૦=o ୦=o ଠ=o ం=o ౦=o ಂ=o ೦=o ം=o ൦=o ഠ=o ං=o ๐=o ໐=o ဝ=o ၀=o ០=o ௦=o
		৪=8 ੪=8 ৭=9 ੧=9 ୨=9`

	// Written from right to left: Hebrew, Arabic and N'Ko, by their numbers, for editors turn them round.
	toLeft = "\u05d5=l \u05df=l \u05e1=o \u05d8=v " +
		"\u0627=l \u0647=o \u06d5=o \u06c1=o \u06be=o \u0661=l \u06f1=l \u0665=o \u06f5=o \u0667=v \u06f7=v " +
		"\u06a9=\u0643 \u06aa=\u0643 \u06cc=\u0649 \u0660=. \u06f0=. \u07c0=o \u07ca=l"

	// Kana and Chinese characters.
	cjk = `力=カ 口=ロ 囗=ロ 二=ニ 工=エ 卜=ト 八=ハ 夕=タ 才=オ 千=チ 丶=ヽ 丿=ノ へ=ヘ り=リ 一=ー 三=ミ 士=土 曰=日 巳=己 已=己 未=末 壬=王 夭=天 戊=戌 人=入`

	// Signs and marks.
	marks = "ʻ=ʼ \u030c=\u0306 \u0307=\u030a \u0327=\u0326 \u0328=\u0326 \u0340=\u0300 \u0341=\u0301 \u0342=\u0303 \u0313=\u0315 \u0314=\u0315"

	// capital is what letters look like as capitals, where that is something else.
	capital = `β=b γ=г г=г ε=e η=h μ=rn ν=n σ=ʃ υ=y տ=s`
)

// Both are made for the first name: most of what duet does has none.
var (
	alike    = tables(latin, cyrillic, greek, armenian, cherokee, canadian, lisu, tifinagh, circles, toLeft, cjk, marks)
	capitals = tables(capital)
)

func tables(all ...string) func() map[rune]string {
	return sync.OnceValue(func() map[rune]string { return pairs(all...) })
}

// pairs reads tables as above.
func pairs(tables ...string) map[rune]string {
	m := make(map[rune]string)
	for _, table := range tables {
		for pair := range strings.FieldsSeq(table) {
			from, to, _ := strings.Cut(pair, "=")
			r, _ := utf8.DecodeRuneInString(from)
			m[fold(r)] = norm.NFD.String(to)
		}
	}
	return m
}
