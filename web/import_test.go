package web_test

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/web"
)

const demo = `{"version":2,"width":100,"height":30,"timestamp":1700000000,"title":"demo"}
[0.5, "o", "$ "]
[1, "i", "ls"]
[1.25, "o", "温度\r\n"]
[2, "r", "120x40"]
[2.5, "m", "here"]
[3.000001, "o", "bye"]
`

// imported is the session that a body becomes.
func (h *house) imported(query, body string) (sum session.Summary) {
	h.t.Helper()
	status, text := h.do("otto", "POST", "/api/v1/recordings"+query, body)
	if err := json.Unmarshal([]byte(text), &sum); err != nil || status != http.StatusCreated {
		h.t.Fatalf("import: %d %s", status, text)
	}
	return sum
}

func TestAnImportedRecordingIsListedWatchedFoundAndExportedLikeAllOthers(t *testing.T) {
	h := open(t)
	sum := h.imported("?file=demo.cast", demo)
	if sum.Start != 1_700_000_000_000_000 || sum.End != sum.Start+3_000_001 || sum.Name != "demo" ||
		sum.Listener != "import" || sum.Transport != "file" || sum.Remote != "demo.cast" || sum.Terminal != "100x30" ||
		sum.Cause != session.Done || sum.State != session.Recorded || sum.SentBytes != 13 || sum.ReceivedBytes != 2 || sum.Pinned {
		t.Errorf("got %+v", sum)
	}
	if list := h.list("transport=file&until=365d"); len(list) != 1 || list[0] != sum {
		t.Errorf("listed: %+v; want %+v", list, sum)
	}
	events := h.watch(sum.ID, "").rest()
	if got := kinds(events); got != "opened sent received sent resized noted sent closed" {
		t.Errorf("events: %s", got)
	}
	if at := events[3].Time - sum.Start; at != 1_250_000 || bytesOf(events, session.Sent) != "$ 温度\r\nbye" {
		t.Errorf("the second output is at %d; the output is %q", at, bytesOf(events, session.Sent))
	}
	if _, found := h.do("vera", "GET", sessionPath(sum.ID, "/find?text=度"), ""); !strings.Contains(found, `"hits":1`) {
		t.Errorf("found: %s", found)
	}
	want := strings.Replace(demo, `"timestamp":1700000000,`, `"timestamp":1700000000,"duration":3.000001,`, 1)
	want = strings.NewReplacer("[0.5,", "[0.500000,", "[1,", "[1.000000,", "[1.25,", "[1.250000,", "[2,", "[2.000000,", "[2.5,",
		"[2.500000,").Replace(want)
	if _, got := h.do("vera", "GET", sessionPath(sum.ID, "/export?format=asciicast2&input=true"), ""); got != want {
		t.Errorf("exported:\n%s\nwant:\n%s", got, want)
	}
	for _, query := range []string{"", "?listener=archive&format=asciicast"} {
		if again := h.imported(query, demo); again.ID == sum.ID || query != "" && again.Listener != "archive" {
			t.Errorf("once more: %+v", again)
		}
	}
	if log := h.log.String(); !strings.Contains(log, "msg=imported") || !strings.Contains(log, "by=otto") {
		t.Errorf("the log does not say who imported: %s", log)
	}
}

func TestARecordingThatDoesNotSayWhenItBeganEndedWhenItIsTold(t *testing.T) {
	h := open(t)
	const cast = `{"version":2,"width":80,"height":24}` + "\n" + `[3600, "o", "x"]`
	began := time.Now().UnixMicro()
	if sum := h.imported("", cast); sum.End < began || sum.End > time.Now().UnixMicro() || sum.End-sum.Start != 3600e6 {
		t.Errorf("told nothing: %+v", sum)
	}
	if sum := h.imported("?ended=2024-01-02T03:04:05.000006Z&name=mine", cast); session.FormatTime(sum.End) !=
		"2024-01-02T03:04:05.000006Z" || sum.Name != "mine" {
		t.Errorf("told: %+v", sum)
	}
}

