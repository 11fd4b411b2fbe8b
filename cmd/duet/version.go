package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is the version of a release, set when it is linked: -ldflags '-X main.release=1.2.3'.
var release string

// version says which duet this is.
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
