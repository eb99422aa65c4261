package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/terminal"
)

// segmentIndex and segment are what asciinema's player loads.
type segmentIndex struct {
	Duration float64
	Term     struct{ Cols, Rows int }
	Segments []struct {
		Start float64
		URL   string
	}
	Markers [][2]any
}

type segment struct {
	Snapshot struct {
		Cols, Rows int
		Init       string
	}
	Events [][3]any
}

func TestARecordingIsLoadedInSegmentsThatJoin(t *testing.T) {
	h := open(t)
	s := h.shell(session.RecordOn)
	for i := range 40 {
		says(t, s, "%s", strings.Repeat(fmt.Sprintf("\x1b[3%dm%d 温度\r\n", i%8, i), 2000))
		if i == 20 {
			s.Resize(30, 6)
		}
	}
	says(t, s, "the end")
	h.refused("vera", "GET", sessionPath(s.ID(), "/segmented.json"), "", http.StatusConflict, "alis")
	s.End(session.Done, "")
	h.until("it is recorded", func() bool { return h.one(s.ID()).State == session.Recorded })
	h.do("otto", "POST", sessionPath(s.ID(), "/notes"), `{"at": 1, "text": "a mark"}`)

	var index segmentIndex
	_, body := h.do("vera", "GET", sessionPath(s.ID(), "/segmented.json?input=true"), "")
	check(t, json.Unmarshal([]byte(body), &index))
	if len(index.Segments) < 3 || index.Term.Cols != 20 || len(index.Markers) != 1 || index.Markers[0][1] != "a mark" {
		t.Fatalf("the index is %s", body)
	}
	var before *terminal.Terminal
	for i, at := range index.Segments {
		var one segment
		status, body := h.do("vera", "GET", sessionPath(s.ID(), "/"+at.URL), "")
		if status != 200 || !strings.HasSuffix(at.URL, "?input=true") {
			t.Fatalf("%s: %d %s", at.URL, status, body)
		}
		check(t, json.Unmarshal([]byte(body), &one))
		shown := drawn(one.Snapshot.Cols, one.Snapshot.Rows, []byte(one.Snapshot.Init))
		if before != nil && rows(shown) != rows(before) {
			t.Errorf("segment %d begins with %q; want %q", i, rows(shown), rows(before))
		}
		for _, e := range one.Events {
			switch e[1] {
			case "o":
				shown.Write([]byte(e[2].(string)))
			case "r":
				size, _ := session.ParseSize(e[2].(string))
				shown.Resize(size.Cols, size.Rows)
			}
		}
		before = shown
	}
	if got := rows(before); !strings.Contains(got, "39 温度|the end") {
		t.Errorf("at the end: %q", got)
	}
	for path, status := range map[string]int{"/segmented/99999": 404, "/segmented/x": 404, "/segmented.json?x=1": 400, "/segmented.json?input=x": 400} {
		h.refused("vera", "GET", sessionPath(s.ID(), path), "", status, "")
	}
	_, body = h.do("otto", "POST", sessionPath(s.ID(), "/passes"), "")
	var pass struct{ Segmented string }
	check(t, json.Unmarshal([]byte(body), &pass))
	resp, err := http.Get(pass.Segmented)
	check(t, err)
	status, body := h.read(resp)
	check(t, json.Unmarshal([]byte(body), &index))
	if status != 200 || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("by a pass: %d %v", status, resp.Header)
	}
	if status, body := h.do("", "GET", sessionPath(s.ID(), "/"+index.Segments[1].URL), ""); status != 200 {
		t.Errorf("%s by a pass: %d %s", index.Segments[1].URL, status, body)
	}
}
