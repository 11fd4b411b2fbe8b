package main

import (
	"io"
	"os"

	"golang.org/x/term"

	"duet.example/duet/internal/screen"
)

// A terminalLines is an output that is a terminal, for lines: it wraps them and sets them in, so that no part of a peer's
// text stands where duet's own lines begin. All lines that duet prints go through it, unless the editor has the screen.
type terminalLines struct {
	*screen.Rows
	f *os.File // for what is not lines: the editor, the bytes of a pipe, scripts of shells
}

// linesOn is stream, for lines.
func linesOn(stream io.Writer) io.Writer {
	if !isTerminal(stream) {
		return stream
	}
	f := stream.(*os.File)
	return &terminalLines{screen.NewRows(f, func() int {
		columns, _, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 0
		}
		return columns
	}), f}
}

// bytesOn is what linesOn was made of.
func bytesOn(stream io.Writer) io.Writer {
	if t, ok := stream.(*terminalLines); ok {
		return t.f
	}
	return stream
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	if _, ok := stream.(*terminalLines); ok {
		return true
	}
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
