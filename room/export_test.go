package room

// For the tests: what is in no other way to be seen from outside.
var (
	Parse     = parse
	NextLine  = nextLine
	AppendEnded = appendEnded
)

// MaxLine is maxLine.
const MaxLine = maxLine

// Lines gives what others get of a message.
func Lines(said []byte, label string) [][]byte {
	var b batch
	some := false
	for len(said) > 0 {
		var line []byte
		if line, said = nextLine(said); len(line) > 0 {
			b.add(nil, label, safe(line))
			some = true
		}
	}
	if !some {
		b.add(nil, label)
	}
	return b.bodies()
}
