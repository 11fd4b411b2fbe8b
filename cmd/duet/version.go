package main

import (
	"fmt"
	"io"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
)

// release is the version of a release, set when it is linked: -ldflags '-X main.release=1.2.3'.
var release string

// asksVersion reports whether args ask for the version in the usual way. Cobra understands other ways, such as --version=true.
func asksVersion(args []string) bool {
	return len(args) == 1 && (args[0] == "--version" || args[0] == "-v")
}

// printVersion prints the version and returns the exit code. It needs nothing that other runs set up, so that the answer is quick.
func printVersion(stdout, stderr io.Writer) int {
	signal.Ignore(syscall.SIGPIPE) // a reader that has gone is an error to report, as in every other run
	defer signal.Reset(syscall.SIGPIPE)
	if _, err := fmt.Fprintf(stdout, "duet %s\n", version()); err != nil {
		return (&app{stderr: linesOn(stderr)}).report(err)
	}
	return exitOK
}

// version returns the version of this program, followed by that of Go and by the system.
func version() string {
	v := release
	if v == "" {
		v = "devel"
		if bi, ok := debug.ReadBuildInfo(); ok && bi.Main.Version != "" && bi.Main.Version != "(devel)" {
			v = bi.Main.Version
		}
	}
	return fmt.Sprintf("%s (%s %s/%s)", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
