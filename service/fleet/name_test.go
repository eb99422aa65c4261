package fleet_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/service/fleet"
	"github.com/switchboard-relay/switchboard/session"
)

func TestADeviceIsNamedHoweverItsRegistrationComes(t *testing.T) {
	h := newHouse(t)
	for i, end := range []string{"\n", "\r", "#", "\x00"} {
		name := fmt.Sprintf("86012345678901%d", i)
		whole := "ETUNG:" + name + end
		for cut := 0; cut <= len(whole); cut++ {
			c := h.dial()
			if cut > 0 {
				c.say(whole[:cut])
				if cut < len(whole) { // the first piece is to be read by itself
					h.until("the piece is there", func() bool { return h.received(c, cut) })
				}
			}
			c.say(whole[cut:])
			h.until(name+" is online", func() bool { st := h.status(name); return st.Remote == c.LocalAddr().String() && len(st.Sessions) == 1 })
			c.Close()
			h.online(name, 0)
		}
	}
}

// of is the live session of a connection, nil if there is none.
func (h *house) of(c *far) (found *hub.Session) {
	h.hub.EachLive(func(s *hub.Session) bool {
		if s.RemoteAddr().String() == c.LocalAddr().String() {
			found = s
		}
		return found == nil
	})
	return found
}

// received reports whether a session has received so many bytes.
func (h *house) received(c *far, n int) bool {
	s := h.of(c)
	return s != nil && s.Totals().ReceivedBytes >= uint64(n)
}

func TestARegistrationMayDripAndMayHaveDataBehindIt(t *testing.T) {
	h := newHouse(t)
	drip := h.dial()
	for i, c := range "ETUNG:861\r" {
		drip.say(string(c))
		h.until("the byte is there", func() bool { return h.received(drip, i+1) })
	}
	h.online("861", 1)
	h.until("its registration is counted", func() bool { return h.status("861").Messages > 0 }) // a moment behind
	st := h.status("861")
	if st.Messages != 1 || st.State != device.Online {
		t.Errorf("dripped: %+v; want one message of a device that is online", st)
	}
	glued := h.dial().say("ETUNG:862\nhello")
	st = h.online("862", 1)
	h.until("both messages are counted", func() bool { return h.status("862").Messages == 2 })
	glued.say("ETUNG:863\n") // it has a name
	h.until("the third is counted", func() bool { return h.status("862").Messages == 3 })
	if got, want := h.record(st.Session), []string{"received ETUNG:862\nhello", "named 862", "received ETUNG:863\n"}; !slices.Equal(got[:3], want) {
		t.Errorf("on record: %q; want %q", got, want)
	}
	h.counts(2)
}

func TestWhoHasNoNameIsUnknownUntilItSaysOne(t *testing.T) {
	h := newHouse(t)
	c := h.dial()
	h.counts(1)
	c.say("hello")
	h.online(device.Unknown, 1)
	h.until("what it said is counted", func() bool { return h.status(device.Unknown).Messages > 0 }) // a moment behind
	st := h.status(device.Unknown)
	if st.State != device.Online || st.Messages != 1 {
		t.Errorf("got %+v; want one message of a device that is online", st)
	}
	c.say("ETUNG:864\n")
	named := h.online("864", 1)
	h.online(device.Unknown, 0)
	h.counts(1)
	if st := h.status(device.Unknown); st.Messages != 1 || st.Received != 5 {
		t.Errorf("unknown has %d messages and %d bytes; want 1 and 5", st.Messages, st.Received)
	}
	if named.Session != st.Session {
		t.Errorf("another session: %s, before %s", named.Session, st.Session)
	}
	for _, line := range []string{"named devices/unknown", "named devices/864"} {
		h.until(line, func() bool { return h.follower.told(line) })
	}
	c.Close()
	h.counts(0)
	h.until("the followers know the end", func() bool { return h.follower.told("gone 864") })
}

func TestTheNewestConnectionOfANameWins(t *testing.T) {
	h := newHouse(t)
	var old *far
	for i := range 20 {
		c := h.dial().say("ETUNG:865\n")
		h.until("the newest has the name", func() bool { return h.status("865").Remote == c.LocalAddr().String() })
		if n := h.fleets.Online("devices"); n != 1 {
			t.Fatalf("connection %d: %d are online; want 1", i, n)
		}
		if old != nil {
			old.awaitEnd()
			if sum := h.ended(old.LocalAddr()); sum.Cause != session.Replaced {
				t.Fatalf("connection %d ended as %s; want replaced", i-1, sum.Cause)
			}
			old.Close()
		}
		if st := h.online("865", 1); st.State != device.Online || st.Cause != "" {
			t.Fatalf("behind the end of the older: %+v", st)
		}
		old = c
	}
	st, list, err := h.fleets.Get("devices", "865")
	if err != nil || st.Connections != 20 || len(list) != 20 {
		t.Fatalf("%d connections, %d listed, %v; want 20", st.Connections, len(list), err)
	}
	for i, c := range list[1:] {
		if c.Cause != session.Replaced || c.End == 0 {
			t.Errorf("connection %d: %+v; want replaced", i+1, c)
		}
	}
}

