package screen

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// maxHeldLine bounds what Rows holds of a line that has not ended, in bytes.
const maxHeldLine = 1 << 20

// Rows writes lines to a terminal in rows that fit it, as [Wrap] cuts them: the terminal wraps none itself, which would
// put a part of a line where the next one begins. The lines are safe text. What has no line end yet is held until it has
// one, or is longer than 1 MiB.
//
// All methods may be called at the same time.
type Rows struct {
	w       io.Writer
	columns func() int

	mu   sync.Mutex
	held []byte
}

// NewRows returns Rows onto w. columns is asked at each Write how wide the terminal is; 80 is taken where it does not know
// and gives zero or less.
func NewRows(w io.Writer, columns func() int) *Rows { return &Rows{w: w, columns: columns} }

// Write writes the lines that p ends, each with all of its rows, in one Write.
func (r *Rows) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	end := bytes.LastIndexByte(p, '\n') + 1
	if end == 0 && len(r.held)+len(p) <= maxHeldLine {
		r.held = append(r.held, p...)
		return len(p), nil
	}
	if end == 0 {
		end = len(p)
	}
	lines := string(append(r.held, p[:end]...))
	r.held = append(r.held[:0], p[end:]...)
	width := r.columns()
	if width <= 0 {
		width = 80
	}
	var b strings.Builder
	for line := range strings.Lines(lines) {
		for _, row := range Wrap(strings.TrimSuffix(line, "\n"), width-1, true) {
			b.WriteString(row)
			b.WriteByte('\n')
		}
	}
	if _, err := io.WriteString(r.w, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}
