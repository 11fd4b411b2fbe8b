package room

import (
	"errors"
	"runtime/debug"

	"duet.example/duet"
)

// errNoReturn: something in the hall ended its goroutine.
var errNoReturn = errors.New("the hall failed")

// apart runs f in a goroutine that ends with it, and waits for that. What f needs of the stack is so given back: a stack that has grown
// to 4 KiB shrinks no more while one waits in Receive, and most members are idle most of the time. A panic comes back as a [*duet.PanicError].
//
//go:noinline
func apart(f func() error) error {
	done := make(chan error)
	go func() {
		err := errNoReturn
		defer func() {
			if p := recover(); p != nil {
				err = &duet.PanicError{Value: p, Stack: debug.Stack()}
			}
			done <- err
		}()
		err = f()
	}()
	return <-done
}
