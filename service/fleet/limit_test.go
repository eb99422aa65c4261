package fleet_test

import (
	"database/sql"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/service/fleet"
	"github.com/switchboard-relay/switchboard/session"
)

func TestAnAddressMayHaveFewConnectionsWithoutANameAndManyWithOne(t *testing.T) {
	h := newHouse(t, with(func(c *fleet.Config) { c.MaxUnregistered = 3 }))
	for i := range 10 { // a network behind one address
		h.dial().say(fmt.Sprintf("ETUNG:90%d\n", i))
		h.online(fmt.Sprint("90", i), 1)
	}
	silent := []*far{h.dial(), h.dial(), h.dial()}
	h.counts(13)
	refused := h.dial()
	refused.awaitEnd()
	h.dialFrom("127.0.0.9").say("PING").expect("PONG") // of another address
	if n := h.listener.Status().Refusals["too many unregistered"]; n != 1 {
		t.Errorf("%d were refused: %v; want 1", n, h.listener.Status().Refusals)
	}
	silent[0].say("ETUNG:910\n")
	h.online("910", 1)
	h.dial().say("PING").expect("PONG") // in its place
	silent[1].Close()
	h.counts(14 - 1 + 1)
	h.dial().say("PING").expect("PONG")
}

func TestAnAddressMayConnectOnlySoOften(t *testing.T) {
	h := newHouse(t, with(func(c *fleet.Config) { c.ConnectRate = 5 }))
	refused := 0
	for range 60 {
		c := h.dial()
		c.say("PING")
		if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
			refused++
		}
	}
	st := h.listener.Status()
	if refused == 0 || st.Refusals["connect rate"] != uint64(refused) || int(st.Accepted)+refused != 60 || st.Accepted < 20 {
		t.Errorf("%d of 60 were refused, counted %v, %d accepted; want all but 20 or some more", refused, st.Refusals, st.Accepted)
	}
	if total := h.fleets.Totals()[0]; total.Refused != uint64(refused) {
		t.Errorf("the fleet counts %d; want %d", total.Refused, refused)
	}
	h.until("some may come again", func() bool {
		c := h.dial()
		defer c.Close()
		c.say("PING")
		_, err := io.ReadFull(c, make([]byte, 4))
		return err == nil
	})
}

func TestAFullFleetTakesADeviceAgainButNoOther(t *testing.T) {
	h := newHouse(t, with(func(c *fleet.Config) { c.MaxDevices = 2 }))
	h.dial().say("ETUNG:911\n")
	h.dial().say("ETUNG:912\n")
	h.online("911", 1)
	h.online("912", 1)
	other := h.dial().say("ETUNG:913\n")
	other.awaitEnd()
	if sum := h.ended(other.LocalAddr()); sum.Cause != session.Refused || h.listener.Status().Refusals["too many devices"] != 1 {
		t.Errorf("the third ended as %s, %v", sum.Cause, h.listener.Status().Refusals)
	}
	again := h.dial().say("ETUNG:912\nPING")
	again.expect("PONG")
	h.counts(2)
	again.Close()
	h.counts(1)
	h.dial().say("ETUNG:913\nPING").expect("PONG")
}

func TestADeviceThatSaysTooMuchIsReadSlower(t *testing.T) {
	h := newHouse(t, with(func(c *fleet.Config) { c.ByteRate = 100_000 }))
	c, other := h.dial().say("ETUNG:914\n"), h.dial()
	h.online("914", 1)
	began := time.Now()
	go io.WriteString(c, strings.Repeat("x", 600_000))
	h.until("other devices are read meanwhile", func() bool {
		other.say("PING").expect("PONG")
		return h.received(c, 600_000)
	})
	if took := time.Since(began); took < 1500*time.Millisecond {
		t.Errorf("600 kB were read in %s; want some 5 s, less what is read at once, at 100 kB/s with one second's worth at once", took)
	}
}

// All flows of a socket are read by one goroutine: one that said too much once had all of them wait.
func TestAFlowThatSaysTooMuchHoldsUpNoOther(t *testing.T) {
	h := newHouse(t, with(func(c *fleet.Config) { c.ByteRate = 100 }))
	h.dialUDP().say("ETUNG:918\n").say(strings.Repeat("x", 60_000))
	other := h.dialUDP()
	began := time.Now()
	for range 3 {
		other.say("PING").expect("PONG")
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("another flow was answered after %s; want at once", took)
	}
}

