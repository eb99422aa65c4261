package web_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/web"
)

func TestWhoJoinsLateSeesEveryEventOnceAndInOrder(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	const watchers, words = 12, 400
	var sum sync.WaitGroup
	seen := make([][]session.Event, watchers)
	for i := range words {
		if i%(words/watchers) == 0 && i/(words/watchers) < watchers {
			w := h.watch(c.id, "")
			n := i / (words / watchers)
			sum.Go(func() { seen[n] = w.rest() })
		}
		c.say(fmt.Sprintf("%03d.", i))
	}
	c.hangUp()
	sum.Wait()
	var want strings.Builder
	for i := range words {
		fmt.Fprintf(&want, "%03d.", i)
	}
	for n, events := range seen {
		for i, e := range events {
			if e.Number != uint64(i+1) || i > 0 && e.Time < events[i-1].Time {
				t.Fatalf("watcher %d: event %d of the stream has number %d, time %d", n, i+1, e.Number, e.Time)
			}
		}
		if got := bytesOf(events, session.Received); got != want.String() {
			t.Errorf("watcher %d received %d bytes that are not those sent: %.50q…", n, len(got), got)
		}
		if last := events[len(events)-1]; last.Kind != session.Closed {
			t.Errorf("watcher %d: the last event is %s; want closed", n, last.Kind)
		}
	}
}

func TestEventsArriveWhileTheSessionIsQuiet(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	w := h.watch(c.id, "")
	if e, _ := w.next(); e.Kind != session.Opened {
		t.Fatalf("the first event is %v", e)
	}
	c.say("now")
	if e, _ := w.next(); e.Kind != session.Received || string(e.Data) != "now" {
		t.Errorf("got %v; want what was just said", e)
	}
	if n := h.one(c.id).Watchers; n != 1 {
		t.Errorf("%d watchers; want 1", n)
	}
	w.stop()
	h.until("the watcher that left is gone", func() bool { return h.one(c.id).Watchers == 0 })
}

func TestAPartOfASessionByNumberTimeAndDirection(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	c.say("one")
	c.say("two")
	c.say("three")
	// opened, then received and sent three times: numbers 1 to 7.
	live := h.watch(c.id, "follow=false").rest()
	if got := kinds(live); got != "opened received sent received sent received sent" {
		t.Fatalf("not followed: %s", got)
	}
	if got := h.watch(c.id, "to=3").rest(); kinds(got) != "opened received sent" {
		t.Errorf("to=3 of a live session: %s", kinds(got))
	}
	if got := h.watch(c.id, "from=2&to=7").rest(); len(got) != 6 {
		t.Errorf("from=2&to=7, the newest of a live session: %s", kinds(got))
	}
	soon := time.Now().Add(50 * time.Millisecond).UTC().Format(time.RFC3339Nano)
	if got := h.watch(c.id, "until="+soon).rest(); len(got) != 7 {
		t.Errorf("until a moment that comes while nothing happens: %s", kinds(got))
	}
	c.hangUp()
	at := func(i int) string { return time.UnixMicro(live[i].Time).UTC().Format(time.RFC3339Nano) }
	offset := time.Duration(live[3].Time-live[0].Time) * time.Microsecond
	for query, want := range map[string]string{
		"":                                   "onetwothree",
		"from=4":                             "twothree",
		"from=4&to=5":                        "two",
		"to=3":                               "one",
		"from=4&direction=received":          "twothree",
		"direction=sent":                     "",
		"since=" + at(3):                     "twothree",
		"since=" + at(3) + "&until=" + at(3): "two",
		"since=" + offset.String():           "twothree",
		"since=1h":                           "",
		"since=" + offset.String() + "&to=5": "two",
		"from=100":                           "",
		"follow=true&from=6":                 "three",
		"since=0s&until=" + (offset - 1).String():  "one",
		"from=1&to=18446744073709&direction=both":  "onetwothree",
		"direction=received&follow=false&from=6":   "three",
		"until=2100-01-01T00:00:00%2B01:00&from=6": "three",
	} {
		if got := bytesOf(h.watch(c.id, query).rest(), session.Received); got != want {
			t.Errorf("?%s: received %q; want %q", query, got, want)
		}
	}
	if got := kinds(h.watch(c.id, "direction=sent").rest()); strings.Contains(got, "received") || !strings.HasSuffix(got,
		"closed") {
		t.Errorf("direction=sent: %s", got)
	}
}

func TestAnyBytesComeBackExactly(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	var all strings.Builder
	for i := range 256 {
		all.WriteByte(byte(i))
	}
	text := all.String() + "\u2028\u0085<&>\"\\\x00语" + strings.Repeat("长", 30_000)
	c.say(text)
	c.hangUp()
	events := h.watch(c.id, "").rest()
	if bytesOf(events, session.Received) != text || bytesOf(events, session.Sent) != text {
		t.Error("the bytes differ from those sent")
	}
}

func TestAStreamOutlivesTheLimitForBodies(t *testing.T) {
	t.Cleanup(web.SetBodyLimit(30 * time.Millisecond))
	h := open(t)
	c := h.call(h.listen("a"))
	h.do("otto", "POST", sessionPath(c.id, "/kick"), "{") // a body was awaited on the connection that is used again
	w := h.watch(c.id, "from=2")
	for range 5 {
		time.Sleep(20 * time.Millisecond) // what is tested is that time passes
		c.say("x")
		if e, ok := w.next(); !ok || e.Kind != session.Received {
			t.Fatalf("got %v, %v; want what was said", e, ok)
		}
		w.next()
	}
}

