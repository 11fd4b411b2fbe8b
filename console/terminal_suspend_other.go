//go:build !unix

package console

const canSuspend = false

func stop() error { return nil }
