package room_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// An event may be longer than a datagram: a member on UDP never gets it, and its record used to say that it did.
func TestWhatIsTooLongForADatagramIsOnRecordAsUnsent(t *testing.T) {
	n := newNode(t)
	r := n.open("page", room.Config{Mapping: session.Mapping{Format: session.FormatText}})
	udp := n.line("udp", "page", false).join("hello")
	long := strings.Repeat("x", transport.MaxDatagram+1)
	sayEvent(t, r, `["message","one"]`)
	sayEvent(t, r, `["message","`+long+`"]`)
	sayEvent(t, r, `["message","two"]`)
	buf := make([]byte, 100)
	for _, want := range []string{"hello", "one", "two"} {
		if got, err := udp.Read(buf); err != nil || string(buf[:got]) != want {
			t.Fatalf("the UDP member got %.20q, %v; want %q", buf[:got], err, want)
		}
	}
	id := n.live("page-udp").ID
	if err := n.Send(context.Background(), id, "ada", []byte(long)); !errors.Is(err, hub.ErrCannotSend) {
		t.Errorf("an operator sends too much for a datagram: %v; want %v", err, hub.ErrCannotSend)
	}
	if err := n.Kick(context.Background(), id, "", ""); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range n.events(id) {
		switch e.Kind {
		case session.Sent, session.Unsent, session.Noted:
			got = append(got, fmt.Sprintf("%v %.5s", e.Kind, e.Data))
		}
	}
	if want := "sent hello, sent one, sent xxxxx, unsent 65508, sent two"; strings.Join(got, ", ") != want {
		t.Errorf("on record are %s; want %s", strings.Join(got, ", "), want)
	}
	sum, err := n.Find(context.Background(), string(id))
	if want := uint64(len("hello" + "one" + "two")); err != nil || sum.SentBytes != want {
		t.Errorf("%d bytes are counted as sent, %v; want %d", sum.SentBytes, err, want)
	}
}