func TestANameOnAnotherFlowReplacesTheOldOne(t *testing.T) {
	h := newHouse(t)
	first := h.dialUDP().say("ETUNG:866\n")
	h.online("866", 1)
	h.counts(1)
	first.say("PING").expect("PONG")
	second := h.dialUDP().say("ETUNG:866\n")
	h.until("the new flow has the name", func() bool { return h.status("866").Remote == second.LocalAddr().String() })
	if sum := h.ended(first.LocalAddr()); sum.Cause != session.Replaced {
		t.Errorf("the old flow ended as %s; want replaced", sum.Cause)
	}
	h.counts(1)
	tcp := h.dial().say("ETUNG:866\n")
	if sum := h.ended(second.LocalAddr()); sum.Cause != session.Replaced {
		t.Errorf("the flow ended as %s; want replaced by the connection", sum.Cause)
	}
	tcp.say("PING").expect("PONG")
	h.counts(1)
}

func with(change func(*fleet.Config)) setting {
	return func(c *fleet.Config, _ *fleet.Options) { change(c) }
}

func TestADuplicateCanBeRefused(t *testing.T) {
	h := newHouse(t, with(func(c *fleet.Config) { c.Duplicate = fleet.Refuse }))
	first := h.dial().say("ETUNG:867\n")
	h.online("867", 1)
	second := h.dial().say("ETUNG:867\n")
	second.awaitEnd()
	if sum := h.ended(second.LocalAddr()); sum.Cause != session.Refused || !strings.Contains(sum.Detail, "connected") {
		t.Errorf("the second ended as %s, %q; want refused", sum.Cause, sum.Detail)
	}
	if n := h.listener.Status().Refusals["duplicate name"]; n != 1 {
		t.Errorf("%d are counted; want 1", n)
	}
	first.say("PING").expect("PONG")
	h.counts(1)
}

func TestOneNameMayHaveManyConnections(t *testing.T) {
	h := newHouse(t, with(func(c *fleet.Config) { c.Duplicate = fleet.Many }))
	var conns []*far
	for range 5 {
		conns = append(conns, h.dial().say("ETUNG:868\n"))
	}
	h.online("868", 5)
	h.counts(5)
	conns[2].Close()
	h.online("868", 4)
	h.counts(4)
}

func TestWhoIsNotKnownIsHeldUntilAdmitted(t *testing.T) {
	h := newHouse(t, with(func(c *fleet.Config) {
		c.Unknown, c.Known = fleet.Hold, func(name string) bool { return name == "known" }
	}))
	h.dial().say("ETUNG:known\n")
	h.counts(1)
	c := h.dial().say("ETUNG:869\nbefore")
	st := h.online("869", 1)
	if st.State != device.Held || h.fleets.Online("devices") != 1 {
		t.Fatalf("%+v, %d online; want it held, and not counted", st, h.fleets.Online("devices"))
	}
	h.until("its messages are counted", func() bool { return h.status("869").Messages == 2 })
	if h.follower.told("named devices/869") || len(h.record(st.Session)) != 1 {
		t.Errorf("it was named: %q", h.record(st.Session))
	}
	if page, err := h.fleets.List(device.Query{State: device.Held}); err != nil || len(page.Devices) != 1 || page.Counts.Held != 1 || page.Counts.Online != 1 {
		t.Errorf("list of those held: %+v, %v", page, err)
	}
	if st, err := h.fleets.Admit("devices", "869"); err != nil || st.State != device.Online {
		t.Fatalf("admitted: %+v, %v", st, err)
	}
	h.until("it is named", func() bool { return h.follower.told("named devices/869") })
	h.counts(2)
	c.Close()
	h.counts(1)
	h.dial().say("ETUNG:869\n") // and it is known now
	h.until("it is online again", func() bool { return h.status("869").State == device.Online })
	h.close()
	h = houseIn(t, h.dir, with(func(c *fleet.Config) { c.Unknown, c.Known = fleet.Reject, func(string) bool { return false } }))
	h.dial().say("ETUNG:869\n")
	h.until("it is online behind a restart", func() bool { return h.status("869").State == device.Online })
	other := h.dial().say("ETUNG:870\n")
	other.awaitEnd()
	if sum := h.ended(other.LocalAddr()); sum.Cause != session.Refused || h.listener.Status().Refusals["not known"] != 1 {
		t.Errorf("who was not admitted ended as %s, counted as %v", sum.Cause, h.listener.Status().Refusals)
	}
}

