package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/room"
	roomservice "github.com/switchboard-relay/switchboard/service/room"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

func unrecorded(c *hub.ListenerConfig) { c.Record = session.RecordOff }

// hangUpUnrecorded ends a call of which nothing is left.
func (c *caller) hangUpUnrecorded() {
	c.Close()
	c.h.until("the session is gone", func() bool {
		status, _ := c.h.do("vera", "GET", sessionPath(c.id, ""), "")
		return status == http.StatusNotFound
	})
}

// talker is a session that only sends, one event a call.
func (h *house) talker(record session.Record) *hub.Session {
	h.t.Helper()
	l, err := h.hub.Listener(hub.ListenerConfig{Name: "talker", Transport: "pipe", Record: record}, nil)
	check(h.t, err)
	return h.fill(l, 1)[0]
}

func says(t testing.TB, s *hub.Session, format string, args ...any) {
	t.Helper()
	_, err := fmt.Fprintf(s, format, args...)
	check(t, err)
}

// has tells when some text is among what was sent.
func has(text string) func([]session.Event) bool {
	return func(events []session.Event) bool { return strings.Contains(bytesOf(events, session.Sent), text) }
}

func TestAStreamBeginsWhereItIsAskedToAndSaysSo(t *testing.T) {
	h := open(t)
	s := h.talker(session.RecordOn)
	for i := range 9 { // opened, then numbers 2 to 10
		says(t, s, "%d", i+2)
	}
	p := h.look("vera")
	all := p.watch(1, s.ID(), "")
	events := p.some(1, has("10"))
	if all.From != 1 || all.At != 1 || all.Summary.ID != s.ID() || all.Summary.State != session.Live || events[0].Number != 1 ||
		events[0].Kind != session.Opened || bytesOf(events, session.Sent) != "2345678910" {
		t.Errorf("from the start: %+v, %v", all, events)
	}
	at := events[5].Time // of number 6
	for i, ask := range []struct {
		more     string
		from, at uint64
		text     string
	}{
		{`"from":4`, 4, 4, "45678910"},
		{fmt.Sprintf(`"time":%d`, at), 6, 6, "678910"},
		{fmt.Sprintf(`"time":%d,"back":{"events":2}`, at), 4, 6, "45678910"},
		{`"from":3,"back":{"events":100}`, 1, 3, "2345678910"},
		{`"from":8,"back":{"events":3,"bytes":1000}`, 5, 8, "5678910"},
		{`"from":8,"to":9`, 8, 8, "89"},
		{`"from":8,"skip":1`, 8, 8, "910"},
		{`"time":9000000000000000000,"back":{"events":1}`, 10, 11, "10"},
		{`"from":2,"follow":false`, 2, 2, "2345678910"},
	} {
		got := p.watch(10+i, s.ID(), ask.more)
		if got.From != ask.from || got.At != ask.at {
			t.Errorf("%s: from %d at %d; want from %d at %d", ask.more, got.From, got.At, ask.from, ask.at)
		}
		events := p.some(10+i, has(ask.text[len(ask.text)-1:]))
		if got := bytesOf(events, session.Sent); got != ask.text {
			t.Errorf("%s: sent %q; want %q", ask.more, got, ask.text)
		}
		if strings.Contains(ask.more, "to") || strings.Contains(ask.more, "follow") {
			if p.batch(10+i) != nil {
				t.Errorf("%s: the stream goes on; want it to be over", ask.more)
			}
		}
	}
	back := p.watch(30, s.ID(), `"from":8,"back":{"bytes":2}`)
	if got := bytesOf(p.some(30, has("10")), session.Sent); back.At != 8 || back.From > 6 || !strings.HasSuffix(got, "678910") {
		t.Errorf("two bytes back from 8: %+v, sent %q", back, got)
	}
}

func TestAStreamThatBeginsSoManyBytesBackBeginsNotMuchFurther(t *testing.T) {
	h := open(t)
	s := h.talker(session.RecordOn)
	for range 99 { // opened, then numbers 2 to 100
		says(t, s, "%04000d", 0)
	}
	p := h.look("vera")
	back := p.watch(1, s.ID(), `"from":100,"back":{"bytes":10000}`)
	if lie := 4000 * (int64(back.At) - int64(back.From)); back.At != 100 || back.From < 2 || lie < 10_000 || lie > 200_000 {
		t.Errorf("%+v: %d bytes lie before event 100; want 10000, or a little more", back, lie)
	}
	if first := p.some(1, func(e []session.Event) bool { return len(e) > 0 })[0]; first.Number != back.From {
		t.Errorf("the first event is %d; want %d", first.Number, back.From)
	}
}