// A watcher that stops reading must neither hold up the session nor others who watch it.
func TestAStuckWatcherHarmsNobody(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	for range 3 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(h.base, "http://"))
		check(t, err)
		defer conn.Close()
		conn.(*net.TCPConn).SetReadBuffer(4096)
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer vera\r\n\r\n", sessionPath(c.id,
			"/events"))
		_, err = conn.Read(make([]byte, 1)) // and nothing more
		check(t, err)
	}
	reading := h.watch(c.id, "direction=received")
	block := strings.Repeat("0123456789abcdef", 2048)
	for range 400 { // far more than sockets hold
		c.say(block)
	}
	c.hangUp()
	if got := bytesOf(reading.rest(), session.Received); len(got) != 400*len(block) {
		t.Errorf("the watcher that reads got %d bytes; want %d", len(got), 400*len(block))
	}
}

func TestManyWatchersTakeTurnsAndMissNothing(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	var wg sync.WaitGroup
	var mu sync.Mutex
	counts := map[int]int{}
	for range 20 {
		w := h.watch(c.id, "")
		wg.Go(func() {
			n := len(bytesOf(w.rest(), session.Received))
			mu.Lock()
			counts[n]++
			mu.Unlock()
		})
	}
	block := strings.Repeat("x", 2000)
	for range 100 {
		c.say(block)
	}
	c.hangUp()
	wg.Wait()
	if counts[100*len(block)] != 20 {
		t.Errorf("bytes seen, and by how many: %v; want %d by 20", counts, 100*len(block))
	}
}

func TestExportsGiveTheBytesAndTheStory(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	c.say("hello 中\x00")
	if status, body := h.do("vera", "GET", sessionPath(c.id, "/export"), ""); status != 200 ||
		body != "hello 中\x00hello 中\x00" {
		t.Errorf("a live session's bytes until now: %d %q", status, body)
	}
	c.say("bye\n")
	c.hangUp()
	for query, want := range map[string]string{
		"": "hello 中\x00hello 中\x00bye\nbye\n", "?format=raw&direction=received": "hello 中\x00bye\n",
		"?direction=sent": "hello 中\x00bye\n",
	} {
		if status, body := h.do("vera", "GET", sessionPath(c.id, "/export"+query), ""); status != 200 || body != want {
			t.Errorf("export%s: %d %q; want %q", query, status, body, want)
		}
	}
	_, text := h.do("vera", "GET", sessionPath(c.id, "/export?format=text"), "")
	for _, want := range []string{string(c.id), `← received  "hello 中\x00"`, `→ sent      "bye\n"`, "closed    hung up"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text has no %q:\n%s", want, text)
		}
	}
	_, dump := h.do("vera", "GET", sessionPath(c.id, "/export?format=hex&direction=received"), "")
	if want := "00000000  68 65 6c 6c 6f 20 e4 b8  ad 00                    |hello ....|\n"; !strings.Contains(dump,
		want) {
		t.Errorf("the dump has no %q:\n%s", want, dump)
	}
	_, lines := h.do("vera", "GET", sessionPath(c.id, "/export?format=jsonl"), "")
	_, events := h.do("vera", "GET", sessionPath(c.id, "/events"), "")
	if lines != events || !strings.Contains(lines, `"text":"bye\n"`) {
		t.Errorf("jsonl differs from the events:\n%s\n%s", lines, events)
	}
	resp := h.request(t.Context(), "vera", "GET", sessionPath(c.id, "/export?format=hex"), "")
	resp.Body.Close()
	if got := resp.Header.Get("Content-Disposition"); !strings.Contains(got, c.id.Short()) {
		t.Errorf("Content-Disposition %q does not name the session", got)
	}
}

func TestASessionThatIsNotRecordedIsWatchedFromNowOn(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a", func(conf *hub.ListenerConfig) { conf.Record = session.RecordOff }))
	c.say("before")
	w := h.watch(c.id, "")
	h.until("the watcher is there", func() bool { return h.one(c.id).Watchers == 1 })
	c.say("after")
	c.Close()
	if got := bytesOf(w.rest(), session.Received); got != "after" {
		t.Errorf("watched %q; want what came after", got)
	}
	other := h.call(h.listen("b", func(conf *hub.ListenerConfig) { conf.Record = session.RecordOff }))
	h.refused("vera", "GET", sessionPath(other.id, "/export"), "", http.StatusConflict, "not recorded")
}

func TestAnEventInJSONHoldsExactlyOneFormOfItsData(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	c.say("\xff")
	c.say("x")
	c.hangUp()
	_, body := h.do("vera", "GET", sessionPath(c.id, "/events"), "")
	d := json.NewDecoder(strings.NewReader(body))
	for {
		var e map[string]json.RawMessage
		if err := d.Decode(&e); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		forms := 0
		for _, form := range []string{"text", "base64", "value"} {
			if e[form] != nil {
				forms++
			}
		}
		if forms > 1 || forms == 0 && string(e["kind"]) != `"received end"` {
			t.Errorf("%d forms of data in %v", forms, e)
		}
	}
}
