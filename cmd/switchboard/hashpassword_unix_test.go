//go:build linux || darwin

package main

import (
	"bytes"
	"strings"
	"testing"

	sshservice "github.com/switchboard-relay/switchboard/service/ssh"
)

func TestAHashOfAPasswordIsForAConfiguration(t *testing.T) {
	var out, said bytes.Buffer
	if code := run(t.Context(), []string{"hash-password"}, strings.NewReader("let me in\n"), &out, &said); code != 0 || said.Len() > 0 {
		t.Fatalf("exit code %d, %s", code, said.String())
	}
	if err := sshservice.CheckHash(strings.TrimSpace(out.String())); err != nil || !strings.HasPrefix(out.String(), "$argon2id$v=19$m=65536,t=3,p=4$") {
		t.Errorf("got %q, %v", out.String(), err)
	}
	if code := run(t.Context(), []string{"hash-password"}, strings.NewReader("\n"), &out, &said); code != 1 || !strings.Contains(said.String(), "empty") {
		t.Errorf("an empty one: exit code %d, %s", code, said.String())
	}
}

func TestAPasswordIsAskedForWithoutShowingIt(t *testing.T) {
	c := newConsole(t, 24, 200, "hash-password")
	c.await("password: ")
	c.press("let me in\r")
	c.await("again: ")
	c.press("let me in\r")
	if seen := c.await(`\$argon2id\$\S+`); strings.Contains(seen, "let me") {
		t.Errorf("it is shown: %q", seen)
	}
	if code := c.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	c = newConsole(t, 24, 200, "hash-password")
	c.await("password: ")
	c.press("one\r")
	c.await("again: ")
	c.press("two\r")
	c.await("two different passwords")
	if code := c.exit(); code != 1 {
		t.Errorf("exit code %d", code)
	}
}
