package console

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strconv"
	"strings"

	"duet.example/duet"
	"duet.example/duet/framing"
)

// cmdHex shows messages as hex from now on, or sends bytes.
func (s *Session) cmdHex(ctx context.Context, rest string) (bool, Outcome) {
	typed := "/hex " + rest
	rest = strings.TrimSpace(rest)
	s.mu.Lock()
	on, ok := onOff(rest, s.hex)
	if ok {
		s.hex = on
	}
	s.mu.Unlock()
	if ok {
		s.Notice("hex " + onOffWord(on))
		return false, Stopped
	}
	b, err := parseBytes(rest)
	if err != nil {
		s.refuse(typed, err.Error())
		return false, Stopped
	}
	if !s.awaitTurn(ctx, typed) {
		return false, Stopped
	}
	n, why := s.addressee()
	switch {
	case n == 0:
		s.refuse(typed, why)
		return false, Stopped
	case !s.takeTurn(n):
		s.refuse(typed, peersTurn)
		return false, Stopped
	}
	if err := s.desk.SayBytes(ctx, n, b); err != nil {
		s.returnTurn(n)
		why := sayProblem(err)
		if errors.Is(err, duet.ErrDelimiter) {
			why += "; /framing raw sends bytes as they are"
		}
		s.refuse(typed, why)
		return false, Stopped
	}
	s.tellf("sent %s: %s", count(len(b), "byte", "bytes"), shortHex(b))
	return false, Stopped
}

// shortHex shows b, or its beginning, which is enough to recognise it.
func shortHex(b []byte) string {
	if len(b) > 32 {
		return fmt.Sprintf("% x …", b[:32])
	}
	return fmt.Sprintf("% x", b)
}

// parseBytes takes bytes as a person writes them: pairs of hex digits, each group with or
// without 0x, between blanks, commas and colons; or a text in double quotes with the escapes of Go (\x1e, \u00e9, \r, \n).
func parseBytes(text string) ([]byte, error) {
	if strings.HasPrefix(text, `"`) {
		s, err := strconv.Unquote(text)
		if err != nil {
			return nil, fmt.Errorf(`%s: want "text", with escapes such as \x1e, \r, \u00e9`, text)
		}
		return []byte(s), nil
	}
	var all []byte
	for _, group := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t,:", r) }) {
		digits, marked := strings.CutPrefix(strings.ToLower(group), "0x")
		if marked && len(digits) == 1 {
			digits = "0" + digits
		}
		b, err := hex.DecodeString(digits)
		if err != nil || len(b) == 0 {
			return nil, fmt.Errorf(`%s: want pairs of hex digits (02 41 03) or "text"`, group)
		}
		all = append(all, b...)
	}
	return all, nil
}

// maxWhole is the largest file that goes as one message, and the longest line of one that goes line by line.
const maxWhole = framing.DefaultMaxMessage

// cmdSend sends a file, beside what is typed meanwhile.
func (s *Session) cmdSend(ctx context.Context, rest string) (bool, Outcome) {
	path := strings.TrimSpace(rest)
	if path == "" {
		s.Notice("/send wants a file: /send notes.txt")
		return false, Stopped
	}
	typed := "/send " + path
	n, why := s.addressee()
	if n == 0 {
		s.refuse(typed, why)
		return false, Stopped
	}
	f, err := openRegular(path, os.O_RDONLY, 0)
	if err != nil {
		s.refuse(typed, err.Error())
		return false, Stopped
	}
	e, err := s.desk.Entry(n)
	if err == nil && !s.takeTurn(n) {
		err = errors.New(peersTurn)
	}
	if err != nil {
		_ = f.Close()
		s.refuse(typed, sayProblem(err))
		return false, Stopped
	}
	bodies := fileLines(f)
	if e.Framing == framing.Raw.String() || e.Framing == framing.Length.String() {
		bodies = wholeFile(f)
	}
	sent := s.fileBegins(n)
	s.sending.Go(func() {
		defer s.recovered()
		defer sent()
		defer func() { _ = f.Close() }()
		messages, size, err := s.desk.DeliverAll(s.fileCtx, n, bodies)
		words := fmt.Sprintf("%s: %s, %s", path, count(messages, "message", "messages"), count(size, "byte", "bytes"))
		if err != nil {
			s.noticef("not all sent: %s: %s", words, sayProblem(err))
			return
		}
		s.tellf("sent %s", words)
	})
	return false, Stopped
}

// fileBegins notes that a file is on its way to conversation n; what it returns, that it is no more, nor those before it.
func (s *Session) fileBegins(n uint64) func() {
	done := make(chan struct{})
	s.mu.Lock()
	before := s.files[n]
	s.files[n] = done
	s.mu.Unlock()
	return func() {
		if before != nil {
			<-before
		}
		s.mu.Lock()
		if s.files[n] == done {
			delete(s.files, n)
		}
		s.mu.Unlock()
		close(done)
	}
}

// afterFiles has f done when the files on their way to conversation n have left; false where there are none.
func (s *Session) afterFiles(n uint64, f func()) bool {
	s.mu.Lock()
	last := s.files[n]
	s.mu.Unlock()
	if last == nil {
		return false
	}
	s.sending.Go(func() {
		defer s.recovered()
		<-last
		f()
	})
	return true
}

// openRegular opens a file, but nothing that could make one wait, as a pipe does, or never ends, as some devices.
func openRegular(path string, flag int, mode os.FileMode) (*os.File, error) {
	st, err := os.Stat(path)
	switch {
	case err == nil && !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", path)
	case err != nil && !(errors.Is(err, fs.ErrNotExist) && flag&os.O_CREATE != 0):
		return nil, &openError{path, flag, err}
	}
	f, err := os.OpenFile(path, flag, mode)
	if err != nil {
		return nil, &openError{path, flag, err}
	}
	return f, nil
}

// An openError says that a file could not be opened, in words for people.
type openError struct {
	path string
	flag int // as it was to be opened
	err  error
}

func (e *openError) Unwrap() error { return e.err }

func (e *openError) Error() string {
	why := rootCause(e.err)
	switch {
	case errors.Is(e.err, fs.ErrPermission):
		why = "permission denied"
	case errors.Is(e.err, fs.ErrNotExist) && e.flag&os.O_CREATE != 0:
		why = "no such folder"
	case errors.Is(e.err, fs.ErrNotExist):
		why = "no such file"
	}
	return "cannot open " + e.path + ": " + why
}

// wholeFile gives the file as one message.
func wholeFile(f io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		b, err := io.ReadAll(io.LimitReader(f, maxWhole+1))
		if err == nil && len(b) > maxWhole {
			err = framing.ErrTooLong
		}
		yield(b, err)
	}
}

// fileLines gives the lines of the file as messages.
func fileLines(f io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		r := bufio.NewReaderSize(f, 64<<10)
		for {
			line, err := readLine(r)
			last := errors.Is(err, io.EOF)
			if last {
				err = nil
				if len(line) == 0 {
					return
				}
			}
			if !yield(line, err) || err != nil || last {
				return
			}
		}
	}
}

// readLine reads a line without its end, at most maxWhole long.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxWhole:
			return nil, framing.ErrTooLong
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return line, err
		}
		return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
	}
}
