package room

import (
	"errors"

	"duet.example/duet"
	"duet.example/duet/internal/aside"
)

// errNoReturn: a member's goroutine has left the hall without an error: by a panic, or by runtime.Goexit.
var errNoReturn = errors.New("the hall failed")

// apart calls f on a stack of its own, so that an idle member keeps a small one: it takes 11 KB instead of 20 KB. A panic comes back as a
// [*duet.PanicError]. If f calls runtime.Goexit, apart does too.
//
//go:noinline
func apart(f func() error) (err error) {
	aside.Do(func() {
		defer func() {
			if p := recover(); p != nil {
				value, stack := aside.Recovered(p) // here, where the stack still shows it
				err = &duet.PanicError{Value: value, Stack: stack}
			}
		}()
		err = f()
	})
	return err
}
