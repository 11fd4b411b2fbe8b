package admission

import "strings"

// MaxRemembered is maxRemembered.
const MaxRemembered = maxRemembered

// ReadRulesFrom reads rules as ReadRules does from a file of that name with that text.
func ReadRulesFrom(text, name string) (Rules, error) { return readRules(strings.NewReader(text), name) }

// Held returns the numbers of hosts, of addresses with a pending peer, of meters and of departures that the gate holds.
func (g *Gate) Held() (hosts, pending, meters, departures int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.hosts.byAddr), len(g.pending), len(g.meters), len(g.hosts.departures)
}
