package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"
)

// program is one run of the command line, with pipes for its input and output.
type program struct {
	t    *testing.T
	in   *io.PipeWriter
	out  *lineReader
	err  *lineReader
	stop context.CancelFunc
	code chan int
}

// start runs the command line until it ends or the test does.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	errR, errW := io.Pipe()
	p := &program{t: t, in: inW, out: newLineReader(t, outR), err: newLineReader(t, errR), stop: stop,
		code: make(chan int, 1)}
	go func() {
		code := run(ctx, args, inR, outW, errW)
		outW.Close()
		errW.Close()
		inR.Close()
		p.code <- code
	}()
	t.Cleanup(stop)
	return p
}

// exit waits for the program's end.
func (p *program) exit() int {
	p.t.Helper()
	select {
	case code := <-p.code:
		return code
	case <-time.After(time.Minute):
		p.t.Fatal("the program does not end")
		return 0
	}
}

// lineReader collects what a program writes, without ever making it wait.
type lineReader struct {
	t     *testing.T
	lines chan string
	seen  []string // for the message of a failure
}

func newLineReader(t *testing.T, r io.Reader) *lineReader {
	l := &lineReader{t: t, lines: make(chan string, 100_000)}
	go func() { // ends with the program
		defer close(l.lines)
		in := bufio.NewReader(r)
		for {
			text, err := in.ReadString('\n')
			if text != "" {
				l.lines <- text
			}
			if err != nil {
				return
			}
		}
	}()
	return l
}

// next waits for the next line.
func (l *lineReader) next() string {
	l.t.Helper()
	select {
	case line, ok := <-l.lines:
		if !ok {
			l.t.Fatalf("the output ended; one more line was expected after %q", l.seen)
		}
		l.seen = append(l.seen, line)
		return line
	case <-time.After(time.Minute):
		l.t.Fatalf("no line came within a minute after %q", l.seen)
	}
	return ""
}

// until waits for a line with some text.
func (l *lineReader) until(text string) string {
	l.t.Helper()
	for {
		if line := l.next(); strings.Contains(line, text) {
			return line
		}
	}
}

// rest is everything up to the end.
func (l *lineReader) rest() string {
	l.t.Helper()
	var all strings.Builder
	for {
		select {
		case line, ok := <-l.lines:
			if !ok {
				return all.String()
			}
			all.WriteString(line)
		case <-time.After(time.Minute):
			l.t.Fatalf("the output does not end after %q", all.String())
		}
	}
}
