package hub_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/service/sink"
)

// closer is a socket of a listener that has something to do when it is closed.
type closer func()

func (f closer) Close() error { f(); return nil }

// Listeners of Socket.IO take seconds to close, and used to do that one behind the other, while all other sessions went on.
func TestAShutdownWaitsForAllListenersAtOnce(t *testing.T) {
	n := newNode(t)
	c := dial(t, n.listen(hub.ListenerConfig{Name: "line"}, &sink.Service{Greeting: []byte("hello")}))
	if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	const slow = 3
	arrived := make(chan struct{}, slow)
	ended := make(chan struct{})
	for i := range slow {
		l := n.host(hub.ListenerConfig{Name: string(rune('a' + i))}, nil)
		l.Attach(closer(func() { arrived <- struct{}{}; <-ended }))
	}
	done := make(chan error, 1)
	go func() { done <- n.Shutdown(context.Background()) }()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("while listeners close, a session of another one goes on: %v", err)
	}
	for i := range slow {
		select {
		case <-arrived:
		case <-time.After(10 * time.Second):
			t.Fatalf("only %d of %d listeners are being closed", i, slow)
		}
	}
	close(ended)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
