package hub_test

import (
	"context"
	"math"
	"testing"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
)

func TestACommandOfTelnetMayBeginBeforeWhatIsRead(t *testing.T) {
	n := newNode(t)
	p := program{make(chan []act)}
	dial(t, n.listen(hub.ListenerConfig{Name: "telnet", Terminal: "80x24", Telnet: true}, p))
	id := n.only(session.Live).ID
	events := uint64(1)
	n.play(p, id, &events, []act{{data: []byte("a\xff\xfa\x18")}, {size: session.Size{Cols: 90, Rows: 24}}, {data: []byte("\x01zz\xff\xf0b")}})
	n.KeepScreens()
	n.awaitDurable(id, events)
	n.RestScreens()
	ctx := context.Background()
	if places, err := n.Screens(ctx, id); err != nil || len(places) != 1 || places[0].Number != 3 {
		t.Fatalf("kept are %v, %v; want one in the midst of the command", places, err)
	}
	term, s, err := n.Terminal(ctx, id, math.MaxUint64)
	if err != nil || s.Number != 4 {
		t.Fatalf("%+v, %v", s, err)
	}
	if got := string(term.AppendRow(nil, 0)); got != "ab" {
		t.Errorf("shown is %q", got)
	}
	e, err := n.Events(ctx, id, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	batch, err := e.Bare().Next(ctx)
	if err != nil || len(batch) != 1 || batch[0].Number != 4 || string(batch[0].Data) != "b" {
		t.Errorf("read from there: %v, %v", batch, err)
	}
	close(p.acts)
}
