package main

import (
	"context"
	"net/http/httptrace"
)

// watchConnect has --explain told of each attempt to connect, when it ends. It is here because httptrace links crypto/tls, which the
// library must not.
func watchConnect(ctx context.Context, done func(network, address string, err error)) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{ConnectDone: done})
}