func TestWhoDoesNotSayItsNameIsRejectedInTime(t *testing.T) {
	h := newHouse(t, with(func(c *fleet.Config) { c.Unregistered, c.RegisterTimeout = fleet.Reject, 3*time.Second }))
	silent, talks, named := h.dial(), h.dial().say("hello"), h.dial().say("ETUNG:871\n")
	h.counts(1)
	for _, c := range []*far{silent, talks} {
		c.awaitEnd()
		if sum := h.ended(c.LocalAddr()); sum.Cause != session.Refused || sum.Name != "" {
			t.Errorf("ended as %s, named %q; want refused without a name", sum.Cause, sum.Name)
		}
	}
	named.say("PING").expect("PONG")
	h.counts(1)
}

func TestWhoDoesNotSayItsNameIsHeldOnceItsTimeIsOver(t *testing.T) {
	h := newHouse(t, with(func(c *fleet.Config) { c.Unregistered, c.RegisterTimeout = fleet.Hold, 300*time.Millisecond }))
	c := h.dial().say("hello")
	if st := h.online(device.Unknown, 1); st.State != device.Held {
		t.Errorf("it is %s; want held", st.State)
	}
	h.counts(0)
	if _, err := h.fleets.Admit("devices", device.Unknown); err == nil {
		t.Error("devices without a name were admitted")
	}
	c.say("ETUNG:872\n")
	h.online("872", 1)
	h.online(device.Unknown, 0)
	h.counts(1)
}

func TestTheCountIsExactWhateverHappens(t *testing.T) {
	h := newHouse(t)
	const devices, rounds = 40, 25
	var wg sync.WaitGroup
	for d := range devices {
		wg.Go(func() {
			name := fmt.Sprint("88", d%30) // some names are those of two
			for i := range rounds {
				c := h.dial()
				switch (d + i) % 5 {
				case 0:
					c.say("ETUNG:" + name + "\n")
					c.Close()
				case 1:
					c.say("hello").Conn.(interface{ SetLinger(int) error }).SetLinger(0)
					c.Close()
				case 2:
					c.say("ETUNG:" + name + "\n")
					for _, id := range h.status(name).Sessions {
						h.hub.Kick(t.Context(), id, "test", "")
					}
				default:
					c.say("ETUNG:" + name + "\nPING")
				}
				if n := h.fleets.Online("devices"); n < 0 || n > devices*rounds {
					t.Errorf("%d are online", n)
				}
			}
		})
	}
	wg.Wait()
	h.until("every connection was seen", func() bool { return h.listener.Status().Accepted == devices*rounds })
	exact := func() bool {
		live, listed := 0, 0
		h.hub.EachLive(func(s *hub.Session) bool {
			if s.Ended() == nil {
				live++
			}
			return true
		})
		page, err := h.fleets.List(device.Query{Limit: 1000})
		must(t, err)
		for _, st := range page.Devices {
			listed += len(st.Sessions)
			if st.Name != device.Unknown && len(st.Sessions) > 1 {
				t.Errorf("%s has %d connections", st.Name, len(st.Sessions))
			}
		}
		return live == h.fleets.Online("devices") && live == page.Counts.Online && listed <= live
	}
	h.until("the count is that of the live sessions", exact)
	h.close()
	if n := h.fleets.Online("devices"); n != 0 {
		t.Errorf("%d are online behind the end", n)
	}
}

func TestNamesThatCannotBeAreNotTaken(t *testing.T) {
	h := newHouse(t)
	long := h.dial().say("ETUNG:" + strings.Repeat("x", 500) + "\n")
	called := h.dial().say("ETUNG:unknown\n")
	h.online(device.Unknown, 2)
	for _, c := range []*far{long, called} {
		c.say("PING").expect("PONG")
		h.until("what it said is on record", func() bool {
			return slices.ContainsFunc(h.record(h.of(c).ID()), func(line string) bool { return strings.HasPrefix(line, "noted the device said ") })
		})
	}
	h.counts(2)
}

// commander notes what it is told.
type commander struct {
	follower
	peers chan fleet.Peer
}

func (c *commander) Online(p fleet.Peer) {
	c.note("online " + p.Name())
	c.peers <- p
}
func (c *commander) Heard(p fleet.Peer, m *frame.Message) { c.note("heard " + string(m.Data)) }
func (c *commander) Offline(p fleet.Peer, why error) {
	c.note(fmt.Sprintf("offline %s %v", p.Name(), why))
}

func (c *commander) Request(_ context.Context, fleet, by string, line []byte, later func([]byte)) []byte {
	c.note("request " + fleet + " " + string(line))
	if string(line) == "later" {
		go later([]byte("it is later"))
		return nil
	}
	return append([]byte("answer to "), line...)
}
