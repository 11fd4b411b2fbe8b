package handler

import "time"

// departureLook is how soon a watchdog notices that the peer has gone, while nothing else makes it look.
const departureLook = 250 * time.Millisecond

// A departure notices that the peer has gone while nobody reads from it. The watchdog checks it at each of its looks.
type departure struct {
	every  time.Duration           // how often the watchdog looks at least; 0: only for its other limits
	notify func(err error) silence // nil: nobody asks. It is called once, and returns what ends the copy then
}

// check calls notify if the connection has failed.
func (p *departure) check(conn inspector) (s silence, departed bool) {
	if p.notify == nil {
		return silence{}, false
	}
	err := conn.pendingError(false)
	if err == nil {
		return silence{}, false
	}
	return p.notify(err), true
}

// watchDeparture has notify called soon after the peer has gone, although nobody reads from it. The watchdog's mutex is held then.
func (d *watchdog) watchDeparture(notify func(err error) silence) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.departure = departure{every: departureLook, notify: notify}
	d.schedule()
}

// endRead says that nobody reads from the peer any more, so that its departure has to be looked for.
func (d *watchdog) endRead() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.departure.every = departureLook
	d.schedule()
}

// ignoreDeparture undoes watchDeparture.
func (d *watchdog) ignoreDeparture() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.departure = departure{}
}
