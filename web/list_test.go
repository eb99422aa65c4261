package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
)

func TestTheListShowsLiveAndRecordedSessionsTheNewestFirst(t *testing.T) {
	h := open(t)
	if _, body := h.do("vera", "GET", "/api/v1/sessions", ""); strings.TrimSpace(body) != "[]" {
		t.Errorf("nothing to list: got %q, want an empty array", body)
	}
	a, b := h.listen("a"), h.listen("b")
	first := h.call(a)
	first.say("one")
	sum := first.hangUp()
	second := h.call(b)
	if sum.Cause != session.HungUp || sum.ReceivedBytes != 3 || sum.SentBytes != 3 || sum.Listener != "a" ||
		sum.End < sum.Start {
		t.Errorf("the recorded session is %+v", sum)
	}
	list := h.list("")
	if len(list) != 2 || list[0].ID != second.id || list[1].ID != first.id {
		t.Fatalf("got %+v; want the second, then the first", list)
	}
	local := strings.Split(first.LocalAddr().String(), ":")[1]
	for query, want := range map[string]session.ID{
		"state=live": second.id, "state=recorded": first.id, "listener=a": first.id, "listener=b": second.id,
		"cause=hung+up": first.id, "since=" + later(): second.id,
		"limit=1": second.id, "remote=:" + local: first.id, "transport=tcp&state=live": second.id,
	} {
		if list := h.list(query); len(list) != 1 || list[0].ID != want {
			t.Errorf("?%s: got %+v; want %s", query, list, want)
		}
	}
	for _, query := range []string{"listener=c", "name=nobody", "transport=udp", "until=1h", "cause=kicked",
		"state=recorded&since=" + later()} {
		if list := h.list(query); len(list) != 0 {
			t.Errorf("?%s: got %+v; want none", query, list)
		}
	}
	for _, query := range []string{"since=1h", "since=1d", "until=" + later(), "rooms=true&limit=1000000"} {
		if list := h.list(query); len(list) != 2 {
			t.Errorf("?%s: got %d sessions; want both", query, len(list))
		}
	}
}

func later() string { return time.Now().Add(time.Hour).UTC().Format(time.RFC3339) }

func TestMistakesInAQueryAreToldWithTheMend(t *testing.T) {
	h := open(t)
	id := h.call(h.listen("a")).id
	for query, says := range map[string]string{
		"state=dead": "live or recorded", "listner=a": "listener", "limit=0": "from 1", "limit=x": "from 1",
		"limit=1000001":   "from 1",
		"since=yesterday": "2h", "until=-": "2h", "cause=bored": "hung up", "rooms=maybe": "true or false",
	} {
		h.refused("vera", "GET", "/api/v1/sessions?"+query, "", http.StatusBadRequest, says)
	}
	for query, says := range map[string]string{
		"from=0": "from 1", "from=-1": "from 1", "to=x": "from 1", "from=5&to=4": "before", "since=-1s": "1m30s",
		"until=noon":      "1m30s",
		"from=1&since=1s": "one of them", "to=1&until=1s": "one of them", "since=2s&until=1s": "before",
		"direction=up":   "received",
		"follow=perhaps": "true or false", "form=1": "from",
	} {
		h.refused("vera", "GET", sessionPath(id, "/events?")+query, "", http.StatusBadRequest, says)
	}
	for query, says := range map[string]string{"format=pdf": "jsonl", "direction=up": "received", "from=1": "format"} {
		h.refused("vera", "GET", sessionPath(id, "/export?")+query, "", http.StatusBadRequest, says)
	}
}

func TestAnyPrefixThatNamesOneSessionWillDo(t *testing.T) {
	h := open(t)
	addr := h.listen("a")
	c := h.call(addr)
	for _, prefix := range []string{string(c.id), c.id.Short(), string(c.id)[:5], string(c.id)[:1]} {
		if got := h.one(session.ID(prefix)); got.ID != c.id {
			t.Errorf("%q names %s; want %s", prefix, got.ID, c.id)
		}
	}
	h.refused("vera", "GET", "/api/v1/sessions/zzzzzzzz", "", http.StatusNotFound, "zzzzzzzz")
	h.refused("vera", "GET", "/api/v1/sessions/"+strings.Repeat("x", 300), "", http.StatusNotFound, "no such session")
	same := map[byte]int{c.id[0]: 1}
	for range 64 { // there are 32 first characters
		id := h.call(addr).id
		if same[id[0]]++; same[id[0]] > 1 {
			h.refused("vera", "GET", "/api/v1/sessions/"+string(id[:1]), "", http.StatusConflict, string(id))
			return
		}
	}
	t.Error("of 65 sessions no two began alike")
}

func TestListenersAndTheServerTellOfThemselves(t *testing.T) {
	h := open(t)
	addr := h.listen("a", func(c *hub.ListenerConfig) { c.Max = 1 })
	h.call(addr)
	var ls []hub.ListenerStatus
	h.get("/api/v1/listeners", &ls)
	if len(ls) != 1 || ls[0].Name != "a" || ls[0].Live != 1 || ls[0].Accepted != 1 {
		t.Errorf("listeners: %+v", ls)
	}
	var server struct {
		Version, Node, Data string
		Listeners           int
		Start               int64
		Stats               hub.Stats
	}
	h.get("/api/v1/server", &server)
	if server.Version != "v9" || server.Node != "n1" || server.Data != h.data || server.Listeners != 1 ||
		server.Stats.Live != 1 ||
		server.Start == 0 {
		t.Errorf("server: %+v", server)
	}
	if status, body := h.do("", "GET", "/healthz", ""); status != http.StatusOK || !strings.Contains(body, `"ok"`) {
		t.Errorf("healthz: %d %s", status, body)
	}
}