func TestAStreamTellsTheTimesAndKindsThatRESTDoes(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	for i := range 20 {
		c.say(strings.Repeat("x", i*i+1))
	}
	sum := c.hangUp()
	p := h.look("vera")
	p.watch(1, c.id, "")
	got, want := p.rest(1), h.watch(c.id, "").rest()
	if len(got) != len(want) {
		t.Fatalf("%d events; REST has %d", len(got), len(want))
	}
	for i, e := range got {
		e.Time += sum.Start
		if e.Number != want[i].Number || e.Time != want[i].Time || e.Kind != want[i].Kind ||
			e.IsData() && !bytes.Equal(e.Data, want[i].Data) {
			t.Errorf("event %d is %v; want %v", i, e, want[i])
		}
	}
	var end session.End
	last := got[len(got)-1]
	if json.Unmarshal(last.Data, &end) != nil || last.Kind != session.Closed || end.Cause != session.HungUp {
		t.Errorf("the last event is %v", last)
	}
}

func TestALiveSessionIsFollowedAtOnceAndToItsEnd(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	p := h.look("vera")
	p.watch(1, c.id, "")
	if e := p.batch(1); e[0].Kind != session.Opened {
		t.Fatalf("the first event is %v", e[0])
	}
	for range 5 {
		began := time.Now()
		c.say("now")
		e := p.batch(1)
		if e[0].Kind != session.Received || string(e[0].Data) != "now" {
			t.Fatalf("got %v", e)
		}
		t.Logf("seen after %v", time.Since(began))
		for len(e) < 2 {
			e = append(e, p.batch(1)...)
		}
	}
	c.hangUp()
	events := p.rest(1)
	if last := events[len(events)-1]; last.Kind != session.Closed {
		t.Errorf("the last event is %v; want closed", last)
	}
	p.watch(1, c.id, `"from":1000`) // the number is free again
	if got := p.rest(1); len(got) != 0 {
		t.Errorf("behind the last event: %v", got)
	}
}

func TestEveryEventComesOnceAcrossReconnections(t *testing.T) {
	h := open(t)
	s := h.talker(session.RecordOn)
	const words = 3000
	go func() { // ends with the last word
		for i := range words {
			fmt.Fprintf(s, "%04d%s", i, strings.Repeat("x", rand.IntN(500)))
		}
		s.Close()
	}()
	var all []session.Event
	for over := false; !over; {
		p := h.look("vera")
		from := uint64(1)
		if n := len(all); n > 0 {
			from = all[n-1].Number + 1
		}
		p.watch(1, s.ID(), fmt.Sprintf(`"from":%d,"window":16384`, from))
		for range 5 {
			events := p.batch(1)
			if over = events == nil; over {
				break
			}
			all = append(all, events...)
		}
		p.conn.Close()
	}
	for i, e := range all {
		if e.Number != uint64(i+1) {
			t.Fatalf("event %d has number %d", i+1, e.Number)
		}
	}
	if len(all) != words+2 {
		t.Errorf("%d events; want %d", len(all), words+2)
	}
}

func TestAStreamStopsWhenItsWindowIsFullAndGoesOnWhenSomeIsTaken(t *testing.T) {
	h := open(t)
	s := h.talker(session.RecordOn)
	word := strings.Repeat("w", 1000)
	for range 100 {
		says(t, s, "%s", word)
	}
	p := h.look("vera")
	p.watch(1, s.ID(), `"window":16384,"pace":0`)
	e := p.await("events")
	if n := len(e.binary); n < 8<<10 || n > 16<<10 {
		t.Fatalf("the first batch has %d bytes; want about 16 KiB", n)
	}
	says(t, s, "more") // which wakes the stream
	p.watch(2, s.ID(), `"from":102`)
	p.some(2, has("more"))
	p.nothingComes("events")
	p.say(fmt.Sprintf(`42/console,["took",1,%d]`, len(e.binary)))
	events := append(parseBatch(t, e.binary), p.some(1, has("more"))...)
	for i, e := range events {
		if e.Number != uint64(i+1) {
			t.Fatalf("event %d has number %d", i+1, e.Number)
		}
	}
	if len(events) != 102 {
		t.Errorf("%d events; want 102", len(events))
	}
}

