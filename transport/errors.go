package transport

import (
	"fmt"
	"strconv"
)

// AddressError says why a text is no address, or why an address cannot be used here.
type AddressError struct {
	Text   string // what was given
	Reason string // what is wrong with it, in words for a person
}

func (e *AddressError) Error() string {
	return "address " + strconv.Quote(e.Text) + ": " + e.Reason
}

// SchemeError refuses an address whose scheme is unknown or not there yet.
type SchemeError struct {
	Scheme string // in lower case, without colon
}

func (e *SchemeError) Error() string {
	if e.Planned() {
		return e.Scheme + " addresses are not supported yet"
	}
	return "unknown address scheme " + strconv.Quote(e.Scheme)
}

// Planned reports whether the scheme is one that is meant to come.
func (e *SchemeError) Planned() bool { return isPlanned(e.Scheme) }

// DescriptorError says why a file descriptor is not the socket that was asked for.
type DescriptorError struct {
	FD   int    // its number
	Want string // what it had to be: "a listening stream socket" or "a connected stream socket"
	Got  string // what it is, where that is known: "no open descriptor", "a datagram socket"
	Err  error  // what the system said, if it said something
}

func (e *DescriptorError) Error() string {
	s := fmt.Sprintf("descriptor %d is not %s", e.FD, e.Want)
	if e.Got != "" {
		s += " but " + e.Got
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *DescriptorError) Unwrap() error { return e.Err }

// ActivationError says why no socket could be taken from systemd.
type ActivationError struct {
	Reason string
}

func (e *ActivationError) Error() string { return "systemd: " + e.Reason }
