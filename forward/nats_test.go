package forward_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/switchboard-relay/switchboard/bus"
	"github.com/switchboard-relay/switchboard/forward"
)

func newBus(t testing.TB) *bus.Bus {
	t.Helper()
	b, err := bus.Open(bus.Options{StoreDir: t.TempDir()})
	check(t, err)
	t.Cleanup(func() { b.Close() })
	return b
}

func TestASubjectGetsEachMessageUnderItsDevicesName(t *testing.T) {
	b := newBus(t)
	got := make(chan *nats.Msg, 10)
	sub, err := b.Rooms().ChanSubscribe("devices.>", got)
	check(t, err)
	check(t, b.Rooms().Flush())
	defer sub.Unsubscribe()
	conf := forward.Config{Name: "bus", To: "nats:devices.{fleet}.{name}.said", Encoding: "text"}
	n := newNode(t, setting{opt: forward.Options{NATS: b.Forwards}}, conf)
	c := dial(t, n.fleet("my fleet", lineSpec), "860")
	say(t, c, "hello \"you\"")
	for i, want := range []string{"LOGIN:860", `hello "you"`} {
		select {
		case m := <-got:
			var o object
			check(t, json.Unmarshal(m.Data, &o))
			if m.Subject != "devices.my=20fleet.860.said" || o.text() != want || m.Header.Get(nats.MsgIdHdr) != o.ID {
				t.Errorf("message %d: got %s %s with id %s; want %s", i, m.Subject, m.Data, m.Header.Get(nats.MsgIdHdr), want)
			}
		case <-time.After(patience):
			t.Fatalf("message %d never came", i)
		}
	}
}

func TestAStreamStoresEachMessageOnce(t *testing.T) {
	b := newBus(t)
	js, err := b.Rooms().JetStream()
	check(t, err)
	_, err = js.AddStream(&nats.StreamConfig{Name: "said", Subjects: []string{"said.>"}, Storage: nats.MemoryStorage, MaxBytes: 1 << 20})
	check(t, err)
	n := newNode(t, setting{opt: forward.Options{NATS: b.Forwards}}, forward.Config{Name: "bus", To: "nats:said.{name}", JetStream: true})
	c := dial(t, n.fleet("devices", lineSpec), "a")
	for k := range 100 {
		say(t, c, numbered("a", k))
	}
	settle(t, c, "SYNC")
	n.status("bus", "idle, with all delivered", func(s status) bool { return isIdle(s) && s.Delivered == 102 })
	info, err := js.StreamInfo("said")
	check(t, err)
	if info.State.Msgs != 102 {
		t.Errorf("the stream has %d messages, want 102", info.State.Msgs)
	}
	sub, err := js.SubscribeSync("said.a", nats.OrderedConsumer())
	check(t, err)
	var list []object
	for range 102 {
		m, err := sub.NextMsg(patience)
		check(t, err)
		var o object
		check(t, json.Unmarshal(m.Data, &o))
		list = append(list, o)
	}
	checkNumbered(t, list, []string{"a"}, 100, false)
}

func TestAStreamThatIsNotThereIsWaitedFor(t *testing.T) {
	b := newBus(t)
	conf := forward.Config{Name: "bus", To: "nats:said.{name}", JetStream: true, RetryMin: 10 * time.Millisecond, RetryMax: 50 * time.Millisecond,
		Timeout: time.Second}
	n := newNode(t, setting{opt: forward.Options{NATS: b.Forwards}}, conf)
	dial(t, n.fleet("devices", lineSpec), "a")
	n.status("bus", "waiting", func(s status) bool { return s.Retried > 0 && s.Error != "" })
	js, err := b.Rooms().JetStream()
	check(t, err)
	_, err = js.AddStream(&nats.StreamConfig{Name: "said", Subjects: []string{"said.>"}, Storage: nats.MemoryStorage, MaxBytes: 1 << 20})
	check(t, err)
	n.status("bus", "idle", isIdle)
	if info, err := js.StreamInfo("said"); err != nil || info.State.Msgs != 1 {
		t.Errorf("got %+v, %v; want 1 message", info, err)
	}
}
