// Package aside calls functions on a stack of their own. A desk and a room publish events that way, which goes deep, so that the stacks of
// idle conversations stay small.
package aside

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// A Panic is what the caller of [Do] panics with: a panic of the function, which was in another goroutine.
type Panic struct {
	// Value is the argument of panic.
	Value any
	// Stack is the stack of the panic, as debug.Stack prints it.
	Stack []byte
}

// Error contains the stack too: if nobody recovers, the process ends with this text.
func (p *Panic) Error() string { return fmt.Sprintf("%v\n\n%s", p.Value, p.Stack) }

// Unwrap returns the value, if that is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// goexit stands for a function that has called runtime.Goexit.
var goexit = new(Panic)

// Do calls f in another goroutine and waits for it. f may go deep, and the caller's stack does not grow with it. A stack that has grown
// stays large for as long as its goroutine waits, and a conversation may wait for days (performance.md, rule 2).
//
// If f panics, Do panics with a [*Panic]. If f calls runtime.Goexit, Do does too.
func Do(f func()) {
	done := make(chan *Panic)
	go call(f, done)
	switch p := <-done; p {
	case nil:
	case goexit:
		runtime.Goexit()
	default:
		panic(p)
	}
}

func call(f func(), done chan<- *Panic) {
	end := goexit
	defer func() {
		if v := recover(); v != nil {
			end = caught(v)
		}
		done <- end
	}()
	f()
	end = nil
}

// caught makes a Panic of v, which recover has returned. A Panic of a Do inside keeps its stack.
func caught(v any) *Panic {
	if p, ok := v.(*Panic); ok {
		return p
	}
	return &Panic{Value: v, Stack: debug.Stack()}
}

// Recovered returns the original value and the stack of a panic, if v is what recover has returned. The deferred function that
// has called recover calls it, while the stack still shows the panic.
func Recovered(v any) (value any, stack []byte) {
	p := caught(v)
	return p.Value, p.Stack
}
