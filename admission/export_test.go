package admission

import "strings"

// MaxRemembered is maxRemembered.
const MaxRemembered = maxRemembered

// ReadRulesFrom is ReadRules of a text.
func ReadRulesFrom(text, name string) (Rules, error) { return readRules(strings.NewReader(text), name) }

// Held is how much the gate holds: hosts, places taken, conversations with a bucket, departures.
func (g *Gate) Held() (hosts, admitted, talking, left int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.hosts.byAddr), len(g.admitted), len(g.talking), len(g.hosts.left)
}
