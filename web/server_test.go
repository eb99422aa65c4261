package web_test

import (
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/web"
)

func TestTheServerTellsOfItselfAndItsMachine(t *testing.T) {
	h := open(t, func(o *web.Options) { o.Retention = hub.Retention{MaxAge: 36 * time.Hour, MaxSize: 20 << 30} })
	var server struct {
		Health    struct{ Status, Error string }
		Disk      struct{ Free, Total uint64 }
		Retention struct {
			Age  float64 `json:"max_age"`
			Size int64   `json:"max_size"`
		}
		Memory           int64
		CPUs, Goroutines int
		URL, Go, OS      string
	}
	h.get("/api/v1/server", &server)
	if server.Health.Status != "ok" || server.Health.Error != "" || server.Retention.Age != 36*3600 ||
		server.Retention.Size != 20<<30 || server.CPUs < 1 || server.Goroutines < 1 || server.URL != h.base ||
		server.Go != runtime.Version() || server.OS != runtime.GOOS+"/"+runtime.GOARCH {
		t.Errorf("got %+v at %s", server, h.base)
	}
	if runtime.GOOS == "linux" && (server.Memory < 1<<20 || server.Disk.Total == 0) {
		t.Errorf("%d bytes resident, disk %+v", server.Memory, server.Disk)
	}
}

func TestTheHistoryOfTheServerIsKeptWhileItRuns(t *testing.T) {
	h := open(t, func(o *web.Options) { o.SampleEvery = 5 * time.Millisecond })
	c := h.call(h.listen("a"))
	c.say("hello")
	var past struct {
		Step   float64
		End    int64
		Series map[string][]*float64
	}
	newest := func(name string) *float64 {
		s := past.Series[name]
		if len(s) == 0 {
			t.Fatalf("there is no %s in %v", name, past.Series)
		}
		return s[len(s)-1]
	}
	h.until("the session is in the newest sample", func() bool {
		h.get("/api/v1/server/history", &past)
		n := 0
		for _, s := range past.Series {
			n = len(s)
		}
		return n > 1 && newest("live") != nil && *newest("live") == 1
	})
	if past.Step != 0.005 || past.End == 0 || len(past.Series) != 11 {
		t.Errorf("step %v, end %d, %d series; want 0.005 and 11", past.Step, past.End, len(past.Series))
	}
	for name, s := range past.Series {
		if len(s) != len(past.Series["live"]) {
			t.Errorf("%s has %d samples; live has %d", name, len(s), len(past.Series["live"]))
		}
	}
	if rate := newest("sent_bytes"); rate == nil || *rate < 0 {
		t.Errorf("sent_bytes: %v", rate)
	}
	h.refused("", "GET", "/api/v1/server/history", "", http.StatusUnauthorized, "token")
}
