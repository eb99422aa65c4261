package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

const welcomeConfig = `
http: {listen: "127.0.0.1:0"}
listeners:
  - {name: a-long-name-of-a-listener, listen: "udp://127.0.0.1:0", service: sink}
  - {name: chat, listen: "unix://SOCKET", service: room}
  - {name: page, listen: "socketio://127.0.0.1:0", service: room, room: chat}
  - {name: plain, listen: "ws://127.0.0.1:0/ws", service: room, room: chat}
  - {name: echo, listen: "tcp://[::1]:0", service: echo}
  - {name: cars, listen: "tcp://127.0.0.1:0", service: device, device: {web_server: [127.0.0.2]}}
sources:
  - {name: plant, kinds: {ssh: "127.0.0.1:1"}, retry: 0s}
`

// welcome runs the program's serve in a folder, and returns what it prints before it is ready.
func welcome(t *testing.T, dir string) (lines []string) {
	t.Helper()
	text := strings.ReplaceAll(welcomeConfig, "SOCKET", filepath.Join(dir, "chat.sock"))
	if err := os.WriteFile(filepath.Join(dir, "line.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "./switchboard", "serve", "--config", "line.yaml", "--data", "it's data")
	cmd.Dir = dir
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	in := bufio.NewScanner(out)
	for in.Scan() {
		lines = append(lines, in.Text())
		if strings.HasPrefix(in.Text(), "Stop with") {
			return lines
		}
	}
	t.Fatalf("serve printed %q, and no more", lines)
	return nil
}

// below are the lines that stand indented below a heading.
func below(lines []string, heading string) (rows []string) {
	i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, heading) })
	for _, line := range lines[i+1:] {
		if !strings.HasPrefix(line, "  ") {
			break
		}
		rows = append(rows, line)
	}
	return rows
}

func TestWhatServePrintsIsAlignedAndItsCommandsWorkWhenPasted(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "sb") // short, as a socket's path has to be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "switchboard"), ".").CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	lines := welcome(t, dir)
	for _, line := range lines {
		if n := utf8.RuneCountInString(strings.ReplaceAll(line, dir, "")); n > 100 {
			t.Errorf("a line of %d columns: %s", n, line)
		}
	}
	listeners, try := below(lines, "Listeners"), below(lines, "Try")
	aligned := func(rows []string, marks ...string) {
		columns := map[int]bool{}
		for _, row := range rows {
			for _, mark := range marks {
				if i := strings.Index(row, mark); i >= 0 {
					columns[i] = true
				}
			}
		}
		if len(columns) != 1 {
			t.Errorf("%q stand in columns %v; want one:\n%s", marks, columns, strings.Join(rows, "\n"))
		}
	}
	aligned(listeners, "udp://", "unix://", "tcp://", "socketio://", "ws://")
	host := regexp.MustCompile(`REST +http://(.*)/api/v1/`).FindStringSubmatch(strings.Join(lines, "\n"))[1]
	for _, want := range []string{"socketio://" + host + "/socket.io ", "ws://" + host + "/ws "} { // REST's own address
		if !strings.Contains(strings.Join(listeners, "\n"), want) {
			t.Errorf("no listener is said to be at %q:\n%s", want, strings.Join(listeners, "\n"))
		}
	}
	aligned(listeners, "sink:", "room:", "echo:", "source:", "device:", "link:")
	aligned(try, "# ")
	script := strings.Join(try, "\n")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	sh := exec.CommandContext(ctx, "sh", "-ec", script)
	sh.Dir = t.TempDir()
	sh.Stdin = strings.NewReader("something\n")
	out, err = sh.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "reply: something") || !strings.Contains(string(out), "hung up") ||
		!strings.Contains(string(out), "0 online") {
		t.Errorf("pasted:\n%s\n%v:\n%s\nwant the echo of a line, how many devices there are, and the session in the list", script, err, out)
	}
}