func TestSilenceOfEachDirectionHasALimit(t *testing.T) {
	h := newHouse(t, with(func(c *fleet.Config) { c.IdleReceived, c.IdleSent = 2*time.Second, 5*time.Second }))
	silent := h.dial().say("ETUNG:915\n")
	silent.awaitEnd()
	if sum := h.ended(silent.LocalAddr()); sum.Cause != session.Idle || !strings.Contains(sum.Detail, "received") {
		t.Errorf("who was silent ended as %s, %q", sum.Cause, sum.Detail)
	}
	flow := h.dialUDP().say("ETUNG:917\n")
	if sum := h.ended(flow.LocalAddr()); sum.Cause != session.Idle || sum.Name != "917" {
		t.Errorf("a flow that was silent, 917's, ended as %s, %q's", sum.Cause, sum.Name)
	}
	talks := h.dial().say("ETUNG:916\n")
	began := time.Now()
	go func() {
		for talks.SetDeadline(time.Now().Add(patience)) == nil {
			if _, err := io.WriteString(talks, "x"); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond) // the device's own pace
		}
	}()
	if _, err := io.Copy(io.Discard, talks); isTimeout(err) {
		t.Fatal("it was not ended")
	}
	if sum := h.ended(talks.LocalAddr()); sum.Cause != session.Idle || !strings.Contains(sum.Detail, "sent") {
		t.Errorf("who was sent nothing ended as %s, %q after %s", sum.Cause, sum.Detail, time.Since(began))
	}
	talks.Close()
	h.counts(0)
}

func TestRepliesWaitForTheDiskInOrder(t *testing.T) {
	h := newHouse(t, with(func(c *fleet.Config) { c.AckStored = true }))
	c := h.dial().say("ETUNG:918\n")
	for range 3 {
		c.say("PING").expect("PONG")
		// What is sealed or in the journal is read behind this: the reply came later than the disk had its message.
		if err := h.of(c).WaitStored(); err != nil {
			t.Fatal(err)
		}
	}
	flow := h.dialUDP()
	for range 50 {
		flow.say("PING")
	}
	for range 50 {
		flow.expect("PONG")
	}
}

func TestDevicesAreKnownBehindARestart(t *testing.T) {
	h := newHouse(t)
	for i := range 60 {
		c := h.dial().say("ETUNG:919\nPING")
		c.expect("PONG")
		if i < 59 {
			c.Close()
			h.online("919", 0)
		}
	}
	h.dialUDP().say("ETUNG:920\n")
	h.online("920", 1)
	before := h.status("919")
	h.close()
	h = houseIn(t, h.dir)
	<-h.fleets.Caught()
	st, list, err := h.fleets.Get("devices", "919")
	if err != nil || st.State != device.Offline || st.Connections != 60 || st.Messages != 120 || st.FirstSeen != before.FirstSeen ||
		st.LastHeard != before.LastHeard || st.Cause != "shutdown" || st.Received != before.Received || st.Sent != before.Sent {
		t.Errorf("behind a restart: %+v, %v; before %+v", st, err, before)
	}
	if len(list) != 50 || list[0].Session != before.Session || list[0].Messages != 2 || list[0].Cause != session.Shutdown || list[49].Start >= list[0].Start {
		t.Errorf("%d connections are kept, the newest %+v; want the newest 50", len(list), list[0])
	}
	page, err := h.fleets.List(device.Query{})
	if err != nil || len(page.Devices) != 2 || page.Counts.Offline != 2 || page.Counts.Online != 0 {
		t.Errorf("the list: %+v, %v", page, err)
	}
	must(t, h.fleets.Forget("devices", "919"))
	if _, _, err := h.fleets.Get("devices", "919"); err != device.ErrNotFound {
		t.Errorf("forgotten: %v; want %v", err, device.ErrNotFound)
	}
	h.close()
	for range 2 { // its recordings are as new as what is looked for behind a crash
		h = houseIn(t, h.dir)
		<-h.fleets.Caught()
		if _, list, err := h.fleets.Get("devices", "919"); err != device.ErrNotFound {
			t.Errorf("forgotten, behind a restart: %v, %v", list, err)
		}
		h.close()
	}
	h = houseIn(t, h.dir)
	h.dial().say("ETUNG:919\n")
	h.online("919", 1)
	h.close()
	h = houseIn(t, h.dir)
	<-h.fleets.Caught()
	if st, list, err := h.fleets.Get("devices", "919"); err != nil || st.Connections != 1 || len(list) != 1 {
		t.Errorf("it came again: %+v, %v, %v; want it with that connection alone", st, list, err)
	}
}

