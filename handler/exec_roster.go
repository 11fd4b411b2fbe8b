package handler

import (
	"strings"
	"sync"
)

// running holds the programs that this process has started and that have not ended, or whose groups have not.
var running roster

type roster struct {
	// starting is held for reading while a program is started and put into all. A Reaper holds it for writing while it tells programs
	// from orphans.
	starting sync.RWMutex

	mu     sync.Mutex
	all    map[*process]struct{}
	reaper *Reaper // nil: none
}

// add notes a program that was started. starting is held.
func (r *roster) add(p *process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = make(map[*process]struct{})
	}
	r.all[p] = struct{}{}
	if c := r.reaper; c != nil {
		c.guard.note('+', p.cmd.Process.Pid)
	}
}

// remove notes that a program and its group have gone.
func (r *roster) remove(p *process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, p)
	if c := r.reaper; c != nil {
		c.guard.note('-', p.cmd.Process.Pid)
		c.look()
	}
}

// groups returns the numbers of all groups, and the marks of their programs.
func (r *roster) groups() (numbers map[int]bool, marks map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	numbers, marks = make(map[int]bool), make(map[string]bool)
	for p := range r.all {
		numbers[p.cmd.Process.Pid] = true
		for _, v := range p.cmd.Env {
			if strings.HasPrefix(v, markPrefix) {
				marks[v] = true
			}
		}
	}
	return numbers, marks
}

// markPrefix is the beginning of the variable that says to which program a process belongs. It holds also outside the group.
const markPrefix = "DUET_ID="

// kill kills all groups.
func (r *roster) kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p := range r.all {
		p.signal(true)
	}
}

// setReaper makes c the only Reaper; nil: none.
func (r *roster) setReaper(c *Reaper) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reaper = c
}
