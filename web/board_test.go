package web_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
)

// livePacket is a live packet.
type livePacket struct {
	Seq    int
	Now    int64
	Reset  bool
	More   bool
	Add    [][]any
	Change [][]int64
	Name   [][]any
	End    []endedRow
	Counts struct {
		Live, Opened, Ended, Watchers int
		Received                      uint64 `json:"received_bytes"`
		Sent                          uint64 `json:"sent_bytes"`
		Listeners                     map[string]int
	}
}

type endedRow struct {
	Ref *int
	session.Summary
}

// shown is the live list as a page shows it: it fails where a packet makes no sense behind those before.
type shown struct {
	p      *page
	rows   map[int][]any
	ended  []endedRow
	last   livePacket
	resets int
	more   bool
}

func (h *house) shown(p *page) *shown {
	h.t.Helper()
	s := &shown{p: p, rows: map[int][]any{}}
	var ok struct{ Error string }
	p.ask("live", `{"on":true}`, &ok)
	if ok.Error != "" {
		h.t.Fatal(ok.Error)
	}
	s.until("the whole list", func() bool { return s.resets == 1 && !s.more })
	return s
}

// take waits for a packet and does what it says.
func (s *shown) take() livePacket {
	t := s.p.t
	t.Helper()
	e := s.p.await("live")
	var k livePacket
	e.into(t, 0, &k)
	switch {
	case k.Reset:
		s.rows = map[int][]any{}
		s.resets++
	case s.resets == 0:
		t.Fatalf("the first packet is no reset: %s", e.args[0])
	case s.more && k.Seq != s.last.Seq, !s.more && k.Seq != s.last.Seq+1:
		t.Fatalf("packet %d follows %d", k.Seq, s.last.Seq)
	}
	for _, row := range k.Add {
		ref := int(row[0].(float64))
		if s.rows[ref] != nil || len(row) != 16 {
			t.Fatalf("added: %v; there is %v", row, s.rows[ref])
		}
		s.rows[ref] = row
	}
	for _, c := range k.Change {
		row := s.rows[int(c[0])]
		if row == nil || len(c) != 6 {
			t.Fatalf("a change of what is not there: %v", c)
		}
		for i, n := range c[1:] {
			row[11+i] = float64(n)
		}
	}
	for _, n := range k.Name {
		s.rows[int(n[0].(float64))][7] = n[1]
	}
	for _, end := range k.End {
		if end.Ref != nil {
			if row := s.rows[*end.Ref]; row == nil || row[1] != string(end.ID) {
				t.Fatalf("the end of %s, which is row %v", end.ID, row)
			}
			delete(s.rows, *end.Ref)
		}
		s.ended = append(s.ended, end)
	}
	s.last, s.more = k, k.More
	return k
}

func (s *shown) until(what string, f func() bool) {
	s.p.t.Helper()
	for deadline := time.Now().Add(patience); !f(); s.take() {
		if time.Now().After(deadline) {
			s.p.t.Fatalf("waited %v in vain: %s; %d rows, counts %+v", patience, what, len(s.rows), s.last.Counts)
		}
	}
}

// row is that of a session, nil if there is none.
func (s *shown) row(id session.ID) []any {
	for _, row := range s.rows {
		if row[1] == string(id) {
			return row
		}
	}
	return nil
}

