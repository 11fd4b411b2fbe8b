package console

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"

	"duet.example/duet/framing"
)

// maxFileLine is the longest line, in bytes, of a file that is sent line by line.
const maxFileLine = framing.DefaultMaxMessage

// A fileJob is a file on its way to a conversation.
type fileJob struct {
	n     uint64
	path  string
	words string // the file and where it goes, for people
	typed string
	f     *os.File
}

// cmdSend sends a file while typing goes on: its bytes as they are, or with --lines each line as a message.
func (s *Session) cmdSend(ctx context.Context, rest string) (bool, Outcome) {
	path, asLines := strings.TrimSpace(rest), false
	if after, ok := strings.CutPrefix(path, "--lines"); ok && (after == "" || after[0] == ' ') {
		path, asLines = strings.TrimSpace(after), true
	}
	if path == "" {
		s.Notice("/send wants a file: /send notes.txt, or /send --lines notes.txt")
		return false, Stopped
	}
	job := &fileJob{path: path, words: path, typed: "/send " + strings.TrimSpace(rest)}
	var why string
	if job.n, why = s.addressee(); job.n == 0 {
		s.refuse(job.typed, why)
		return false, Stopped
	}
	if s.o.Server {
		job.words += " to " + s.who(job.n)
	}
	var err error
	if job.f, err = openRegular(path, os.O_RDONLY, 0); err != nil {
		s.refuse(job.typed, err.Error())
		return false, Stopped
	}
	if !s.takeTurn(job.n) {
		err = errors.New(peersTurn)
	} else if asLines {
		_, err = s.desk.Entry(job.n)
	}
	if err == nil {
		err = s.sendFile(ctx, job, asLines)
	}
	if err != nil {
		_ = job.f.Close()
		s.refuse(job.typed, sayProblem(err))
	}
	return false, Stopped
}

// sendFile begins to send a file. Files go one after the other, in the order of the commands. A transfer has its place in the
// conversation's queue at once; only behind the lines of another file it has to wait for them here.
func (s *Session) sendFile(ctx context.Context, job *fileJob, asLines bool) error {
	s.mu.Lock()
	before := s.files[job.n]
	s.mu.Unlock()
	if before == nil && !asLines {
		send, err := s.desk.Transfer(s.fileCtx, job.n, job.f)
		if err != nil {
			s.returnTurn(job.n)
			return err
		}
		sent := s.transferBegins(job.n)
		s.sendBeside(job, sent, func() { s.transfer(job, send, nil) })
		return nil
	}
	sent := s.fileBegins(job.n)
	s.sendBeside(job, sent, func() {
		if before != nil {
			<-before
		}
		if asLines {
			s.deliverLines(job)
			return
		}
		send, err := s.desk.Transfer(s.fileCtx, job.n, job.f)
		s.transfer(job, send, err)
	})
	return nil
}

// sendBeside runs send while typing goes on.
func (s *Session) sendBeside(job *fileJob, sent, send func()) {
	s.sending.Go(func() {
		defer s.recovered()
		defer sent()
		defer func() { _ = job.f.Close() }()
		send()
	})
}

// transfer sends the bytes of a file and says how many.
func (s *Session) transfer(job *fileJob, send func() (int64, error), err error) {
	var size int64
	if err == nil {
		size, err = send()
	}
	switch {
	case err == nil:
		s.tellf("sent %s of %s", countMany(size, "byte", "bytes"), job.words)
	case size == 0:
		s.noteUnsent(fmt.Sprintf("not sent: %s: %s", job.words, sayProblem(err)))
	default:
		s.noteUnsent(fmt.Sprintf("not all sent: only %s of %s have left: %s", countMany(size, "byte", "bytes"), job.words, sayProblem(err)))
	}
}

// deliverLines sends the lines of a file as messages and says how many.
func (s *Session) deliverLines(job *fileJob) {
	messages, size, err := s.desk.DeliverAll(s.fileCtx, job.n, fileLines(job.f))
	words := fmt.Sprintf("%s: %s, %s", job.words, countMany(int64(messages), "message", "messages"), countMany(int64(size), "byte", "bytes"))
	if err != nil {
		s.noteUnsent(fmt.Sprintf("not all sent: %s: %s", words, sayProblem(err)))
		return
	}
	s.tellf("sent %s", words)
}

// noteUnsent tells that a file was not sent. It counts as a failure for a script, and where the end of the session was the cause.
func (s *Session) noteUnsent(words string) {
	if s.o.HoldInput || s.fileCtx.Err() != nil {
		s.failedToSend.Store(true)
	}
	s.Notice(words)
}

// Unsent reports whether a file was not sent as a whole: any file of a script, or one that the end of the session has cut off. It is final
// after Close.
func (s *Session) Unsent() bool { return s.failedToSend.Load() }

// awaitFiles waits for the files that are on their way, where the session is to end as out. A Ctrl-C ends that, and so do the
// ends of ctx and of the face.
func (s *Session) awaitFiles(ctx context.Context, inputs <-chan Input, out Outcome) Outcome {
	if out != Quit && out != Enough {
		return out
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		s.sending.Wait()
	}()
	if s.areFilesOnTheirWay() {
		s.tellf("ending when the file is sent; Ctrl-C ends at once")
	}
	for {
		select {
		case <-sent:
			return out
		case <-ctx.Done():
			return out // what is not sent is told, and is the operator's failure
		case <-s.failed:
			return s.failure()
		case in, ok := <-inputs:
			switch {
			case !ok:
				return FaceLost
			case in.Kind == Interrupt:
				return Interrupted
			}
		}
	}
}

// areFilesOnTheirWay reports whether a file is being sent, or a transfer is.
func (s *Session) areFilesOnTheirWay() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.files)+len(s.transfers) > 0
}

// A backlog is what the operator should know of the transfers to one conversation.
type backlog struct {
	transfers int
	told      bool // that what is said leaves behind them
}

// transferBegins notes that a transfer is on its way to conversation n; what it returns, that it is no more.
func (s *Session) transferBegins(n uint64) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.transfers[n]
	if b == nil {
		b = new(backlog)
		s.transfers[n] = b
	}
	b.transfers++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if b.transfers--; b.transfers == 0 && s.transfers[n] == b {
			delete(s.transfers, n)
		}
	}
}

// tellBehind tells, once, that what was just said leaves when the transfers have.
func (s *Session) tellBehind(n uint64) {
	s.mu.Lock()
	b := s.transfers[n]
	tell := b != nil && !b.told
	if tell {
		b.told = true
	}
	s.mu.Unlock()
	if tell {
		s.tellf("it follows when the file is sent")
	}
}

// fileBegins notes that a file goes to conversation n line by line, or waits for one; what it returns, that it is no more.
func (s *Session) fileBegins(n uint64) func() {
	done := make(chan struct{})
	s.mu.Lock()
	s.files[n] = done
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		if s.files[n] == done {
			delete(s.files, n)
		}
		s.mu.Unlock()
		close(done)
	}
}

// afterFiles calls f when the files that go to conversation n line by line have left; false if there are none.
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

// readLine reads a line without its end, at most maxFileLine long.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxFileLine:
			return nil, framing.ErrTooLong
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return line, err
		}
		return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
	}
}