func TestPaceHoldsTheSecondBatchBackAndNotTheFirst(t *testing.T) {
	h := open(t)
	s := h.talker(session.RecordOn)
	p := h.look("vera")
	began := time.Now()
	p.watch(1, s.ID(), `"pace":1000`)
	p.batch(1) // opened
	for i := range 50 {
		says(t, s, "%02d", i)
	}
	batches, events := 0, []session.Event(nil)
	for ; !has("49")(events); batches++ {
		events = append(events, p.batch(1)...)
	}
	took := time.Since(began)
	if most := 2 + int(took/time.Second); batches > most || took < 200*time.Millisecond {
		t.Errorf("%d batches in %v; want one or two, a second behind the one before", batches, took)
	}
}

func TestASessionThatIsNotRecordedIsShownFromNowOn(t *testing.T) {
	h := open(t)
	s := h.talker(session.RecordOff)
	says(t, s, "before")
	p := h.look("vera")
	b := p.watch(1, s.ID(), `"from":1`)
	says(t, s, "now")
	events := p.some(1, has("now"))
	if got := bytesOf(events, session.Sent); got != "now" || b.From != events[0].Number || b.At != b.From {
		t.Errorf("sent %q from %d; the answer said from %d at %d", got, events[0].Number, b.From, b.At)
	}
	s.Close()
	if rest := p.rest(1); kinds(rest) != "closed" {
		t.Errorf("then %s", kinds(rest))
	}
}

func TestAViewerHas64StreamsAtMostEachWithANumberOfItsOwn(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	p := h.look("vera")
	for i := range 64 {
		p.watch(i, c.id, "")
	}
	p.refused("watch", `{"stream":64,"id":"`+string(c.id)+`"}`, 409, "64 streams")
	p.refused("watch", `{"stream":3,"id":"`+string(c.id)+`"}`, 409, "number")
	var ok struct{ Error string }
	p.ask("unwatch", `{"stream":3}`, &ok)
	p.watch(3, c.id, "")
	if n := h.one(c.id).Watchers; n != 64 {
		t.Errorf("%d watchers; want 64", n)
	}
}

func TestRecordingsThatAreReadHaveALimitSinceEachHoldsAFileOpen(t *testing.T) {
	h := open(t)
	s := h.talker(session.RecordOn)
	for range 4 {
		says(t, s, "%s", strings.Repeat("x", 16<<10))
	}
	s.Close()
	h.until("it is recorded", func() bool { return h.one(s.ID()).State == session.Recorded })
	const held = `"window":16384` // more than that is there, so that the stream waits
	var pages []*page
	for range 256 / 64 {
		p := h.look("vera")
		for i := range 64 {
			p.watch(i, s.ID(), held)
		}
		pages = append(pages, p)
	}
	late := h.look("vera")
	ask := `{"stream":1,"id":"` + string(s.ID()) + `",` + held + `}`
	late.refused("watch", ask, 409, "256 recordings")
	var ok struct{ Error string }
	pages[0].ask("unwatch", `{"stream":3}`, &ok)
	late.watch(1, s.ID(), held)
	late.refused("watch", strings.Replace(ask, ":1,", ":2,", 1), 409, "256 recordings")
}

func TestNothingOfAStreamIsLeftOnceItIsUnwatched(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	p := h.look("vera")
	before := runtime.NumGoroutine()
	for i := range 20 {
		p.watch(i, c.id, "")
	}
	c.say("x")
	for i := range 20 {
		var ok struct{ Error string }
		p.ask("unwatch", fmt.Sprintf(`{"stream":%d}`, i), &ok)
	}
	p.kept = nil
	if n := h.one(c.id).Watchers; n != 0 {
		t.Errorf("%d watchers; want none", n)
	}
	h.until("its goroutines are gone", func() bool { return runtime.NumGoroutine() <= before+2 })
	c.say("y")
	p.nothingComes("events")
	p.nothingComes("over")
}

