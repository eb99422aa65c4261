package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
)

func TestMetricsTellOfSessionsListenersAndTheJournal(t *testing.T) {
	h := open(t)
	h.do("vera", "GET", "/metrics", "") // before any listener is there: they may come and go
	addr := h.listen("a", func(c *hub.ListenerConfig) { c.Max = 1 })
	c := h.call(addr)
	c.say("hello")
	c.hangUp()
	h.call(addr)
	refused, err := http.Get("http://" + addr) // one too many
	if err == nil {
		refused.Body.Close()
	}
	var text string
	h.until("the refused connection and the recording are counted", func() bool {
		status, body := h.do("vera", "GET", "/metrics", "")
		if status != http.StatusOK {
			t.Fatalf("metrics: %d %s", status, body)
		}
		text = body
		return strings.Contains(body, "switchboard_refused_total") && strings.Contains(body, "switchboard_recordings 1\n")
	})
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	check(t, err)
	for _, name := range []string{"go_goroutines", "process_open_fds", "switchboard_info", "switchboard_recording_failed",
		"switchboard_recording_queued_bytes", "switchboard_recording_commits_total", "switchboard_recordings_bytes"} {
		if families[name] == nil {
			t.Errorf("there is no metric %s", name)
		}
	}
	for _, line := range []string{`switchboard_sessions_live{listener="a"} 1`,
		`switchboard_accepted_total{listener="a"} 2`,
		`switchboard_refused_total{listener="a",reason="too many sessions"} 1`,
		`switchboard_sessions_ended_total{cause="hung up"} 1`,
		`switchboard_bytes_total{direction="received"} 5`, `switchboard_sessions_opened_total 2`, `switchboard_recordings 1`,
		`switchboard_recording_failed 0`} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("the metrics lack the line %s", line)
		}
	}
}

func TestMetricsTellOfSources(t *testing.T) {
	h, _ := withPlant(t)
	_, text := h.do("vera", "GET", "/metrics", "")
	for _, line := range []string{`switchboard_source_sessions{kind="ssh",source="plant"} 0`,
		`switchboard_source_opened_total{source="plant"} 0`, `switchboard_source_failed_total{source="plant"} 0`,
		`switchboard_source_kicks_total{source="plant"} 0`} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("the metrics lack the line %s", line)
		}
	}
	if strings.Contains(text, "switchboard_source_up") {
		t.Error("an address that nobody tried is said to be up or down")
	}
}

func TestMetricsTellOfRooms(t *testing.T) {
	h := open(t)
	r, heard := h.openRoom(`the "den"`, room.Config{})
	h.openRoom("bad\xffname", room.Config{})
	check(t, r.Enter(session.Present{ID: "x"}))
	for range 3 {
		check(t, r.Say("", []byte("hello")))
		heard.hears(t, session.SaidBytes, "hello")
	}
	_, text := h.do("vera", "GET", "/metrics", "")
	for _, line := range []string{`switchboard_room_members{room="the \"den\""} 1`,
		`switchboard_room_messages_total{room="the \"den\""} 3`, "switchboard_room_messages_total{room=\"bad\uFFFDname\"} 0"} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("the metrics lack the line %s", line)
		}
	}
}
