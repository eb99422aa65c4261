package main

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
)

func TestWhatVisitorsSayHarmsNoTerminal(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	long := "x" + strings.Repeat("你", 100_000)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "\x1b[2J\a\"hi\"\t\u202e\r\n"+long+"\nbye\n")
	}()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var out bytes.Buffer
	if err := hear(c, &out); err.Error() != "the room ended the TCP line" {
		t.Errorf("it ends: %v", err)
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.TrimSuffix(line[len("15:04:05  "):], "\n"))
	}
	if want := `\x1b[2J\a"hi"\t\u202e`; lines[0] != want {
		t.Errorf("printed %q; want %q", lines[0], want)
	}
	last := len(lines) - 1
	if got := strings.Join(lines[1:last], ""); got != long || lines[last] != "bye" {
		t.Errorf("a line of %d bytes is printed as %d bytes; then comes %.20q", len(long), len(got), lines[last])
	}
}
