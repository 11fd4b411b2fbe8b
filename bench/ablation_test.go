package main

import (
	"os/exec"
	"runtime"
	"testing"
)

// TestPatches_Apply: each patch of an ablation applies to duet as it is, and what it makes compiles.
func TestPatches_Apply(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the mechanisms are those of Linux")
	}
	all, err := patches()
	if err != nil || len(all) == 0 {
		t.Fatalf("patches: %v, %v", all, err)
	}
	for _, patch := range all {
		t.Run(mechanism(patch), func(t *testing.T) {
			file, err := overlay(t.Context(), patch, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			c := exec.CommandContext(t.Context(), "go", "vet", "-overlay", file, "./internal/bulk")
			c.Dir = ".."
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
