package room

import (
	"errors"
	"runtime/debug"

	"duet.example/duet"
	"duet.example/duet/internal/aside"
)

// errNoReturn: something in the hall ended its goroutine.
var errNoReturn = errors.New("the hall failed")

// apart calls f on a stack of its own, since most members are idle most of the time. A panic comes back as a [*duet.PanicError].
//
//go:noinline
func apart(f func() error) error {
	err := errNoReturn
	aside.Do(func() {
		defer func() {
			if p := recover(); p != nil {
				err = &duet.PanicError{Value: p, Stack: debug.Stack()} // here, where the stack still shows it
			}
		}()
		err = f()
	})
	return err
}
