package main

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
)

func TestFullIsToldNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		f := &fullness{say: func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) }}
		tr := f.trace()
		refused := func(err error, want ...string) {
			t.Helper()
			tr.Refused(nil, err)
			if !slices.Equal(told, want) {
				t.Errorf("told %q, want %q", told, want)
			}
			told = nil
		}
		full := &duet.Error{Op: "accept", Reason: duet.EndRefused, Err: duet.ErrFull}
		for range 3 {
			tr.ConnStart(nil)
		}
		refused(errors.New("address denied"))
		refused(full, "full: 3 conversations; peers are refused")
		refused(full)
		tr.ConnEnd(nil, duet.EndPeerClosed, nil)
		tr.ConnEnd(nil, duet.EndPeerClosed, nil)
		time.Sleep(fullEvery - time.Nanosecond)
		refused(full)
		time.Sleep(time.Nanosecond)
		refused(full, "full: 1 conversation; peers are refused")
		refused(full)
	})
}
