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
	first, err := readHidden(std, "password: ")
	if err != nil {
		return "", err
	}
	second, err := readHidden(std, "again: ")
	if err == nil && first != second {
		err = errors.New("these were two different passwords: try again")
	}
	return first, err
}

// readHidden asks for something that is not shown.
func readHidden(std *stdio, question string) (string, error) {
	fmt.Fprint(std.err, question)
	text, err := term.ReadPassword(int(asTerminal(std.in).Fd()))
	fmt.Fprintln(std.err)
	return string(text), err
}
