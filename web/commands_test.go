package web_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/service/echo"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
	"github.com/switchboard-relay/switchboard/web"
)

func TestAKickEndsTheSessionAndSaysWhoDidItAndWhy(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	w := h.watch(c.id, "")
	status, body := h.do("otto", "POST", sessionPath(c.id[:6], "/kick"), `{"reason":"maintenance"}`)
	var answer struct {
		ID    session.ID
		Cause session.Cause
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 || answer.ID != c.id ||
		answer.Cause != session.Kicked {
		t.Fatalf("kick: %d %s", status, body)
	}
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the far end reads %v; want the end", err)
	}
	events := w.rest()
	var end session.End
	if err := json.Unmarshal(events[len(events)-1].Data, &end); err != nil {
		t.Fatal(err)
	}
	if end.Cause != session.Kicked || end.By != "otto" || end.Reason != "maintenance" {
		t.Errorf("the watcher is told %+v", end)
	}
	sum := c.hangUp()
	if sum.Cause != session.Kicked || sum.By != "otto" || sum.Reason != "maintenance" {
		t.Errorf("the record says %+v", sum)
	}
	h.refused("otto", "POST", sessionPath(c.id, "/kick"), "", http.StatusConflict, "not live")
	h.refused("otto", "POST", sessionPath(c.id, "/send"), "x", http.StatusConflict, "not live")
	h.refused("otto", "POST", "/api/v1/sessions/zzzz/kick", "", http.StatusNotFound, "zzzz")
}

func TestAKickNeedsNoReasonButTakesNothingElse(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	for _, body := range []string{"maintenance", `{"cause":"idle"}`, `{"reason":5}`, `{"reason":"` + strings.Repeat("x",
		1001) + `"}`} {
		h.refused("otto", "POST", sessionPath(c.id, "/kick"), body, http.StatusBadRequest, "reason")
	}
	if status, body := h.do("otto", "POST", sessionPath(c.id, "/kick"), ""); status != 200 {
		t.Errorf("no reason: %d %s", status, body)
	}
}

func TestSendReachesTheFarEndByteForByte(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	data := "down \x00\xff\r\n 中"
	if status, body := h.do("otto", "POST", sessionPath(c.id, "/send"), data); status != 200 || !strings.Contains(body,
		`"bytes":13`) {
		t.Fatalf("send: %d %s", status, body)
	}
	got := make([]byte, len(data))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != data {
		t.Errorf("the far end got %q, %v", got, err)
	}
	large := strings.Repeat("x", 1<<20)
	h.refused("otto", "POST", sessionPath(c.id, "/send"), large+"x", http.StatusRequestEntityTooLarge, "1048576")
	h.refused("otto", "POST", sessionPath(c.id, "/send"), "", http.StatusBadRequest, "empty")
	taken := make(chan error, 1)
	go func() {
		_, err := io.CopyN(io.Discard, c, int64(len(large)))
		taken <- err
	}()
	if status, body := h.do("otto", "POST", sessionPath(c.id, "/send"), large); status != 200 {
		t.Errorf("send of 1 MiB: %d %s", status, body)
	}
	check(t, <-taken)
	if got := bytesOf(h.watch(c.id, "follow=false").rest(), session.Sent); got != data+large {
		t.Errorf("the record has %d bytes as sent; want %d", len(got), len(data)+len(large))
	}
}

