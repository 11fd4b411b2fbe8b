package transport

import (
	"fmt"
	"strconv"
)

// AddressError is the error for a text that is no address, or for an address that cannot be used here.
type AddressError struct {
	Text   string // the text or the address
	Reason string // the fault, as a text for people
}

func (e *AddressError) Error() string {
	return "address " + strconv.Quote(e.Text) + ": " + e.Reason
}

// SchemeError is the error for an address whose scheme is unknown or not supported yet.
type SchemeError struct {
	Scheme string // in lower case, without colon
}

func (e *SchemeError) Error() string {
	if e.Planned() {
		return e.Scheme + " addresses are not supported yet"
	}
	return "unknown address scheme " + strconv.Quote(e.Scheme)
}

// Planned reports whether a later version is to support the scheme.
func (e *SchemeError) Planned() bool { return isPlanned(e.Scheme) }

// DescriptorError is the error for a file descriptor that is not the required socket.
type DescriptorError struct {
	FD   int    // the descriptor's number
	Want string // the required kind: "a listening stream socket" or "a connected stream socket"
	Got  string // the actual kind, if it is known: "no open descriptor", "a socket of another type"
	Err  error  // the system's error; may be nil
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

// ActivationError is the error if systemd did not pass exactly one socket.
type ActivationError struct {
	Reason string // the fault, as a text for people
}

func (e *ActivationError) Error() string { return "systemd: " + e.Reason }
