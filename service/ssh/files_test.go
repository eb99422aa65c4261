package ssh_test

import (
	"bytes"
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/session"
)

// bigFile makes a file of 32 MiB.
func (h *house) bigFile(name string) []byte {
	h.t.Helper()
	data := make([]byte, 32<<20)
	rand.Read(data)
	if err := os.WriteFile(h.file(name), data, 0o600); err != nil {
		h.t.Fatal(err)
	}
	return data
}

func (h *house) holds(name string, want []byte) {
	h.t.Helper()
	got, err := os.ReadFile(h.file(name))
	if err != nil || !bytes.Equal(got, want) {
		h.t.Errorf("%s has %d bytes, %v; want the %d bytes as they were", name, len(got), err, len(want))
	}
}

func TestFilesGoBothWaysBySCP(t *testing.T) {
	for _, way := range []string{"-O", "-s"} { // the old protocol, and that of sftp
		h := open(t, nil)
		data := h.bigFile("up")
		there := "ada+web1@127.0.0.1:" + h.file("there")
		if got := h.run(h.command("scp", h.options("-q", way, h.file("up"), there)...)); got.status != 0 {
			t.Fatalf("up: %+v", got)
		}
		h.holds("there", data)
		if got := h.run(h.command("scp", h.options("-q", way, there, h.file("back"))...)); got.status != 0 {
			t.Fatalf("down: %+v", got)
		}
		h.holds("back", data)
		for _, sum := range h.sessions(session.Recorded, 2) {
			if sum.ReceivedBytes < 32<<20 && sum.SentBytes < 32<<20 || sum.Detail != "exit status 0" {
				t.Errorf("got %+v; want what passed on record", sum)
			}
		}
	}
}

func TestFilesGoBothWaysBySFTP(t *testing.T) {
	h := open(t, nil)
	data := h.bigFile("up")
	cmd := h.command("sftp", h.options("-q", "-b", "-", "ada+web1@127.0.0.1")...)
	cmd.Stdin = strings.NewReader("put " + h.file("up") + " " + h.file("there") + "\nget " + h.file("there") + " " + h.file("back") + "\n")
	if got := h.run(cmd); got.status != 0 {
		t.Fatalf("got %+v", got)
	}
	h.holds("there", data)
	h.holds("back", data)
	if notes := h.record(h.recorded().ID)[session.Noted]; !strings.Contains(notes, "subsystem: sftp\n") {
		t.Errorf("the notes are %q", notes)
	}
}
