package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"time"
)

// outgoing is something to send, or why there is no more of it: io.EOF at the input's end.
type outgoing struct {
	data []byte
	err  error
}

const (
	longestLine = 64 << 10 // a longer one goes out in parts
	randomBytes = 16
)

// readLines reads input line by line, so that each is one write and one datagram. Its goroutine may outlast ctx in a
// read that nothing can interrupt; it ends with the input or the program.
func readLines(ctx context.Context, input io.Reader, eol string) <-chan outgoing {
	lines := make(chan outgoing)
	go func() {
		in := bufio.NewReaderSize(input, longestLine)
		for {
			text, err := in.ReadSlice('\n')
			if errors.Is(err, bufio.ErrBufferFull) {
				err = nil
			}
			if len(text) > 0 && !pass(ctx, lines, outgoing{data: withEnding(bytes.Clone(text), eol)}) {
				return
			}
			if err != nil {
				pass(ctx, lines, outgoing{err: err})
				return
			}
		}
	}()
	return lines
}

// withEnding gives a line another ending. What has no ending gets none.
func withEnding(text []byte, eol string) []byte {
	bare, ended := bytes.CutSuffix(text, []byte("\n"))
	if !ended || eol == "as-typed" {
		return text
	}
	bare = bytes.TrimSuffix(bare, []byte("\r"))
	return append(bare, endings[eol]...)
}

var endings = map[string]string{"lf": "\n", "crlf": "\r\n", "none": ""}

// randomStrings makes a hex string every so often, with the ending of --eol, as long as somebody takes them. ctx ends
// it.
func randomStrings(ctx context.Context, every time.Duration, eol string) <-chan outgoing {
	if every == 0 {
		every = randomEvery
	}
	lines := make(chan outgoing)
	go func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
			var random [randomBytes]byte
			rand.Read(random[:]) // never fails
			text := append(hex.AppendEncode(nil, random[:]), endings[eol]...)
			if !pass(ctx, lines, outgoing{data: text}) {
				return
			}
		}
	}()
	return lines
}
