//go:build linux

package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestACrowdGetsAllOfARealServerAlsoWhenItIsCutOff(t *testing.T) {
	t.Parallel() // most of the time a crowd waits
	io := newAlone(true)
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", io)
	server := httptest.NewServer(mux)
	defer server.Close()
	defer io.Close(t.Context())
	c, err := newCrowd()
	if err != nil {
		t.Fatal(err)
	}
	defer c.poller.Close()
	order := func(o crowdOrder) crowdReport {
		t.Helper()
		rep, err := c.do(o)
		if err != nil {
			t.Fatalf("%s: %v", o.Do, err)
		}
		return rep
	}
	const count = 20
	rep := order(crowdOrder{Do: "open", Dialect: "socketio", Addr: strings.TrimPrefix(server.URL, "http://"), Count: count,
		InFlight: 4, Recovery: true})
	if rep.Opened != count+1 || rep.Reached != count || rep.Failed != 0 {
		t.Fatalf("open: got %+v; want all %d receivers reached", rep, count)
	}
	for _, o := range []crowdOrder{{Size: 100, Outstanding: 8}, {Size: 100, Rate: 200}, {Size: 70_000, Rate: 20}} {
		o.Do, o.WarmUp, o.Lasts = "talk", 50*time.Millisecond, time.Second
		rep := order(o)
		if rep.Sent == 0 || rep.Delivered != rep.Sent*count || rep.Counted == 0 || rep.P99 <= 0 || rep.LastP99 < rep.P50 {
			t.Errorf("talk %+v: got %+v; want every message delivered %d times, and timed", o, rep, count)
		}
	}
	rep = order(crowdOrder{Do: "drop", Size: 100, Rate: 200, WarmUp: 100 * time.Millisecond, Away: 50 * time.Millisecond,
		Lasts: 2 * time.Second, InFlight: 4})
	if rep.Recovered != count || rep.Renewed != 0 || rep.Lost != 0 || rep.Twice != 0 || rep.Delivered != rep.Due {
		t.Errorf("drop: got %+v; want all %d receivers recovered, and nothing lost or doubled", rep, count)
	}
	order(crowdOrder{Do: "stall", Count: 5})
	rep = order(crowdOrder{Do: "talk", Size: 100, Outstanding: 8, Lasts: 100 * time.Millisecond})
	if rep.Sent == 0 || rep.Delivered != rep.Sent*(count-5) {
		t.Errorf("stall: got %+v; want every message delivered %d times", rep, count-5)
	}
	order(crowdOrder{Do: "close"})
}

func TestACrowdThatIsNotRecoveredCountsWhatItLost(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	io := newAlone(false)
	mux.Handle("/socket.io/", io)
	server := httptest.NewServer(mux)
	defer server.Close()
	defer io.Close(t.Context())
	c, err := newCrowd()
	if err != nil {
		t.Fatal(err)
	}
	defer c.poller.Close()
	const count = 10
	if _, err := c.do(crowdOrder{Do: "open", Dialect: "socketio", Addr: strings.TrimPrefix(server.URL, "http://"),
		Count: count, InFlight: 4, Recovery: true}); err != nil {
		t.Fatal(err)
	}
	for i := range c.clients {
		c.clients[i].pid = "somebody else" // so that they ask for recovery
	}
	rep, err := c.do(crowdOrder{Do: "drop", Size: 100, Rate: 200, WarmUp: 50 * time.Millisecond,
		Away: 100 * time.Millisecond, Lasts: 2 * time.Second, InFlight: 4})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Recovered != 0 || rep.Renewed != count || rep.Lost == 0 || rep.Twice != 0 || rep.Delivered+rep.Lost != rep.Due {
		t.Errorf("got %+v; want nobody recovered, and what was lost counted: delivered + lost = due", rep)
	}
	for i := range c.clients {
		c.clients[i].close()
	}
}
