package main

import (
	"bufio"
	"io"
)

// key is what a person asks of the player.
type key int

const (
	keyNone key = iota
	keyPause
	keyStep
	keyForward
	keyBack
	keyFaster
	keySlower
	keyQuit
)

// readKeys reads keys from a terminal in raw mode. Its goroutine waits in a read that nothing can interrupt, so it ends
// with the program, or with the terminal.
func readKeys(terminal io.Reader) <-chan key {
	keys := make(chan key)
	go func() {
		in := bufio.NewReader(terminal)
		for {
			k, err := readKey(in)
			if err != nil {
				return
			}
			if k != keyNone {
				keys <- k
			}
		}
	}()
	return keys
}

const escape = 0x1b

// readKey reads one key: a character, or an arrow as ESC [ A or ESC O A.
func readKey(in *bufio.Reader) (key, error) {
	b, err := in.ReadByte()
	switch {
	case err != nil:
		return keyNone, err
	case b != escape:
		return plainKeys[b], nil
	case in.Buffered() == 0:
		return keyNone, nil // the escape key itself
	}
	if b, err = in.ReadByte(); err != nil || b != '[' && b != 'O' {
		return keyNone, err
	}
	for {
		b, err := in.ReadByte()
		if err != nil || b >= '@' { // parameters come before the letter
			return arrowKeys[b], err
		}
	}
}

var plainKeys = map[byte]key{
	' ': keyPause, '.': keyStep, 'q': keyQuit, 'Q': keyQuit, 3: keyQuit, 4: keyQuit,
	'l': keyForward, 'h': keyBack, 'k': keyFaster, 'j': keySlower, '+': keyFaster, '-': keySlower,
}

var arrowKeys = map[byte]key{'A': keyFaster, 'B': keySlower, 'C': keyForward, 'D': keyBack}
