package forward_test

import (
	"context"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/forward"
	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// parting does something behind Gone, while its session is still among the live ones.
type parting struct {
	*registrar
	then func(s *hub.Session)
}

func (p *parting) Close(s *hub.Session) {
	p.registrar.Close(s)
	p.then(s)
}

// A forward that came between a session's Gone and its end took it for one that lives, was never told that it does not, and held
// its recording for ever.
func TestAForwardThatComesAsASessionGoesHoldsNothing(t *testing.T) {
	w := newWire(true)
	n := newNode(t, w.setting())
	dialect, err := frame.Compile(lineSpec)
	check(t, err)
	var id session.ID
	gone := make(chan struct{})
	p := &parting{registrar: &registrar{node: n, fleet: "devices", dialect: dialect}}
	p.then = func(s *hub.Session) {
		id = s.ID()
		check(t, n.forwards.Configure([]forward.Config{toLink}))
		n.status("web", "idle, with all that was there read", isIdle)
		close(gone)
	}
	l, err := n.Listener(hub.ListenerConfig{Name: "devices", Transport: "tcp", Service: "device", Record: session.RecordOn,
		OnFailure: session.OnFailureContinue, Fleet: "devices", Frame: string(session.JSON(lineSpec))}, p)
	check(t, err)
	ln, err := transport.Listen(context.Background(), transport.Address{Transport: "tcp", Host: "127.0.0.1:0"}, transport.ListenOptions{})
	check(t, err)
	l.Attach(ln)
	go l.Serve(ln) // ends with the hub's Shutdown
	c := dial(t, ln.Addr().String(), "860")
	settle(t, c, "SYNC")
	for _, s := range n.live() {
		s.End(session.Kicked, "by the test")
	}
	<-gone
	for deadline := time.Now().Add(patience / 4); n.forwards.Holds(id); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the recording is held though all of it was delivered")
		}
	}
}
