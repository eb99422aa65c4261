package forward_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/forward"
)

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestADeviceAtRestTakesLittle(t *testing.T) {
	const devices, most = 3000, 500 // bytes of a device and its first forward
	to := &sewer{came: make(chan struct{})}
	to.open.Store(true)
	n := newNode(t, setting{opt: forward.Options{Link: func(string) forward.Link { return to }}}, toLink)
	list := n.admitUnnamed(t, devices)
	for _, s := range list {
		check(t, s.RecordReceived([]byte(line64)))
	}
	time.Sleep(time.Second) // until the recordings rest as well
	before, routines := heap(), runtime.NumGoroutine()
	for _, s := range list {
		n.forwards.Named(s, "devices", s.Name())
	}
	n.status("web", "idle", func(s device.ForwardStatus) bool { return isIdle(s) && s.Delivered == devices })
	time.Sleep(time.Second) // until places are written
	each := (int64(heap()) - int64(before)) / devices
	t.Logf("%d bytes of a device", each)
	if each > most {
		t.Errorf("a device at rest takes %d bytes, want at most %d", each, most)
	}
	if more := runtime.NumGoroutine() - routines; more > 10 {
		t.Errorf("%d goroutines more, for %d devices at rest", more, devices)
	}
}

// saysMuch is how much memory a device takes more once it said much, with these forwards, bytes; and in how many chunks it
// was recorded, each of which has its place in memory: the slower the machine, the more they are.
func saysMuch(t *testing.T, to *sewer, devices, rounds int, confs ...forward.Config) (n *node, each, chunks int64) {
	n = newNode(t, setting{opt: forward.Options{Link: func(string) forward.Link { return to }}}, confs...)
	list := n.admitUnnamed(t, devices)
	for _, s := range list {
		n.forwards.Named(s, "devices", s.Name())
	}
	before := heap()
	for range rounds {
		for _, s := range list {
			check(t, s.RecordReceived([]byte(line64)))
			n.forwards.News(s)
		}
	}
	time.Sleep(time.Second)
	for n.store.Stats().QueuedBytes > 0 { // in memory as long as they are not on disk
		time.Sleep(time.Millisecond)
	}
	return n, (int64(heap()) - int64(before)) / int64(devices), int64(n.store.Stats().Chunks) / int64(devices)
}

func TestATargetThatIsAwayCostsPlacesAlone(t *testing.T) {
	const devices, rounds, most = 1000, 100, 1000 // bytes of a device, which said 6,500
	to := &sewer{came: make(chan struct{})}
	plain, without, fewer := saysMuch(t, to, devices, rounds)
	plain.stop()
	n, with, chunks := saysMuch(t, to, devices, rounds, toLink)
	t.Logf("a device takes %d bytes more with a forward, and %d without", with, without)
	const place = 2 * 56 // bytes of a chunk's, in a slice that grows
	if allowed := most + place*max(chunks-fewer, 0); with-without > allowed {
		t.Errorf("a device takes %d bytes more with a forward whose target is away, and %d without, in %d and %d chunks; want %d between them at most",
			with, without, chunks, fewer, allowed)
	}
	to.open.Store(true)
	close(to.came)
	n.status("web", "idle", func(s device.ForwardStatus) bool { return isIdle(s) && s.Delivered == devices*rounds })
}
