package web_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/capture"
	"github.com/switchboard-relay/switchboard/session"
)

const someday = 1_700_000_000_000_000

// field is a capture of three devices that speak to a server, one of them over UDP.
func field() string {
	var out bytes.Buffer
	w := capture.NewWriter(&out, capture.About{})
	server := netip.MustParseAddrPort("10.0.0.1:502")
	a := w.TCP(someday, capture.Ends{netip.MustParseAddrPort("10.0.0.7:5000"), server}, [2]uint32{})
	b := w.TCP(someday+1000, capture.Ends{netip.MustParseAddrPort("10.0.0.8:5000"), netip.MustParseAddrPort("10.0.0.1:503")}, [2]uint32{})
	u := w.UDP(capture.Ends{netip.MustParseAddrPort("10.0.0.9:5000"), server})
	a.Data(someday+2000, capture.Client, []byte("ping"))
	u.Data(someday+3000, capture.Client, []byte("one"))
	b.Data(someday+4000, capture.Server, []byte("hello"))
	a.Data(someday+5000, capture.Server, []byte("pong"))
	u.Data(someday+6000, capture.Client, []byte("two"))
	a.End(someday+7000, capture.Client)
	a.End(someday+7000, capture.Server)
	b.Reset(someday+8000, capture.Server)
	w.Close(someday + 8000)
	return out.String()
}

// capturedSessions are what a capture became.
func (h *house) capturedSessions(query, body string) (made struct {
	Sessions         []session.Summary
	Packets, Ignored uint64
}) {
	h.t.Helper()
	status, text := h.do("otto", "POST", "/api/v1/recordings"+query, body)
	if err := json.Unmarshal([]byte(text), &made); err != nil || status != http.StatusCreated {
		h.t.Fatalf("import: %d %s", status, text)
	}
	return made
}

func TestEachConversationOfACaptureIsASession(t *testing.T) {
	h := open(t)
	made := h.capturedSessions("?file=line.pcapng&listener=field", field())
	if len(made.Sessions) != 3 || made.Ignored != 0 || made.Packets != 19 {
		t.Fatalf("got %+v", made)
	}
	if list := h.list("listener=field&until=365d"); len(list) != 3 {
		t.Errorf("listed: %+v", list)
	}
	a, b, u := made.Sessions[0], made.Sessions[1], made.Sessions[2]
	if a.Transport != "tcp" || a.Remote != "10.0.0.7:5000" || a.Local != "10.0.0.1:502" || a.Start != someday || a.End != someday+7000 ||
		a.Cause != session.HungUp || a.ReceivedBytes != 4 || a.SentBytes != 4 || a.Terminal != "" || a.Listener != "field" {
		t.Errorf("got %+v", a)
	}
	if b.Cause != session.Reset || b.Start != someday+1000 || b.SentBytes != 5 {
		t.Errorf("got %+v", b)
	}
	if u.Transport != "udp" || u.ReceivedEvents != 2 || u.End != someday+6000 || u.Cause != session.Done {
		t.Errorf("got %+v", u)
	}
	if events := h.watch(a.ID, "").rest(); kinds(events) != "opened noted received sent received end sent end closed" || string(events[1].Data) != "captured in line.pcapng" {
		t.Errorf("events: %s", kinds(events))
	}
	resp := h.request(t.Context(), "vera", "GET", sessionPath(a.ID, "/export?format=pcapng"), "")
	status, again := h.read(resp)
	if status != http.StatusOK || resp.Header.Get("Content-Type") != "application/x-pcapng" || !strings.Contains(resp.Header.Get("Content-Disposition"), a.ID.Short()+`.pcapng"`) {
		t.Fatalf("export: %d %v", status, resp.Header)
	}
	back := h.capturedSessions("", again).Sessions
	if len(back) != 1 || back[0].Remote != a.Remote || back[0].Local != a.Local || back[0].Start != a.Start || back[0].End != a.End || back[0].Totals != a.Totals || back[0].Cause != a.Cause {
		t.Errorf("came back as %+v; want %+v", back, a)
	}
}

func TestAPortChoosesWhatOfACaptureIsTaken(t *testing.T) {
	h := open(t)
	made := h.capturedSessions("?port=503&format=pcapng", field())
	if len(made.Sessions) != 1 || made.Sessions[0].Local != "10.0.0.1:503" || made.Ignored == 0 {
		t.Errorf("got %+v", made)
	}
	const path = "/api/v1/recordings"
	h.refused("otto", "POST", path+"?port=70000", field(), http.StatusBadRequest, "from 1 to 65535")
	h.refused("otto", "POST", path+"?port=9", field(), http.StatusBadRequest, "is of a conversation over TCP or UDP at port 9")
	h.refused("otto", "POST", path+"?port=9", demo, http.StatusBadRequest, "which this is not")
}

func TestOfACaptureThatIsBrokenNothingIsKept(t *testing.T) {
	h := open(t)
	const path = "/api/v1/recordings"
	h.refused("otto", "POST", path, field()[:1500], http.StatusBadRequest, "the file ends within it")
	h.refused("otto", "POST", path, field()+"junk\x05\x00\x00\x00junk", http.StatusBadRequest, "the file is damaged here")
	if list := h.list(""); len(list) != 0 {
		t.Errorf("listed: %+v", list)
	}
	for _, pattern := range []string{"journal/*.import", "recordings/*/*/*/*/*"} {
		if left, _ := filepath.Glob(filepath.Join(h.data, pattern)); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
}

func TestACaptureHasBothDirections(t *testing.T) {
	h := open(t)
	id := h.capturedSessions("", field()).Sessions[0].ID
	h.refused("vera", "GET", sessionPath(id, "/export?format=pcapng&direction=sent"), "", http.StatusBadRequest, "direction does not go with pcapng")
	h.refused("vera", "GET", sessionPath(id, "/export?format=pcapng&input=true"), "", http.StatusBadRequest, "input goes with")
}
