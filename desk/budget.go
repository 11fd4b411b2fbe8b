package desk

// smallEvent is the size, in bytes, from which on an event counts in the server's budget. Of smaller ones only so many may wait.
const smallEvent = 1 << 10

// hold counts the event as held by its conversation, because a subscriber has not read it.
func (e *Event) hold() { e.count(1) }

// release is the opposite of hold.
func (e *Event) release() { e.count(-1) }

func (e *Event) count(times int) {
	n := len(e.Body)
	if len(e.Text) > 0 && (n == 0 || &e.Text[0] != &e.Body[0]) {
		n += len(e.Text)
	}
	if e.conn != nil && n >= smallEvent {
		e.conn.Hold(times * n)
	}
}
