// Command duet holds two-way conversations over TCP: `duet listen` is a server,
// `duet connect` a client. Run it with --help.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
