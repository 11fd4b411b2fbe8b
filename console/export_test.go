package console

// ViewRows is View.rows; down is how many rows the words are scrolled, up where it is negative.
func ViewRows(v View, w, h int, input []string, down int) []string {
	p := planView(w, h, len(input))
	to := mark{}
	if down != 0 {
		to = v.scroll(to, down, p, false)
	}
	return v.rows(w, h, input, to, false)
}
