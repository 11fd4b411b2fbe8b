package handler

import (
	"strings"
	"sync"
)

// running are the programs that this process has started and that have not ended, or whose groups have not.
var running roster

type roster struct {
	// starting is held for reading from before a program is started until it is in all, and for writing by a
	// Custody that tells programs from strays.
	starting sync.RWMutex

	mu      sync.Mutex
	all     map[*process]struct{}
	custody *Custody // nil: none
}

// add notes a program that was started. starting is held.
func (r *roster) add(p *process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = make(map[*process]struct{})
	}
	r.all[p] = struct{}{}
	if c := r.custody; c != nil {
		c.guard.note('+', p.cmd.Process.Pid)
	}
}

// remove notes that a program and its group have gone.
func (r *roster) remove(p *process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, p)
	if c := r.custody; c != nil {
		c.guard.note('-', p.cmd.Process.Pid)
		c.look()
	}
}

// groups gives the numbers of all groups, and the marks of their programs.
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

// markPrefix begins the variable that tells to which program a process belongs that has left its group.
const markPrefix = "DUET_ID="

// kill kills all groups.
func (r *roster) kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p := range r.all {
		p.signal(true)
	}
}

// take makes c the only Custody, or takes it away.
func (r *roster) take(c *Custody) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.custody = c
}