// A stream that ended by itself was forgotten a moment before it said so: then unwatch was answered first, and the word was
// taken for the end of the next stream of that number.
func TestNothingOfAStreamComesBehindTheAnswerToUnwatch(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	p := h.look("vera")
	for range 500 {
		p.watch(1, c.id, `"follow":false,"pace":0`)
		var ok struct{}
		p.ask("unwatch", `{"stream":1}`, &ok)
		p.kept = nil
		p.nothingComes("events")
		p.nothingComes("over")
	}
}

func TestAViewersStreamsEndWithItsConnection(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	p := h.look("vera")
	for i := range 3 {
		p.watch(i, c.id, "")
	}
	p.conn.Close()
	h.until("nobody watches", func() bool { return h.one(c.id).Watchers == 0 })
}

func TestAnIdleStreamSeesAnEventWithinMilliseconds(t *testing.T) {
	h := open(t)
	s := h.talker(session.RecordOn)
	p := h.look("vera")
	p.watch(1, s.ID(), `"pace":0`)
	p.batch(1)
	var took []time.Duration
	for i := range 50 {
		began := time.Now()
		says(t, s, "%d", i)
		p.batch(1)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("quickest %v, median %v, slowest %v", took[0], took[25], took[49])
	if took[0] > 10*time.Millisecond {
		t.Errorf("the quickest of 50 events came after %v; want a few milliseconds", took[0])
	}
}

func TestWhatOneDeliveryOfARoomBroughtComesInOneBatch(t *testing.T) {
	h := open(t)
	r, _ := h.openRoom("chat", room.Config{Record: session.RecordOn})
	addr := h.listenRoom(r)
	listener, talker := h.call(addr), h.call(addr)
	h.until("both are in the room", func() bool { return r.Members() == 2 })
	long := strings.Repeat("m", 8<<10)
	const messages = 40
	go io.Copy(io.Discard, talker)
	for range messages {
		_, err := io.WriteString(talker, long)
		check(t, err)
	}
	_, err := io.ReadFull(listener, make([]byte, messages*len(long)))
	check(t, err)
	p := h.look("vera")
	p.watch(1, listener.id, `"window":16384`)
	got := 0
	for last := uint64(0); got < messages*len(long); {
		events := p.batch(1)
		if events[0].Number <= last {
			t.Fatalf("a batch begins with number %d; the one before ended with it", events[0].Number)
		}
		last = events[len(events)-1].Number
		got += len(bytesOf(events, session.Sent))
	}
	if got != messages*len(long) {
		t.Errorf("%d bytes; want %d", got, messages*len(long))
	}
}

func TestARoomsOwnRecordingCanBeWatchedAndIsNotInTheLiveList(t *testing.T) {
	h := open(t)
	r, _ := h.openRoom("chat", room.Config{Record: session.RecordOn})
	c := h.call(h.listenRoom(r))
	h.until("somebody is in the room", func() bool { return r.Members() == 1 })
	p := h.look("vera")
	p.watch(1, r.Status().Session, "")
	_, err := io.WriteString(c, "hello")
	check(t, err)
	events := p.some(1, func(events []session.Event) bool { return strings.Contains(kinds(events), "message") })
	m, err := session.ParseRoomMessage(events[len(events)-1].Data)
	if err != nil || string(m.Bytes) != "hello" || m.From != c.id {
		t.Errorf("said %q by %s, %v; want hello by %s", m.Bytes, m.From, err, c.id)
	}
	if s := h.shown(p); len(s.rows) != 1 || s.row(c.id) == nil {
		t.Errorf("the live list has %d rows; want the member's alone", len(s.rows))
	}
}

// listenRoom opens a listener whose sessions are members of the room.
func (h *house) listenRoom(r *room.Room) (addr string) {
	h.t.Helper()
	l, err := h.hub.Listener(hub.ListenerConfig{Name: r.Name(), Transport: "tcp", Service: "room",
		Record: session.RecordOn, OnFailure: session.OnFailureContinue}, &roomservice.Service{Room: r})
	check(h.t, err)
	ln, err := transport.Listen(h.t.Context(), transport.Address{Transport: "tcp", Host: "127.0.0.1:0"},
		transport.ListenOptions{})
	check(h.t, err)
	l.Attach(ln)
	go l.Serve(ln) // ends with the hub's Shutdown
	return ln.Addr().String()
}