func TestTheLiveListBeginsWithAllAndThenTellsWhatChanges(t *testing.T) {
	h := open(t)
	addr := h.listen("a", func(c *hub.ListenerConfig) { c.Terminal = "80x24" })
	first := h.call(addr)
	s := h.shown(h.look("vera"))
	row := s.row(first.id)
	if row == nil || row[2] != "a" || row[3] != "echo" || row[4] != "tcp" || row[6] != first.LocalAddr().String() ||
		row[7] != "" || row[9] != "on" || row[10] != "80x24" {
		t.Fatalf("the row of a session: %v", row)
	}
	if got, want := int64(row[8].(float64)), h.one(first.id).Start; got != want {
		t.Errorf("start %d; want %d", got, want)
	}
	second := h.call(addr)
	s.until("a session that comes", func() bool { return s.row(second.id) != nil })
	second.say("four")
	s.until("its bytes", func() bool {
		row := s.row(second.id)
		return fmt.Sprint(row[11:15]) == "[4 4 1 1]"
	})
	s.until("the counts", func() bool {
		c := s.last.Counts
		return c.Live == 2 && c.Opened == 2 && c.Listeners["a"] == 2 && c.Received == 4 && c.Sent == 4
	})
	if s.resets != 1 {
		t.Errorf("%d resets; want the first alone", s.resets)
	}
}

func TestTheEndOfASessionComesWithItsCause(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	c.say("bytes")
	s := h.shown(h.look("vera"))
	if status, body := h.do("otto", "POST", sessionPath(c.id, "/kick"), `{"reason":"maintenance"}`); status != 200 {
		t.Fatal(body)
	}
	s.until("the end", func() bool { return len(s.ended) == 1 })
	got := s.ended[0]
	if got.Ref == nil || got.ID != c.id || got.Cause != session.Kicked || got.By != "otto" || got.Reason != "maintenance" ||
		got.State != session.Recorded || got.ReceivedBytes != 5 || got.End < got.Start || s.row(c.id) != nil {
		t.Errorf("told %+v, row %v", got, s.row(c.id))
	}
	s.until("the counts", func() bool { return s.last.Counts.Live == 0 && s.last.Counts.Ended == 1 })
}

func TestSessionsThatBeginAndEndBetweenTwoPacketsAreTold(t *testing.T) {
	h := open(t)
	addr := h.listen("a")
	s := h.shown(h.look("vera"))
	const calls = 100
	for range calls {
		conn, err := net.Dial("tcp", addr)
		check(t, err)
		io.WriteString(conn, "x")
		conn.Close()
	}
	s.until("all ends", func() bool { return len(s.ended) == calls })
	seen, unseen := map[session.ID]bool{}, 0
	for _, e := range s.ended {
		if seen[e.ID] || e.Cause != session.HungUp && e.Cause != session.Reset {
			t.Errorf("%s ended as %q, told before: %v", e.ID, e.Cause, seen[e.ID])
		}
		seen[e.ID] = true
		if e.Ref == nil {
			unseen++
		}
	}
	if unseen == 0 {
		t.Error("all of them had rows; want most to have come and gone unseen")
	}
	s.until("the counts", func() bool { return s.last.Counts.Ended == calls && len(s.rows) == 0 })
}

func TestManyEndsAtOnceLeaveNoRowBehind(t *testing.T) {
	h := open(t)
	l, err := h.hub.Listener(hub.ListenerConfig{Name: "many", Transport: "pipe", Record: session.RecordOn}, nil)
	check(t, err)
	const most = 1500
	h.fill(l, most)
	s := h.shown(h.look("vera"))
	if len(s.rows) != most {
		t.Fatalf("%d rows; want %d", len(s.rows), most)
	}
	l.EndAll(session.Kicked, "")
	s.until("an empty list", func() bool { return len(s.rows) == 0 && s.last.Counts.Ended == most })
	if len(s.ended) > most || len(s.ended) < 100 {
		t.Errorf("%d ends; want some hundreds", len(s.ended))
	}
}

// fill opens sessions on the listener.
func (h *house) fill(l *hub.Listener, n int) (list []*hub.Session) {
	h.t.Helper()
	for range n {
		near, far := net.Pipe()
		s, err := h.hub.Wrap(l, near)
		check(h.t, err)
		go io.Copy(io.Discard, far) // ends with the session
		list = append(list, s)
	}
	return list
}