func TestWhatCannotBeImportedIsRefusedAndLeavesNothing(t *testing.T) {
	h := open(t, func(o *web.Options) { o.MaxImport = 5 << 20 })
	const path = "/api/v1/recordings"
	h.refused("vera", "POST", path, demo, http.StatusForbidden, "operator")
	h.refused("", "POST", path, demo, http.StatusUnauthorized, "token")
	h.refused("otto", "GET", path, "", http.StatusMethodNotAllowed, "POST")
	for query, says := range map[string]string{"?x=1": "no parameter is called", "?format=gif": "asciicast, ttyrec or pcap",
		"?listener=a/b": "only letters", "?ended=noon": "2006-01-02", "?ended=1969-01-01T00:00:00Z": "before 1970",
		"?name=" + strings.Repeat("n", 300): "at most 256", "?file=%ff": "UTF-8", "?ended=2001-01-01T00:00:00Z&format=ttyrec": "frame 1"} {
		h.refused("otto", "POST", path+query, demo, http.StatusBadRequest, says)
	}
	h.refused("otto", "POST", path, "", http.StatusBadRequest, "there is nothing in it")
	h.refused("otto", "POST", path, demo+`[1, "o", "back"]`, http.StatusBadRequest, "line 8: its time lies before")
	// The mistake is met while most of it is still to come, and the answer is heard all the same.
	h.refused("otto", "POST", path, demo+"mistake\n"+strings.Repeat("#\n", 2<<20), http.StatusBadRequest, "line 8: it must be")
	h.refused("otto", "POST", path, demo+strings.Repeat("#\n", 3<<20), http.StatusRequestEntityTooLarge, "http.max_import")
	req, err := http.NewRequest("POST", h.base+path, io.MultiReader(strings.NewReader(demo), strings.NewReader(strings.Repeat("#\n", 3<<20))))
	check(t, err)
	req.Header.Set("Authorization", "Bearer otto")
	if resp, err := http.DefaultClient.Do(req); err == nil { // the server may cut it off before it can be heard
		if status, text := h.read(resp); status != http.StatusRequestEntityTooLarge {
			t.Errorf("a stream that is too long: %d %s", status, text)
		}
	}
	if list := h.list(""); len(list) != 0 {
		t.Errorf("listed: %+v", list)
	}
	for _, pattern := range []string{"journal/*.import", "recordings/*/*/*/*/*"} {
		if left, _ := filepath.Glob(filepath.Join(h.data, pattern)); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
}

func TestAnImportOfWhichNothingMoreComesEnds(t *testing.T) {
	defer web.SetBodyLimit(50 * time.Millisecond)()
	h := open(t)
	in, out := io.Pipe()
	defer out.Close()
	go io.WriteString(out, demo)
	req, err := http.NewRequest("POST", h.base+"/api/v1/recordings", in)
	check(t, err)
	req.Header.Set("Authorization", "Bearer otto")
	resp, err := http.DefaultClient.Do(req)
	check(t, err)
	if status, text := h.read(resp); status != http.StatusBadRequest || !strings.Contains(text, "nothing came for") {
		t.Errorf("got %d %s", status, text)
	}
	if list := h.list(""); len(list) != 0 {
		t.Errorf("listed: %+v", list)
	}
}

func TestFormatsOfTerminalsTakeInputAndOthersADirection(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("echo"))
	c.say("hi")
	id := c.hangUp().ID
	for query, want := range map[string]string{"asciicast": ".cast application/x-asciicast",
		"asciicast2&input=true": ".cast application/x-asciicast", "ttyrec": ".ttyrec application/octet-stream",
		"script&input=false": ".zip application/zip", "svg": ".svg image/svg+xml", "raw&direction=sent": ".raw application/octet-stream"} {
		resp := h.request(t.Context(), "vera", "GET", sessionPath(id, "/export?format="+query), "")
		status, text := h.read(resp)
		ext, kind, _ := strings.Cut(want, " ")
		if status != http.StatusOK || resp.Header.Get("Content-Type") != kind ||
			!strings.Contains(resp.Header.Get("Content-Disposition"), id.Short()+ext+`"`) {
			t.Errorf("%s: %d %v", query, status, resp.Header)
		}
		if strings.HasPrefix(query, "asciicast") && strings.Contains(text, `"i", "hi"`) != strings.Contains(query, "true") {
			t.Errorf("%s: %s", query, text)
		}
	}
	for query, says := range map[string]string{"asciicast&direction=sent": "direction does not go with asciicast",
		"raw&input=true": "input goes with", "script&input=maybe": "true or false", "gif": "ttyrec, script or svg"} {
		h.refused("vera", "GET", sessionPath(id, "/export?format="+query), "", http.StatusBadRequest, says)
	}
}
