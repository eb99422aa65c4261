//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// top is what top -d 1 writes on a terminal of 80×24, with its own times.
func (b *bench) top() (pieces []piece, err error) {
	if *topFile != "" {
		return readCast(*topFile)
	}
	p, err := b.start("top", "-d", "1")
	if err != nil {
		return nil, err
	}
	defer p.HangUp(0)
	began := time.Now()
	p.SetReadDeadline(began.Add(time.Duration(*seconds) * time.Second))
	buf := make([]byte, 64<<10)
	for b.Context.Err() == nil {
		n, err := p.Read(buf)
		if n > 0 {
			pieces = append(pieces, piece{time.Since(began), bytes.Clone(buf[:n])})
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return pieces, nil
		}
		if err != nil {
			return nil, fmt.Errorf("top: %w", err)
		}
	}
	return nil, b.Context.Err()
}

// start starts a program in a terminal.
func (b *bench) start(command ...string) (*transport.PTY, error) {
	dir, err := root()
	if err != nil {
		return nil, err
	}
	return transport.StartPTY(transport.PTYOptions{Command: command, Dir: dir, Cols: 80, Rows: 24,
		Env: append(os.Environ(), "TERM=xterm-256color", "PS1="+prompt, "HISTFILE=")})
}

const prompt = "ada@web1:~/src$ "

// commands are what somebody types who looks around.
var commands = []string{"ls", "ls -l", "ls -la docs", "cat Makefile | head -20", "grep -n func switchboard.go | head", "wc -l *.go", "df -h",
	"date", "uptime", "echo done", "head -30 README.md", "find . -name '*.yaml' | head", "sort go.mod | tail -15", "id", "uname -a",
	"ps", "du -sh docs", "cat LICENSE | head -12", "ls -l cmd/switchboard | sort -k5 -n", "grep -rn TODO docs | wc -l"}

// Times of somebody who types: five keys a second, and between two commands the time to read, and to think.
func keyPause() time.Duration {
	return 80*time.Millisecond + time.Duration(rand.ExpFloat64()*120)*time.Millisecond
}
func linePause() time.Duration {
	return 2*time.Second + time.Duration(rand.ExpFloat64()*6000)*time.Millisecond
}

// typing adds an hour of somebody who types commands into bash: its echo, its prompt and what programs say are real, the times
// are made up.
func (b *bench) typing(past *benchkit.Past, start int64) error {
	p, err := b.start("bash", "--norc", "--noprofile", "-i")
	if err != nil {
		return err
	}
	defer p.HangUp(0)
	now := time.Duration(0)
	add := func(kind session.Kind, data []byte) error { return past.Add(kind, start+now.Microseconds(), data) }
	said, err := hear(p, []byte(prompt))
	if err != nil {
		return err
	}
	if err := add(session.Sent, said); err != nil {
		return err
	}
	for now < time.Hour {
		command := commands[rand.IntN(len(commands))]
		if rand.IntN(3) == 0 { // a slip
			at := rand.IntN(len(command))
			command = command[:at] + "q\x7f" + command[at:]
		}
		for _, key := range []byte(command + "\r") {
			now += keyPause()
			if err := add(session.Received, []byte{key}); err != nil {
				return err
			}
			until := []byte{key}
			switch key {
			case '\r':
				until = []byte(prompt)
			case 0x7f:
				until = []byte("\x1b[K")
			}
			if _, err := p.Write([]byte{key}); err != nil {
				return err
			}
			said, err := hear(p, until)
			if err != nil {
				return fmt.Errorf("bash, of %q: %w", command, err)
			}
			now += time.Millisecond
			if err := add(session.Sent, said); err != nil {
				return err
			}
		}
		now += linePause()
	}
	return nil
}

// hear reads what a program says, until that has a text in it.
func hear(p *transport.PTY, text []byte) (said []byte, err error) {
	p.SetReadDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 64<<10)
	for !bytes.Contains(said, text) {
		n, err := p.Read(buf)
		said = append(said, buf[:n]...)
		if err != nil {
			return said, fmt.Errorf("it said %q, and no %q: %w", said, text, err)
		}
	}
	return said, nil
}
