package main

import (
	"os"
	"syscall"

	"duet.example/duet"
)

// Exit codes; the man page and the README have the same list.
const (
	exitOK      = 0 // ended well
	exitFailed  = 1 // failed
	exitUsage   = 2 // usage
	exitConnect = 3 // could not connect or bind
	exitPeer    = 4 // the peer is not who it should be (TLS, identity)
	exitTimeout = 5 // timed out
	exitCut     = 6 // cut off: reset, or ended inside a message
	exitExpect  = 7 // a script's expectation failed
	// 129, 130, 143: ended by SIGHUP, SIGINT, SIGTERM.
	exitSignal = 128
)

const exitHelp = `Exit codes:
  0    ended well
  1    failed
  2    usage
  3    could not connect or bind
  4    the peer is not who it should be (TLS, identity)
  5    timed out
  6    cut off: reset, or ended inside a message
  7    a script's expectation failed
  129, 130, 143  ended by SIGHUP, SIGINT, SIGTERM`

// codeOf is the exit code of a conversation's ending.
func codeOf(r duet.EndReason) int {
	switch r {
	case duet.EndNone, duet.EndFarewell, duet.EndPeerClosed, duet.EndClosed, duet.EndShutdown, duet.EndKicked:
		return exitOK
	case duet.EndIdle, duet.EndTimeout, duet.EndSlowPeer:
		return exitTimeout
	case duet.EndReset, duet.EndCut:
		return exitCut
	case duet.EndRefused:
		return exitConnect
	}
	return exitFailed
}

// codeOfSignal is the exit code of a program that a signal ended.
func codeOfSignal(sig os.Signal) int {
	if n, ok := sig.(syscall.Signal); ok {
		return exitSignal + int(n)
	}
	return exitFailed
}
