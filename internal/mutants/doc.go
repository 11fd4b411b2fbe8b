// Package mutants shows that every guard is watched by a test: it takes one guard at a time out of a copy of the
// code (a deadline, a cap, a bound of a queue, a character that is spelled out) and wants to see a test turn red.
// It has tests only; `make mutants` runs all of it, and guards/ says what is taken out.
//
// A file there holds mutants, with blank lines between them, and comments that begin with #:
//
//	name:  conn-send-timeout
//	file:  internal/wire/write.go
//	test:  . TestSlowPeer
//	-	if w.timeout > 0 && (!w.waited || w.n > w.start) {
//	+	if false {
//
// Lines with - and those with a blank before them must stand in the file exactly once, together, and become
// those with + and a blank; @@ begins such lines elsewhere in the file. Each test is a package and what -run takes; one of them turning red is
// enough. `hang: red` is for guards without which a test ends in its timeout only.
package mutants
