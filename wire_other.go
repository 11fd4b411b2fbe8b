//go:build !unix

package duet

// initRaw leaves the wire with the net.Conn's own Read and Write.
func (w *wire) initRaw() {}

// readWithinBudget has nothing to change: receive reads no more than it may.
func (c *Conn) readWithinBudget() {}

// readReady is never called, as writeReady below.
func (w *wire) readReady(uintptr) bool { return true }

// awaitRead leaves it to Read to wait.
func (w *wire) awaitRead() error { return nil }

// unread cannot be known here.
func (w *wire) unread() bool { return false }

// takeRest cannot read without waiting here.
func (w *wire) takeRest(int) (rest []byte, unread bool, err error) { return nil, false, nil }

// writeReady is never called: there is no descriptor.
func (w *writing) writeReady(uintptr) bool { return true }

func (w *writing) writeOnce(uintptr) {}
