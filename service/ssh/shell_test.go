package ssh_test

import (
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/session"
)

func TestACommandRunsOnTheTargetAndIsOnRecord(t *testing.T) {
	h := open(t, nil)
	cmd := h.ssh("ada+web1@127.0.0.1", "cat; echo to stdout; echo to stderr >&2; exit 7")
	cmd.Stdin = strings.NewReader("from stdin\n")
	got := h.run(cmd)
	if want := (outcome{"from stdin\nto stdout\n", "to stderr\n", 7}); got != want {
		t.Errorf("got %+v; want %+v", got, want)
	}
	sum := h.recorded()
	if sum.Name != "ada@web1" || sum.Cause != session.Done || sum.Detail != "exit status 7" || sum.Transport != "ssh" ||
		sum.Service != "bastion" || sum.Terminal != "" || sum.ReceivedBytes != 11 || sum.SentBytes != 31 {
		t.Errorf("got %+v", sum)
	}
	r := h.record(sum.ID)
	if r[session.Received] != "from stdin\n" || r[session.Sent] != "from stdin\nto stdout\n" || r[session.SentErr] != "to stderr\n" {
		t.Errorf("got %q", r)
	}
	for _, want := range []string{"ada came in by public key SHA256:", "exec: cat; echo", "at web1 (127.0.0.1:", "host key ssh-ed25519 SHA256:"} {
		if !strings.Contains(r[session.Noted], want) {
			t.Errorf("the notes are %q; want %q in them", r[session.Noted], want)
		}
	}
}
