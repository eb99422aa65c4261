package hub_test

import (
	"context"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/service/echo"
	"github.com/switchboard-relay/switchboard/session"
)

// A session is in the index a moment before the store lets go of it. Who asked to pin it between waited for the next session
// to be indexed, which might never come.
func TestASessionIsPinnedThoughTheStoreHasNotLetGoOfItYet(t *testing.T) {
	release := make(chan struct{})
	n := newNode(t, func(session.Summary) { <-release })
	defer close(release)
	dial(t, n.listen(hub.ListenerConfig{Name: "echo"}, &echo.Service{Plain: true})).Close()
	n.awaitEnded(1)
	id := n.only(session.Recorded).ID
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for st, err := n.Stats(ctx); st.Recorded == 0; st, err = n.Stats(ctx) { // rows of the index
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Pin(ctx, id, true); err != nil {
		t.Errorf("pin: %v", err)
	}
}
