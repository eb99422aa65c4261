package web_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/web"
)

// program is a live session of a program elsewhere, which takes typing.
func (h *house) program() (c io.ReadWriter, id session.ID) {
	h.t.Helper()
	side := h.programSide("otto", hello)
	heard(h.t, side)
	return side, h.list("state=live")[0].ID
}

func TestWhatIsTypedByRESTIsOnRecordAsTypedAndAnnounced(t *testing.T) {
	h := open(t)
	c, id := h.program()
	h.do("otto", "POST", sessionPath(id, "/type"), "ls\r")
	if got := heard(t, c); got != `{"announce":"otto types along"}` {
		t.Errorf("got %s", got)
	}
	if got := heard(t, c); got != "ils\r" {
		t.Errorf("to be typed: got %q", got)
	}
	h.refused("vera", "POST", sessionPath(id, "/type"), "x", http.StatusForbidden, "operator")
	h.refused("otto", "POST", sessionPath(id, "/type"), "", http.StatusBadRequest, "nothing to type")
	h.refused("otto", "POST", sessionPath(id, "/type"), strings.Repeat("x", 70_000), http.StatusBadRequest, "at most 65536")
	h.refused("otto", "POST", "/api/v1/sessions/zzz/type", "x", http.StatusNotFound, "zzz")
	echo := h.call(h.listen("a"))
	h.refused("otto", "POST", sessionPath(echo.id, "/type"), "x", http.StatusConflict, "nothing in this session")
	saysTo(t, c, web.RunExit, "exit status 0")
	h.until("it is recorded", func() bool { return len(h.list("state=recorded")) == 1 })
	if got := bytesOf(h.watch(id, "").rest(), session.Typed); got != "otto\x00ls\r" {
		t.Errorf("typed: got %q", got)
	}
	h.refused("otto", "POST", sessionPath(id, "/type"), "x", http.StatusConflict, "not live")
}

func TestAPageJoinsTypesAndLeaves(t *testing.T) {
	h := open(t)
	c, id := h.program()
	p := h.look("otto")
	ask := func(event, more string) {
		t.Helper()
		var got map[string]any
		if p.ask(event, fmt.Sprintf(`{"id":%q%s}`, id, more), &got); len(got) > 0 {
			t.Errorf("%s: got %v", event, got)
		}
	}
	typing := fmt.Sprintf(`{"id":%q,"data":"bHM="}`, id)
	p.refused("type", typing, http.StatusBadRequest, "join the session first")
	ask("join", "")
	p.refused("type", typing, http.StatusBadRequest, "join the session first")
	ask("join", `,"types":true`)
	ask("join", `,"types":true`)
	if got := heard(t, c); got != `{"announce":"otto types along"}` {
		t.Errorf("got %s", got)
	}
	p.type_(id, "ls \xff\r")
	if got := heard(t, c); got != "ils \xff\r" {
		t.Errorf("to be typed: got %q", got)
	}
	ask("leave", "")
	ask("leave", "")
	if got := heard(t, c); got != `{"announce":""}` {
		t.Errorf("got %s", got)
	}
	p.refused("type", typing, http.StatusBadRequest, "join the session first")
	ask("join", `,"types":true`)
	if got := heard(t, c); got != `{"announce":"otto types along"}` {
		t.Errorf("got %s", got)
	}
	p.conn.Close() // a page that is gone has left
	if got := heard(t, c); got != `{"announce":""}` {
		t.Errorf("got %s", got)
	}
	viewer := h.look("vera")
	viewer.refused("join", fmt.Sprintf(`{"id":%q,"types":true}`, id), http.StatusForbidden, "operator")
	viewer.refused("join", `{"id":"zzz"}`, http.StatusNotFound, "zzz")
	var got map[string]any
	if viewer.ask("join", fmt.Sprintf(`{"id":%q}`, id), &got); len(got) > 0 {
		t.Errorf("looking on: got %v", got)
	}
}

// type_ types bytes as browsers do: as an attachment.
func (p *page) type_(id session.ID, data string) {
	p.t.Helper()
	ack := p.asks
	p.asks++
	p.say(fmt.Sprintf(`451-/console,%d["type",{"id":%q,"data":{"_placeholder":true,"num":0}}]`, ack, id))
	check(p.t, wsutil.WriteClientBinary(p.conn, []byte(data)))
	for {
		e, answer := p.read()
		if answer == ack {
			if string(e.args[0]) != "{}" {
				p.t.Errorf("type: got %s", e.args[0])
			}
			return
		}
		p.kept = append(p.kept, e)
	}
}

// joined is a program that joins by WebSocket.
func (h *house) joined(token string, id session.ID, query string) *joiner {
	h.t.Helper()
	d := ws.Dialer{Header: ws.HandshakeHeaderHTTP{"Authorization": {"Bearer " + token}}}
	c, br, _, err := d.Dial(h.t.Context(), "ws"+strings.TrimPrefix(h.base, "http")+sessionPath(id, "/join"+query))
	check(h.t, err)
	h.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	j := &joiner{c, c}
	if br != nil {
		j.in = br
	}
	return j
}

