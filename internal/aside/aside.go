// Package aside calls functions on a stack of their own.
package aside

// Do calls f in another goroutine and waits for it: f may go deep, and the caller's stack does not grow with it. A stack
// that has grown stays so for as long as its goroutine waits, and a conversation may wait for days; 2 KiB have to do for it
// (performance.md, rule 2). A panic of f is the caller's.
func Do(f func()) {
	done := make(chan any)
	go call(f, done)
	if p := <-done; p != nil {
		panic(p)
	}
}

func call(f func(), done chan<- any) {
	defer func() { done <- recover() }()
	f()
}
