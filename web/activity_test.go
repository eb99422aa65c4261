package web_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
)

type activity struct {
	Start, End, Step int64
	Received, Sent   []uint64
}

func (h *house) activity(id session.ID, query string) (a activity) {
	h.t.Helper()
	h.get(sessionPath(id, "/activity"+query), &a)
	return a
}

func total(steps []uint64) (sum uint64) {
	for _, n := range steps {
		sum += n
	}
	return sum
}

func TestTheActivityOfASessionIsShownWhileItLivesAndAfterwards(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	c.say("hello")
	c.say("again")
	live := h.activity(c.id, "")
	if total(live.Received) != 10 || total(live.Sent) != 10 || len(live.Sent) != len(live.Received) || len(live.Sent) > 600 {
		t.Errorf("live: %d and %d bytes in %d steps; want 10 and 10 in at most 600", total(live.Received), total(live.Sent),
			len(live.Sent))
	}
	sum := c.hangUp()
	over := h.activity(c.id, "?buckets=7")
	if total(over.Received) != 10 || total(over.Sent) != 10 || len(over.Sent) > 7 {
		t.Errorf("recorded: %+v; want 10 bytes each way in at most 7 steps", over)
	}
	if over.Start != sum.Start || over.End < sum.End ||
		over.End >= over.Start+over.Step*int64(len(over.Sent)) {
		t.Errorf("recorded: %+v; want steps from %d on, over the last event", over, sum.Start)
	}
	if later := h.activity(c.id, "?since=1h&until="+time.Now().Add(2*time.Hour).UTC().Format(time.RFC3339)); total(later.Sent) != 0 ||
		later.Start != sum.Start+time.Hour.Microseconds() {
		t.Errorf("an hour later: %+v; want nothing", later)
	}
}

func TestWhatIsNoQuestionForActivityIsToldWithTheMend(t *testing.T) {
	h := open(t)
	id := h.call(h.listen("a")).id
	for query, says := range map[string]string{"buckets=0": "from 1 to 2000", "buckets=2001": "from 1 to 2000",
		"buckets=x": "from 1 to 2000", "steps=5": "use buckets", "since=soon": "how long after",
		"since=2s&until=1s": "before the beginning"} {
		h.refused("vera", "GET", sessionPath(id, "/activity?"+query), "", http.StatusBadRequest, says)
	}
	h.refused("vera", "GET", "/api/v1/sessions/nobody/activity", "", http.StatusNotFound, "nobody")
	h.refused("", "GET", sessionPath(id, "/activity"), "", http.StatusUnauthorized, "token")
	off := h.call(h.listen("off", func(c *hub.ListenerConfig) { c.Record = session.RecordOff })).id
	h.refused("vera", "GET", sessionPath(off, "/activity"), "", http.StatusConflict, "not recorded")
}