func TestAPinnedRecordingIsKeptUntilItIsUnpinned(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	h.refused("otto", "PUT", sessionPath(c.id, "/pin"), "", http.StatusConflict, "still live")
	h.refused("ada", "DELETE", sessionPath(c.id, ""), "", http.StatusConflict, "still live")
	c.hangUp()
	if status, body := h.do("otto", "PUT", sessionPath(c.id, "/pin"), ""); status != 200 || !strings.Contains(body,
		`"pinned":true`) {
		t.Fatalf("pin: %d %s", status, body)
	}
	if !h.one(c.id).Pinned {
		t.Error("the session is not shown as pinned")
	}
	h.refused("ada", "DELETE", sessionPath(c.id, ""), "", http.StatusConflict, "unpin")
	if status, body := h.do("otto", "DELETE", sessionPath(c.id, "/pin"), ""); status != 200 || !strings.Contains(body,
		`"pinned":false`) {
		t.Fatalf("unpin: %d %s", status, body)
	}
	if status, body := h.do("ada", "DELETE", sessionPath(c.id, ""), ""); status != 200 {
		t.Fatalf("delete: %d %s", status, body)
	}
	h.refused("vera", "GET", sessionPath(c.id, ""), "", http.StatusNotFound, c.id.Short())
	h.refused("vera", "GET", sessionPath(c.id, "/events"), "", http.StatusNotFound, c.id.Short())
	h.refused("vera", "GET", sessionPath(c.id, "/export"), "", http.StatusNotFound, c.id.Short())
}

func TestEachRoleMayDoWhatItIsFor(t *testing.T) {
	h := open(t)
	id := h.call(h.listen("a")).id
	paths := []struct {
		method, path string
		needs        string
	}{
		{"GET", "/api/v1/sessions", "viewer"}, {"GET", sessionPath(id, ""), "viewer"}, {"GET", sessionPath(id,
			"/events?to=1"), "viewer"},
		{"GET", sessionPath(id, "/export"), "viewer"}, {"GET", "/api/v1/listeners", "viewer"}, {"GET", "/api/v1/server",
			"viewer"},
		{"GET", "/metrics", "viewer"}, {"PUT", sessionPath(id, "/pin"), "operator"}, {"DELETE", sessionPath(id, "/pin"),
			"operator"},
		{"POST", sessionPath(id, "/send"), "operator"}, {"DELETE", sessionPath(id, ""), "admin"}, {"POST", sessionPath(id,
			"/kick"), "operator"}, {"GET", web.RunPath, "operator"},
	}
	rank := map[string]int{"viewer": 1, "operator": 2, "admin": 3}
	for _, p := range paths {
		h.refused("", p.method, p.path, "", http.StatusUnauthorized, "Authorization: Bearer")
		h.refused("mallory", p.method, p.path, "", http.StatusUnauthorized, "token")
		for token, role := range map[string]string{"vera": "viewer", "otto": "operator", "ada": "admin"} {
			if rank[role] < rank[p.needs] {
				h.refused(token, p.method, p.path, "", http.StatusForbidden, p.needs)
			} else if status, body := h.do(token, p.method, p.path, ""); status == 401 || status == 403 || status >= 500 {
				t.Errorf("%s %s as %s: %d %s", p.method, p.path, role, status, body)
			}
		}
	}
	h.refused("", "GET", "/api/v1/sessions?token=vera", "", http.StatusUnauthorized, "Authorization: Bearer")
}

func TestWhatASessionCannotBeSentIsAConflict(t *testing.T) {
	h := open(t)
	l, err := h.hub.Listener(hub.ListenerConfig{Name: "udp", Transport: "udp", Service: "echo", Record: session.RecordOn,
		OnFailure: session.OnFailureContinue}, &echo.Service{Plain: true})
	check(t, err)
	p, err := transport.ListenPackets(t.Context(), transport.Address{Transport: "udp", Host: "127.0.0.1:0"})
	check(t, err)
	l.Attach(p)
	go l.ServePackets(p) // ends with the hub's Shutdown
	conn, err := net.Dial("udp", p.Addr().String())
	check(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "hello")
	check(t, err)
	h.until("it is a session", func() bool { return len(h.list("state=live&listener=udp")) == 1 })
	id := h.list("state=live")[0].ID
	h.refused("otto", "POST", sessionPath(id, "/send"), strings.Repeat("x", 70_000), http.StatusConflict, "65507")
	for _, e := range h.watch(id, "follow=false").rest() {
		if e.Kind == session.Noted || e.Kind == session.Unsent {
			t.Errorf("on record is %v %s", e.Kind, e.Data)
		}
	}
}
