package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"

	sshservice "github.com/switchboard-relay/switchboard/service/ssh"
)

// HashPasswordCmd makes what a configuration has in the place of a password.
type HashPasswordCmd struct{}

// Run asks for the password twice, unless it comes through a pipe: then it is the first line.
func (HashPasswordCmd) Run(std *stdio) error {
	password, err := askPassword(std)
	if err != nil {
		return err
	}
	hash, err := sshservice.HashPassword(password)
	if err == nil {
		_, err = fmt.Fprintln(std.out, hash)
	}
	return err
}

func askPassword(std *stdio) (string, error) {
	if asTerminal(std.in) == nil {
		line, err := bufio.NewReader(io.LimitReader(std.in, 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	return askHidden(std)
}

// askHidden asks a person twice. Nothing is shown from before the question on, since some type ahead of it.
func askHidden(std *stdio) (string, error) {
	in := asTerminal(std.in)
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return "", err
	}
	defer term.Restore(int(in.Fd()), before)
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, std.err}, "")
	first, err := t.ReadPassword("password: ")
	if err != nil {
		return "", noPassword(err)
	}
	second, err := t.ReadPassword("again: ")
	if err == nil && first != second {
		err = errors.New("these were two different passwords: try again")
	}
	return first, noPassword(err)
}

// noPassword says what the end of a terminal's input means, which Ctrl-C and Ctrl-D are.
func noPassword(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("no password was typed")
	}
	return err
}