func TestANameThatASessionGetsIsTold(t *testing.T) {
	h := open(t)
	l, err := h.hub.Listener(hub.ListenerConfig{Name: "wrapped", Transport: "pipe", Record: session.RecordOn}, nil)
	check(t, err)
	c := h.fill(l, 1)[0]
	s := h.shown(h.look("vera"))
	c.SetName(`a "name" <é>`)
	s.until("the name", func() bool { return s.row(c.ID())[7] == `a "name" <é>` })
}

func TestWatchersOfASessionAreCountedInItsRow(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	s := h.shown(h.look("vera"))
	w := h.watch(c.id, "")
	s.until("the watcher", func() bool { return fmt.Sprint(s.row(c.id)[15]) == "1" && s.last.Counts.Watchers == 1 })
	w.stop()
	s.until("that it left", func() bool { return fmt.Sprint(s.row(c.id)[15]) == "0" })
}

func TestOneWhoComesLaterSeesTheSameList(t *testing.T) {
	h := open(t)
	addr := h.listen("a")
	h.call(addr)
	s := h.shown(h.look("vera"))
	h.call(addr).hangUp()
	c := h.call(addr)
	c.say("x")
	s.until("two sessions, and what was said and echoed", func() bool {
		row := s.row(c.id)
		return len(s.rows) == 2 && row != nil && fmt.Sprint(row[11:15]) == "[1 1 1 1]"
	})
	later := h.shown(h.look("otto"))
	want, _ := json.Marshal(s.rows)
	if got, _ := json.Marshal(later.rows); string(got) != string(want) {
		t.Errorf("who came later sees\n%s\nand the other\n%s", got, want)
	}
	s.until("the same packet", func() bool { return s.last.Seq >= later.last.Seq })
}

func TestWhoTurnsTheListOffHearsNoMoreOfItAndMayTurnItOnAgain(t *testing.T) {
	h := open(t)
	addr := h.listen("a")
	p := h.look("vera")
	h.shown(p)
	var ok struct{}
	p.ask("live", `{"on":false}`, &ok)
	p.kept = nil
	other := h.shown(h.look("vera"))
	c := h.call(addr)
	other.until("a session", func() bool { return other.row(c.id) != nil })
	p.nothingComes("live")
	if s := h.shown(p); s.row(c.id) == nil {
		t.Error("turned on again, the list lacks a session")
	}
}

func TestNothingIsSaidTooOftenButThePulse(t *testing.T) {
	h := open(t)
	s := h.shown(h.look("vera"))
	began := s.last.Now
	s.take()
	if gap := time.Duration(s.last.Now-began) * time.Microsecond; gap < 1500*time.Millisecond || gap > 10*time.Second {
		t.Errorf("the packet behind the first came after %v; want about 2 s, since nothing changed", gap)
	}
}

func TestOneThatDoesNotReadIsLeftOutAndGetsAResetOnceItHas(t *testing.T) {
	h := open(t)
	l, err := h.hub.Listener(hub.ListenerConfig{Name: "wrapped", Transport: "pipe", Record: session.RecordOff}, nil)
	check(t, err)
	list := h.fill(l, 20)
	slow := h.look("vera")
	check(t, slow.conn.(*net.TCPConn).SetReadBuffer(64<<10))
	s, other := h.shown(slow), h.shown(h.look("otto"))
	last := ""
	for i := 0; h.web.LeftOut() == 0; i++ { // until there is more than the sockets between them take
		last = strings.Repeat(fmt.Sprint(i%10), 20_000)
		for _, c := range list {
			c.SetName(last)
		}
		other.until("the names", func() bool { return other.all(last) })
	}
	s.until("a reset", func() bool { return s.resets > 1 && !s.more })
	s.until("the last names", func() bool { return s.all(last) })
	if other.resets != 1 {
		t.Errorf("one that reads got %d resets; want the first alone", other.resets)
	}
}

// all reports whether every row has the name.
func (s *shown) all(name string) bool {
	for _, row := range s.rows {
		if row[7] != name {
			return false
		}
	}
	return true
}