type joiner struct {
	net.Conn
	in io.Reader
}

func (j *joiner) Read(p []byte) (int, error) { return j.in.Read(p) }

func TestAProgramJoinsByWebSocket(t *testing.T) {
	h := open(t)
	c, id := h.program()
	saysTo(t, c, web.RunOutput, "\x1b[31mred")
	saysTo(t, c, web.RunSize, "40x10")
	for arriving := h.watch(id, ""); ; {
		if e, ok := arriving.next(); !ok || e.Kind == session.Resized {
			break
		}
	}
	j := h.joined("otto", id, "?types=true")
	var first web.JoinNews
	check(t, json.Unmarshal([]byte(heard(t, j)), &first))
	if first.ID != id || first.Name != "top" || first.Screen.Size != "40x10" || !strings.Contains(string(first.Screen.Data), "red") {
		t.Errorf("first: got %+v", first)
	}
	if got := heard(t, c); got != `{"announce":"otto types along"}` {
		t.Errorf("got %s", got)
	}
	saysTo(t, c, web.RunOutput, "more")
	saysTo(t, c, web.RunSize, "50x20")
	for _, want := range []string{"omore", "s50x20"} {
		if got := heard(t, j); got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
	check(t, wsutil.WriteClientBinary(j, []byte("q")))
	if got := heard(t, c); got != "iq" {
		t.Errorf("to be typed: got %q", got)
	}
	check(t, wsutil.WriteClientBinary(j, make([]byte, 70_000)))
	if got := heard(t, j); !strings.Contains(got, `"error":"70000 bytes are typed at once; at most 65536"`) {
		t.Errorf("got %s", got)
	}
	j.Close()
	if got := heard(t, c); got != `{"announce":""}` {
		t.Errorf("got %s", got)
	}
	looks := h.joined("vera", id, "")
	heard(t, looks)
	check(t, wsutil.WriteClientBinary(looks, []byte("q")))
	if got := heard(t, looks); !strings.Contains(got, "join the session first, with types") {
		t.Errorf("got %s", got)
	}
	saysTo(t, c, web.RunExit, "exit status 3")
	var last web.JoinNews
	if err := json.Unmarshal([]byte(heard(t, looks)), &last); err != nil || last.End == nil || last.End.Cause != session.Done {
		t.Errorf("the end: got %+v, %v", last, err)
	}
	if got := heard(t, looks); !strings.Contains(got, "1000") {
		t.Errorf("at the end: got %q, want a close frame", got)
	}
	h.until("it has ended", func() bool { return h.one(id).State == session.Recorded })
	h.refused("vera", "GET", sessionPath(id, "/join"), "", http.StatusConflict, "not live")
	_, other := h.program()
	h.refused("vera", "GET", sessionPath(other, "/join?types=true"), "", http.StatusForbidden, "operator")
	h.refused("otto", "GET", sessionPath(other, "/join?types=x"), "", http.StatusBadRequest, "true or false")
	h.refused("otto", "GET", sessionPath(other, "/join?type=x"), "", http.StatusBadRequest, "use types")
	h.refused("otto", "GET", sessionPath(other, "/join?types=true"), "", http.StatusBadRequest, "WebSocket")
}

func TestTelnetsCommandsAreLeftOutForPeopleAndTerminals(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a", func(c *hub.ListenerConfig) { c.Telnet, c.Terminal = true, "80x24" }))
	c.say("\xff\xfb\x01pass")
	c.say("wo\xff")
	c.say("\xf1rd\xff\xff")
	const bare, whole = "password\xff", "\xff\xfb\x01passwo\xff\xf1rd\xff\xff"
	for query, want := range map[string]string{"follow=false": whole, "follow=false&bare=true": bare, "follow=false&bare=false": whole} {
		if got := bytesOf(h.watch(c.id, query).rest(), session.Sent); got != want {
			t.Errorf("?%s: got %q; want %q", query, got, want)
		}
	}
	h.refused("vera", "GET", sessionPath(c.id, "/events?bare=x"), "", http.StatusBadRequest, "true or false")
	p := h.look("vera")
	for more, want := range map[string]string{`"follow":false`: whole, `"follow":false,"bare":true`: bare, `"follow":false,"screen":true,"from":1`: bare} {
		p.watch(1, c.id, more)
		if got := bytesOf(p.rest(1), session.Sent); got != want {
			t.Errorf("a stream, %s: got %q; want %q", more, got, want)
		}
	}
	list, _ := h.find(c.id, "text=password")
	if len(list) != 2 || list[0].Match != "password" {
		t.Errorf("found: %+v", list)
	}
	if _, got := h.do("vera", "GET", sessionPath(c.id, "/export?format=raw&direction=sent"), ""); got != whole {
		t.Errorf("raw: got %q", got)
	}
	if _, got := h.do("vera", "GET", sessionPath(c.id, "/screen?format=text"), ""); !strings.HasPrefix(got, "password") {
		t.Errorf("the screen: got %q", got)
	}
	c.hangUp()
	if sum := h.one(c.id); !sum.Telnet {
		t.Errorf("recorded: %+v", sum)
	}
}