func TestACrashedProcessLeavesDevicesAsTheRecordingsHaveThem(t *testing.T) {
	h := newHouse(t)
	early := h.dial().say("ETUNG:940\nPING")
	early.expect("PONG")
	h.until("it is on disk", func() bool {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(h.dir, "fleet.db")+"?mode=ro")
		must(t, err)
		defer db.Close()
		var n int
		return db.QueryRow("SELECT count(*) FROM connection WHERE name = '940'").Scan(&n) == nil && n == 1
	})
	early.say(strings.Repeat("x", 1000))
	late := h.dial().say("ETUNG:941\n")
	h.online("941", 1)
	h.until("all came", func() bool { return h.received(early, 1014) })
	must(t, h.of(early).WaitStored())
	must(t, h.of(late).WaitStored())
	dir := t.TempDir() // as kill -9 would leave it
	must(t, os.CopyFS(dir, os.DirFS(h.dir)))
	session940 := h.status("940").Session

	h = houseIn(t, dir)
	h.until("what is known is brought up to date", func() bool {
		interrupted := string(session.Interrupted)
		return h.status("940").Cause == interrupted && h.status("941").Cause == interrupted
	})
	for _, name := range []string{"940", "941"} {
		st, list, err := h.fleets.Get("devices", name)
		if err != nil || st.State != device.Offline || st.Cause != string(session.Interrupted) || st.Connections != 1 || len(list) != 1 ||
			st.Received != map[string]uint64{"940": 1014, "941": 10}[name] || list[0].Cause != session.Interrupted || list[0].End == 0 || list[0].Received != st.Received {
			t.Errorf("%s: %+v, %+v, %v", name, st, list, err)
		}
	}
	if st := h.status("940"); st.Session != session940 || st.Sent != 4 {
		t.Errorf("940: %+v; want session %s", st, session940)
	}
}

// A connection that ended just before its device was forgotten was written behind that, and was there again when the device was.
func TestADeviceThatWasForgottenHasNoConnectionsFromBefore(t *testing.T) {
	h := newHouse(t)
	c := h.dial().say("ETUNG:940\n")
	h.online("940", 1)
	c.Close()
	h.online("940", 0)
	must(t, h.fleets.Forget("devices", "940"))
	h.dial().say("ETUNG:940\n")
	h.online("940", 1)
	if _, list, err := h.fleets.Get("devices", "940"); err != nil || len(list) != 1 {
		t.Errorf("it has the connections %+v, %v; want the new one alone", list, err)
	}
}

func TestListsComeInPagesInTheOrderOfNames(t *testing.T) {
	h := newHouse(t)
	var conns []net.Conn
	for i := range 25 {
		conns = append(conns, h.dial().say(fmt.Sprintf("ETUNG:IMEI%02d\n", (i*7)%25)))
	}
	h.until("all are there", func() bool {
		page, err := h.fleets.List(device.Query{Match: "imei"})
		return err == nil && len(page.Devices) == 25
	})
	var names []string
	for q := (device.Query{Match: "IMEI*", Limit: 10}); ; {
		page, err := h.fleets.List(q)
		must(t, err)
		for _, st := range page.Devices {
			names = append(names, st.Name)
		}
		if q.After = page.Next; q.After == "" {
			break
		}
		h.dial().say("ETUNG:A" + fmt.Sprint(len(names)) + "\n") // before the page, which moves nothing
		h.online("A"+fmt.Sprint(len(names)), 1)
	}
	for i, name := range names {
		if want := fmt.Sprintf("IMEI%02d", i); name != want {
			t.Fatalf("place %d has %s; want %s, of %q", i, name, want, names)
		}
	}
	if len(names) != 25 {
		t.Errorf("%d names; want 25", len(names))
	}
	conns[0].Close()
	h.online("IMEI00", 0)
	page, err := h.fleets.List(device.Query{State: device.Offline})
	if err != nil || len(page.Devices) != 1 || page.Devices[0].Name != "IMEI00" || page.Devices[0].Cause != string(session.HungUp) {
		t.Errorf("who is offline: %+v, %v", page.Devices, err)
	}
	for _, c := range []struct {
		match string
		want  int
	}{{"imei0", 10}, {"*01", 1}, {"I*E*2*", 6}, {"nobody", 0}, {"0*", 0}, {"", 27}} {
		if page, err := h.fleets.List(device.Query{Match: c.match}); err != nil || len(page.Devices) < c.want || c.match != "I*E*2*" && c.match != "" && len(page.Devices) != c.want {
			t.Errorf("%q: %d devices, %v; want %d", c.match, len(page.Devices), err, c.want)
		}
	}
	if _, err := h.fleets.List(device.Query{After: "nonsense"}); err == nil {
		t.Error("a cursor that is none was taken")
	}
}
