package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

// hit is a line of what find answers.
type hit struct {
	Number               uint64
	At                   int64
	Kind                 string
	Offset, Length       int
	Before, Match, After string
	Done, Complete       bool
	Hits                 int
}

// find asks for what is found, and returns it without the last line, which it checks.
func (h *house) find(id session.ID, query string) (list []hit, complete bool) {
	h.t.Helper()
	status, body := h.do("vera", "GET", sessionPath(id, "/find?"+query), "")
	if status != http.StatusOK {
		h.t.Fatalf("find %s: %d %s", query, status, body)
	}
	for line := range strings.Lines(body) {
		var at hit
		if err := json.Unmarshal([]byte(line), &at); err != nil {
			h.t.Fatalf("find %s: %v in %s", query, err, line)
		}
		list = append(list, at)
	}
	last := list[len(list)-1]
	list = list[:len(list)-1]
	if !last.Done || last.Hits != len(list) {
		h.t.Fatalf("find %s: the last line is %+v behind %d hits", query, last, len(list))
	}
	return list, last.Complete
}

func TestWhatPassedIsFoundInLiveAndRecordedSessions(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	for _, word := range []string{"Pass", "WORD:\x1b\u009b größe\r\n", "\x00\xff\x0d\x0a"} {
		c.say(word)
	}
	events := h.watch(c.id, "follow=false").rest() // opened, then received and sent three times
	offset := func(i int) string {                 // i begins or ends a round trip: what is echoed at once may have the same time
		return (time.Duration(events[i].Time-events[0].Time) * time.Microsecond).String()
	}
	for _, state := range []string{"live", "recorded"} {
		list, complete := h.find(c.id, "text=password&direction=received")
		if len(list) != 1 || !complete {
			t.Fatalf("%s: got %+v, complete %v", state, list, complete)
		}
		got := list[0]
		want := hit{Number: 2, At: events[1].Time - events[0].Time, Kind: "received", Length: 8, Match: "PassWORD",
			After: ":\x1b\u009b größe\r\n\x00\uFFFD\r\n"}
		if got != want {
			t.Errorf("%s: got %+v; want %+v", state, got, want)
		}
		for query, want := range map[string]string{
			"text=password":                     "2 received, 3 sent",
			"text=password&case=true":           "",
			"text=PassWORD&case=true":           "2 received, 3 sent",
			"text=GR%C3%96SSE":                  "",
			"text=GR%C3%96%E1%BA%9EE":           "4 received, 5 sent",
			"hex=0D0a":                          "4 received, 5 sent, 6 received, 7 sent",
			"hex=00ff":                          "6 received, 7 sent",
			"hex=00ff&limit=2":                  "6 received, 7 sent",
			"text=%ff&case=true&direction=sent": "7 sent",
			"hex=0d0a&since=" + offset(5):       "6 received, 7 sent",
			"hex=0d0a&until=" + offset(4):       "4 received, 5 sent",
			"text=password&since=" + offset(3):  "",
			"text=pass&until=" + offset(2):      "2 received, 3 sent",
			"text=nowhere":                      "",
		} {
			list, _ := h.find(c.id, query)
			var got []string
			for _, at := range list {
				got = append(got, fmt.Sprint(at.Number, " ", at.Kind))
			}
			if strings.Join(got, ", ") != want {
				t.Errorf("%s, ?%s: got %q; want %q", state, query, got, want)
			}
		}
		if list, complete := h.find(c.id, "text=o&limit=2"); len(list) != 2 || complete {
			t.Errorf("%s: of more than two there are %d, complete %v", state, len(list), complete)
		}
		if state == "live" {
			c.hangUp()
		}
	}
	_, body := h.do("vera", "GET", sessionPath(c.id, "/find?text=password"), "")
	if strings.ContainsAny(body, "\x1b\u009b\x00") {
		t.Errorf("what a terminal obeys is not escaped in %q", body)
	}
}

// The machine's clock was set back, behind a session that began by the old one, or within it.
func TestWhatIsRecordedInTheFutureIsFound(t *testing.T) {
	h := open(t)
	info := session.Info{ID: session.NewID("n1"), Listener: "a", Transport: "tcp", Remote: "x", Record: session.RecordOn,
		Start: time.Now().Add(time.Hour).UnixMicro()}
	log, err := h.store.Begin(&info, recording.Policy{Record: session.RecordOn})
	check(t, err)
	h.hub.TrackRoom(info, log) // as live
	_, err = log.Append(session.Received, []byte("here it is"))
	check(t, err)
	if list, complete := h.find(info.ID, "text=it"); len(list) != 1 || !complete {
		t.Errorf("live: %d places, complete %v; want one", len(list), complete)
	}
	h.hub.ForgetRoom(info.ID)
	log.End(session.End{Time: info.Start, Cause: session.Done})
	h.until("it is recorded", func() bool { return len(h.list("state=recorded")) == 1 })
	if list, complete := h.find(info.ID, "text=it"); len(list) != 1 || !complete {
		t.Errorf("recorded: %d places, complete %v; want one", len(list), complete)
	}
}

func TestMistakesInASearchAreToldWithTheMend(t *testing.T) {
	h := open(t)
	id := h.call(h.listen("a")).id
	long := strings.Repeat("x", 1001)
	for query, says := range map[string]string{
		"": "hex=0d0a", "text=": "hex=0d0a", "text=a&hex=00": "hex=0d0a", "hex=0": "two hex digits", "hex=zz": "two hex digits",
		"text=%ff": "UTF-8", "text=" + long: "1000", "hex=" + strings.Repeat("00", 1001): "1000",
		"text=a&case=maybe": "true or false", "text=a&limit=0": "from 1", "text=a&limit=10001": "from 1",
		"text=a&direction=up": "received", "text=a&since=noon": "1m30s", "text=a&from=1": "limit",
		"text=a&since=2s&until=1s": "before",
	} {
		h.refused("vera", "GET", sessionPath(id, "/find?")+query, "", http.StatusBadRequest, says)
	}
	off := h.call(h.listen("b", func(c *hub.ListenerConfig) { c.Record = session.RecordOff })).id
	h.refused("vera", "GET", sessionPath(off, "/find?text=a"), "", http.StatusConflict, "not recorded")
	h.refused("", "GET", sessionPath(id, "/find?text=a"), "", http.StatusUnauthorized, "token")
}

func TestFindingTellsAsItFindsAndEndsWithWhoAsked(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	piece := strings.Repeat("x", 64<<10) + "needle"
	for range 100 {
		c.say(piece)
	}
	list, complete := h.find(c.id, "text=NEEDLE&direction=sent")
	if len(list) != 100 || !complete {
		t.Errorf("%d hits, complete %v; want 100", len(list), complete)
	}
	ctx, cancel := context.WithCancel(t.Context())
	resp := h.request(ctx, "vera", "GET", sessionPath(c.id, "/find?limit=10000&text="+url.QueryEscape("x")), "")
	defer resp.Body.Close()
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || !strings.Contains(line, `"match":"x"`) {
		t.Errorf("the first line is %q, %v", line, err)
	}
	cancel()
	h.until("the search has ended", func() bool { return h.one(c.id).Watchers == 0 })
	if log := h.log.String(); strings.Contains(log, "mistake") || strings.Contains(log, "failed") {
		t.Errorf("logged: %s", log)
	}
}
