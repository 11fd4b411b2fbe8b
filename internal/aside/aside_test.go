package aside_test

import (
	"runtime"
	"testing"

	"duet.example/duet/internal/aside"
)

func TestDo(t *testing.T) {
	called := false
	aside.Do(func() { called = true })
	if !called {
		t.Error("Do returned before it had called")
	}
}

func TestDo_Panics(t *testing.T) {
	defer func() {
		if p := recover(); p != "deep" {
			t.Errorf("the caller panics with %v", p)
		}
	}()
	aside.Do(func() { panic("deep") })
	t.Error("Do returned after a panic")
}

// A function that leaves its goroutine leaves only that.
func TestDo_Goexit(*testing.T) { aside.Do(runtime.Goexit) }
