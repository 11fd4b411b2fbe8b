package aside_test

import (
	"errors"
	"runtime"
	"strings"
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

var errDeep = errors.New("deep")

func explode() { panic(errDeep) }

// recovered calls f and returns what Recovered makes of its panic.
func recovered(t *testing.T, f func()) (value any, stack string) {
	t.Helper()
	defer func() {
		v := recover()
		if v == nil {
			t.Fatal("no panic")
		}
		var b []byte
		value, b = aside.Recovered(v)
		stack = string(b)
	}()
	f()
	return nil, ""
}

// The caller's panic has the value and the stack of the function's.
func TestDo_Panics(t *testing.T) {
	for name, f := range map[string]func(){
		"in Do":        func() { aside.Do(explode) },
		"in Do in Do":  func() { aside.Do(func() { aside.Do(explode) }) },
		"without a Do": explode,
	} {
		value, stack := recovered(t, f)
		if value != errDeep || !strings.Contains(stack, "aside_test.explode") {
			t.Errorf("%s: value %v, stack\n%s", name, value, stack)
		}
	}
}

// A panic that nobody recovers tells the value and the stack, as any other does.
func TestDo_PanicText(t *testing.T) {
	defer func() {
		err, _ := recover().(error)
		if err == nil || !strings.HasPrefix(err.Error(), "deep\n") || !strings.Contains(err.Error(), "aside_test.explode") {
			t.Errorf("the panic says: %v", err)
		}
		if !errors.Is(err, errDeep) {
			t.Error("the panic is not the error that it was")
		}
	}()
	aside.Do(explode)
}

// A function that leaves its goroutine takes the caller along.
func TestDo_Goexit(t *testing.T) {
	left := make(chan bool, 1)
	go func() {
		returned := true
		defer func() { left <- !returned }()
		returned = false
		aside.Do(runtime.Goexit)
		returned = true
	}()
	if !<-left {
		t.Error("Do returned after Goexit")
	}
}
