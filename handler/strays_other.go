//go:build !linux

package handler

import "os/exec"

// strays are not found here.
type strays struct{}

func watchStrays(*guard) (*strays, error) { return nil, nil }

func (*strays) look() {}

func (*strays) end() {}

func (*strays) close() {}

// startProgram starts cmd. Nothing ends it when this process is killed but the guard of a Custody.
func startProgram(cmd *exec.Cmd) error { return cmd.Start() }

func programEnded() {}
