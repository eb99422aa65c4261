package forward_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/forward"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/session"
)

func TestReloadsWhileDevicesTalkLoseNothing(t *testing.T) {
	s, other := newSite(t, nil), newSite(t, nil)
	base := toSite(s)
	second := toSite(other)
	second.Name = "second"
	n := newNode(t, setting{}, base)
	addr := n.fleet("devices", lineSpec)
	const devices, rounds, each = 10, 6, 50
	var names []string
	var talking sync.WaitGroup
	for i := range devices {
		name := fmt.Sprintf("d%d", i)
		names = append(names, name)
		talking.Go(func() {
			for round := range rounds {
				c := dial(t, addr, name)
				for k := range each {
					say(t, c, numbered(name, round*each+k))
				}
				settle(t, c, "SYNC")
				c.Close()
			}
		})
	}
	done := make(chan struct{})
	go func() { talking.Wait(); close(done) }()
	for i := 0; ; i++ {
		changed := base
		changed.Batch = 1 + i%50
		confs := []forward.Config{changed}
		if i%3 > 0 {
			confs = append(confs, second)
		}
		check(t, n.forwards.Configure(confs))
		select {
		case <-done:
		case <-time.After(5 * time.Millisecond): // what is under way comes to be
			continue
		}
		break
	}
	looked, syncs := 0, map[string]bool{}
	list := s.got.await(t, "what each device said last", func(l []object) bool {
		for ; looked < len(l); looked++ { // once each: to look at all of them again for each that comes takes longer than they do
			if o := &l[looked]; o.text() == "SYNC" {
				syncs[o.ID] = true
			}
		}
		return len(syncs) == devices*rounds
	})
	checkNumbered(t, list, names, rounds*each, true)
	last := map[string]int{} // of the forward that comes and goes: order alone
	for _, o := range other.got.all() {
		var k int
		if _, err := fmt.Sscanf(o.text(), o.Name+"-%d", &k); err == nil {
			if k < last[o.Name]-each {
				t.Fatalf("DISORDER: of %q came %d behind %d", o.Name, k, last[o.Name])
			}
			last[o.Name] = k
		}
	}
}

func TestRetentionLeavesWhatIsNotDelivered(t *testing.T) {
	w := newWire(false)
	with := w.setting()
	with.dir = t.TempDir()
	n := newNode(t, with, toLink)
	addr := n.fleet("devices", lineSpec)
	c := dial(t, addr, "a")
	say(t, c, "kept")
	id := n.live()[0].ID()
	c.Close()
	other := n.fleetRecorded("strangers", lineSpec, session.RecordOn) // whom no forward wants
	c = dial(t, other, "b")
	c.Close()
	n.status("web", "waiting", func(s device.ForwardStatus) bool { return s.State == "waiting" })
	recorded := func() map[session.ID]bool {
		list, err := n.List(context.Background(), session.Recorded, index.Filter{})
		check(t, err)
		ids := map[session.ID]bool{}
		for _, sum := range list {
			ids[sum.ID] = true
		}
		return ids
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) { // both are sealed and indexed
		if ids := recorded(); len(ids) == 2 && len(n.store.Pending()) == 0 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("got %v recordings", ids)
		}
	}
	n.stop()
	with.keep = hub.Retention{MaxAge: time.Microsecond, Every: time.Second}
	n = newNode(t, with, toLink)
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		ids := recorded()
		if !ids[id] {
			t.Fatal("LOST: retention removed what was not delivered")
		}
		if len(ids) == 1 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("retention never removed what no forward wants; got %v", ids)
		}
	}
	w.connect()
	w.got.count(t, 2)
	n.status("web", "idle", isIdle)
	for deadline := time.Now().Add(patience); n.forwards.Holds(id); time.Sleep(time.Millisecond) { // it lets go a moment later
		if time.Now().After(deadline) {
			t.Fatal("what was delivered is held")
		}
	}
}
