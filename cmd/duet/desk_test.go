package main

import (
	"strings"
	"testing"

	"duet.example/duet/internal/nickname"
)

// An operator's name is as long as any other, however long the user's is.
func TestOperatorName(t *testing.T) {
	for _, user := range []string{"anna", strings.Repeat("王", 40), strings.Repeat("x", 100)} {
		t.Setenv("USER", user)
		if name, err := operatorName(""); err != nil || !nickname.Fits(name) || !strings.HasPrefix(name, user[:3]) || !strings.Contains(name, "-") {
			t.Errorf("%s: %q, %v", user, name, err)
		}
	}
	for given, good := range map[string]bool{
		strings.Repeat("x", 64): true, strings.Repeat("王", 32): true, strings.Repeat("x", 65): false, strings.Repeat("王", 33): false,
	} {
		if name, err := operatorName(given); good != (err == nil) || good && name != given {
			t.Errorf("%s: %q, %v", given, name, err)
		}
	}
}
