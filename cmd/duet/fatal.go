package main

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// fatalSignals are those at which Go prints the stacks of all goroutines and exits with code 2. They are sent to a
// program that hangs, or is to tell where it is. Faults of the program itself take the same way, but not through here.
var fatalSignals = []os.Signal{
	syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGILL, syscall.SIGTRAP, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV,
}

// fatalTime is how long what is registered for a fatal signal may take in all. What hangs must not keep the signal from
// its work.
const fatalTime = 2 * time.Second

// A fatal holds what has to be done before a signal of fatalSignals ends the process: to give the terminal back, to end
// programs. The zero fatal is empty. All methods may be called at the same time.
type fatal struct {
	mu    sync.Mutex
	last  int
	funcs map[int]func()
}

// before has f called before a fatal signal does its work, unless remove is called first. f must not need a goroutine
// that may hang. All that is registered is called at once, each in a goroutine of its own.
func (x *fatal) before(f func()) (remove func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.funcs == nil {
		x.funcs = make(map[int]func())
	}
	x.last++
	id := x.last
	x.funcs[id] = f
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		delete(x.funcs, id)
	}
}

// run calls what is registered, and waits at most d for it.
func (x *fatal) run(d time.Duration) {
	x.mu.Lock()
	var all sync.WaitGroup
	for _, f := range x.funcs {
		all.Go(f)
	}
	x.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		all.Wait()
	}()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// watch runs what is registered at a fatal signal, and then lets the signal do its work. A signal that was ignored when
// duet was started stays so.
func (x *fatal) watch() (stop func()) {
	c := make(chan os.Signal, 1)
	for _, sig := range fatalSignals {
		if !signal.Ignored(sig) {
			signal.Notify(c, sig)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sig := range c {
			x.run(fatalTime)
			signal.Reset(sig)
			raise(sig)
		}
	}()
	return func() {
		signal.Stop(c)
		close(c)
		<-done
	}
}
