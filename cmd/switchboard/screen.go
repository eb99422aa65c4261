package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/export"
)

// screen shows what arrives on the standard output, and what happens on the standard error. On a terminal the two do
// not run into each other, and what arrives cannot command the terminal.
type screen struct {
	std      *stdio
	hex      bool
	harmless bool // control characters are made visible
	together bool // output and notices appear on the same terminal

	mu      sync.Mutex
	decoder export.Decoder
	inLine  bool // the output's last line has not ended
}

func newScreen(std *stdio, c *ConnectCmd) *screen {
	terminal := asTerminal(std.out) != nil
	return &screen{std: std, hex: c.Hex, harmless: terminal && !c.Raw, together: terminal && asTerminal(std.err) != nil}
}

// data shows bytes that arrived.
func (s *screen) data(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.hex:
		b = []byte(hex.Dump(b))
	case s.harmless:
		b, _ = s.decoder.Take(b)
		b = visible(b)
	}
	if len(b) > 0 {
		s.inLine = b[len(b)-1] != '\n'
	}
	_, err := s.std.out.Write(b)
	return err
}

// notice tells the person something in the form of an error that ends nothing.
func (s *screen) notice(format string, args ...any) { s.say("switchboard: "+format, args...) }

// say writes a line to the standard error.
func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.together && s.inLine {
		io.WriteString(s.std.out, "\n")
		s.inLine = false
	}
	text := bytes.TrimRight(fmt.Appendf(nil, format, args...), " ")
	s.std.err.Write(append(text, '\n'))
}

// visible writes control characters and invalid bytes by their escapes, but leaves line ends and tabs.
func visible(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		invalid := r == utf8.RuneError && size == 1
		switch {
		case r == '\n' || r == '\t' || bytes.HasPrefix(b, []byte("\r\n")), !invalid && unicode.IsPrint(r):
			out = append(out, b[:size]...)
		default:
			quoted := strconv.Quote(string(b[:size]))
			out = append(out, quoted[1:len(quoted)-1]...)
		}
		b = b[size:]
	}
	return out
}
