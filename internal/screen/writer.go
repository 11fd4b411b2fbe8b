package screen

import "io"

// piece bounds the memory that one Write takes.
const piece = 16 << 10

// Writer writes a peer's stream to a terminal as safe text. Line ends, LF or CRLF, stay line ends (LF);
// everything else is as in [Line]. Its output does not depend on how the stream is cut into Writes: an
// incomplete character, a CR, or a joiner whose effect depends on what follows is held, never more than
// a few bytes, until the next Write or Flush. One goroutine at a time may use it.
type Writer struct {
	w    io.Writer
	p    painter
	held []byte
	err  error
}

// NewWriter returns a Writer onto w that sets what is spelled out apart by st.
func NewWriter(w io.Writer, st Style) *Writer {
	return &Writer{w: w, p: painter{style: st}}
}

// Write writes the safe form of b. The first error of the writer below is returned from then on: how
// much of a character it took cannot be known.
func (w *Writer) Write(b []byte) (int, error) {
	written := 0
	for written < len(b) && w.err == nil {
		part := b[written:min(len(b), written+piece)]
		w.held = append(w.held, part...)
		n := w.p.paint(w.held, false)
		w.held = append(w.held[:0], w.held[n:]...)
		w.send()
		if w.err == nil {
			written += len(part)
		}
	}
	return written, w.err
}

// Flush writes what is held, spelled out, as at the end of the stream. It does not flush the writer below.
func (w *Writer) Flush() error {
	if w.err == nil {
		w.p.flush(w.held)
		w.held = w.held[:0]
		w.send()
	}
	return w.err
}

func (w *Writer) send() {
	if len(w.p.out) == 0 {
		return
	}
	n, err := w.w.Write(w.p.out)
	if err == nil && n < len(w.p.out) {
		err = io.ErrShortWrite
	}
	w.err = err
	w.p.out = w.p.out[:0]
}
