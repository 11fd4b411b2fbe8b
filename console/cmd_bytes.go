package console

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"duet.example/duet/framing"
	"duet.example/duet/internal/screen"
)

// cmdHex shows messages as hex from now on, or sends bytes.
func (s *Session) cmdHex(_ context.Context, rest string) (bool, Outcome) {
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
		s.Notice("not sent: " + screen.Line(screen.Untrusted(err.Error()), screen.Style{}))
		return false, Stopped
	}
	n := s.chosen()
	if n == 0 {
		s.Notice(s.nobody())
		return false, Stopped
	}
	if err := s.desk.SayBytes(n, b); err != nil {
		s.Notice("not sent: " + sayProblem(err))
		return false, Stopped
	}
	s.spoken(n)
	s.tellf("sent %s: % x", count(len(b), "byte", "bytes"), shortened(b))
	return false, Stopped
}

// shortened is the beginning of b, enough to recognise it.
func shortened(b []byte) []byte { return b[:min(len(b), 32)] }

// parseBytes takes bytes as a person writes them: pairs of hex digits with or
// without blanks and 0x, or a text in double quotes with the escapes of Go (\x1e, \u00e9, \r, \n).
func parseBytes(text string) ([]byte, error) {
	if strings.HasPrefix(text, `"`) {
		s, err := strconv.Unquote(text)
		if err != nil {
			return nil, fmt.Errorf(`%s: want "text", with escapes such as \x1e, \r, \u00e9`, text)
		}
		return []byte(s), nil
	}
	digits := strings.Map(func(r rune) rune {
		if r == ' ' || r == ',' || r == ':' || r == '\t' {
			return -1
		}
		return r
	}, strings.ReplaceAll(text, "0x", ""))
	b, err := hex.DecodeString(digits)
	if err != nil {
		return nil, fmt.Errorf(`%s: want pairs of hex digits (68 69 0d) or "text"`, text)
	}
	return b, nil
}

// maxWhole is the largest file that goes as one message.
const maxWhole = framing.DefaultMaxMessage

// cmdSend sends a file, beside what is typed meanwhile.
func (s *Session) cmdSend(_ context.Context, rest string) (bool, Outcome) {
	n := s.chosen()
	if n == 0 || rest == "" {
		s.Notice(map[bool]string{true: "/send wants a file: /send notes.txt", false: s.nobody()}[rest == ""])
		return false, Stopped
	}
	f, err := os.Open(rest)
	if err != nil {
		s.Notice("not sent: " + screen.Line(screen.Untrusted(err.Error()), screen.Style{}))
		return false, Stopped
	}
	e, err := s.desk.Entry(n)
	if err != nil {
		_ = f.Close()
		s.Notice(err.Error())
		return false, Stopped
	}
	whole := e.Framing == framing.Raw.String() || e.Framing == framing.Length.String()
	s.sending.Go(func() {
		defer func() { _ = f.Close() }()
		messages, size, err := s.sendFile(s.ctx, n, f, whole)
		words := fmt.Sprintf("%s: %s, %s", screen.Line(screen.Untrusted(rest), screen.Style{}), count(messages, "message", "messages"), count(size, "byte", "bytes"))
		if err != nil {
			s.Notice("not all sent: " + words + ": " + sayProblem(err))
			return
		}
		s.tellf("sent %s", words)
	})
	return false, Stopped
}

func (s *Session) sendFile(ctx context.Context, n uint64, f io.Reader, whole bool) (messages, size int, err error) {
	deliver := func(body []byte) error {
		if err := s.desk.Deliver(ctx, n, body); err != nil {
			return err
		}
		messages++
		size += len(body)
		return nil
	}
	if whole {
		b, err := io.ReadAll(io.LimitReader(f, maxWhole+1))
		if err == nil && len(b) > maxWhole {
			err = framing.ErrTooLong
		}
		if err == nil {
			err = deliver(b)
		}
		return messages, size, err
	}
	r := bufio.NewReaderSize(f, 64<<10)
	for {
		line, err := readLine(r)
		if err == nil || errors.Is(err, io.EOF) && len(line) > 0 {
			if err := deliver(line); err != nil {
				return messages, size, err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return messages, size, nil
		case err != nil:
			return messages, size, err
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
