package web_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/switchboard-relay/switchboard/auth"
)

func TestWhoHasNoTokenIsNoViewer(t *testing.T) {
	h := open(t)
	for _, given := range []string{"", `{}`, `{"token":"nobody's"}`, `{"token":""}`} {
		p, err := h.dialPage(nil)
		check(t, err)
		answer := p.join("/console", given)
		payload, refused := strings.CutPrefix(answer, "44/console,")
		var why struct {
			Message string
			Data    struct {
				Status int
				Error  string
			}
		}
		if !refused || json.Unmarshal([]byte(payload), &why) != nil || why.Data.Status != 401 ||
			!strings.Contains(why.Data.Error, "token") || why.Message != why.Data.Error {
			t.Errorf("auth %s: got %s; want a refusal with status 401", given, answer)
		}
	}
	p, err := h.dialPage(nil)
	check(t, err)
	if answer := p.join("/", `{"token":"vera"}`); !strings.HasPrefix(answer, "44") {
		t.Errorf("another namespace: got %s; want a refusal", answer)
	}
}

func TestATokenInTheHeaderMakesAViewerAsWell(t *testing.T) {
	h := open(t)
	p, err := h.dialPage(http.Header{"Authorization": {"Bearer otto"}})
	check(t, err)
	if answer := p.join("/console", ""); !strings.HasPrefix(answer, "40/console,") {
		t.Fatalf("got %s", answer)
	}
	var hello struct {
		Version, Node, Name, Role string
		Start, Now                int64
		Build                     *string
	}
	e := p.next()
	e.into(t, 0, &hello)
	now := time.Now().UnixMicro()
	if e.event != "hello" || hello.Version != "v9" || hello.Node != "n1" || hello.Name != "otto" || hello.Role != "operator" ||
		hello.Start <= 0 || hello.Now < hello.Start || hello.Now > now || hello.Build == nil {
		t.Errorf("got %s %s", e.event, e.args)
	}
}

func TestWhoIsSignedInIsAViewer(t *testing.T) {
	h := open(t)
	c := h.browser().signIn("token", "otto")
	for _, header := range []http.Header{{}, {"Origin": {h.base}}, {"Origin": {h.base}, "Sec-Fetch-Site": {"same-origin"}}} {
		header.Set("Cookie", c.Name+"="+c.Value)
		p, err := h.dialPage(header)
		check(t, err)
		if answer := p.join("/console", ""); !strings.HasPrefix(answer, "40/console,") {
			t.Fatalf("%v: got %s", header, answer)
		}
		if e := p.await("hello"); !strings.Contains(string(e.args[0]), `"name":"otto"`) {
			t.Errorf("%v: got %s", header, e.args)
		}
	}
}

func TestViewersWhoseTokenIsTakenAwayAreCutOff(t *testing.T) {
	h := open(t)
	c := h.browser().signIn("token", "otto")
	cookie, err := h.dialPage(http.Header{"Cookie": {c.Name + "=" + c.Value}})
	check(t, err)
	cookie.join("/console", "")
	cookie.await("hello")
	ada, vera := h.look("ada"), h.look("vera")
	check(t, h.auth.Replace([]auth.Token{{Name: "vera", Role: auth.Viewer, SHA256: auth.Hash("vera")},
		{Name: "ada", Role: auth.Viewer, SHA256: auth.Hash("ada")}})) // who comes back with another role
	h.web.TokensChanged()
	h.changed("4tq9m2xk7bfd-n1", "notes")
	vera.await("changed")
	for _, p := range []*page{cookie, ada} {
		if text, _ := p.message(); text != "41/console," {
			t.Errorf("got %q; want to be disconnected", text)
		}
		if _, err := wsutil.ReadServerText(p.conn); err == nil {
			t.Error("the connection stays")
		}
	}
}

func TestWhoFollowsByATokenThatIsTakenAwayIsCutOff(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	follow := func(token string) io.Reader {
		req, err := http.NewRequestWithContext(t.Context(), "GET", h.base+sessionPath(c.id, "/events"), nil)
		check(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		check(t, err)
		t.Cleanup(func() { resp.Body.Close() })
		lines := bufio.NewReader(resp.Body)
		if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, "opened") {
			t.Fatalf("the first line is %q, %v", line, err)
		}
		return lines
	}
	otto, vera := follow("otto"), follow("vera")
	check(t, h.auth.Replace([]auth.Token{{Name: "vera", Role: auth.Viewer, SHA256: auth.Hash("vera")}}))
	h.web.TokensChanged()
	if rest, err := io.ReadAll(otto); !errors.Is(err, io.ErrUnexpectedEOF) || len(rest) > 0 {
		t.Errorf("whose token is gone got %q, %v; want to be cut off", rest, err)
	}
	c.say("x")
	c.hangUp()
	if rest, err := io.ReadAll(vera); err != nil || !strings.Contains(string(rest), "closed") {
		t.Errorf("whose token is there still got %q, %v", rest, err)
	}
}

func TestPagesOfOtherOriginsAreNoViewers(t *testing.T) {
	h := open(t)
	_, err := h.dialPage(http.Header{"Origin": {"https://example.org"}, "Authorization": {"Bearer vera"}})
	var status ws.StatusError
	if !isStatus(err, &status) || int(status) != http.StatusForbidden {
		t.Errorf("a page of another origin: %v; want 403", err)
	}
	b := h.browser()
	for _, site := range []string{"cross-site", "same-site"} { // of a script element, which has no Origin
		status, body := b.do("GET", "/api/v1/socket.io/?EIO=4&transport=polling", "", "Sec-Fetch-Site", site)
		if status != 403 || !strings.Contains(body, "other origins") {
			t.Errorf("%s: %d %s; want 403", site, status, body)
		}
	}
	if _, err := h.dialPage(http.Header{"Origin": {h.base}}); err != nil {
		t.Errorf("a page of this server: %v", err)
	}
}

func isStatus(err error, status *ws.StatusError) (is bool) {
	*status, is = err.(ws.StatusError)
	return is
}

func TestWhatIsAskedWrongIsAnsweredAsInREST(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	p := h.look("vera")
	id := string(c.id)
	p.refused("watch", `{"stream":1,"id":"zzz"}`, 404, "no such session")
	p.refused("watch", `{"stream":1,"id":"`+id+`","form":2}`, 400, "form")
	p.refused("watch", `{"stream":1,"id":"`+id+`","from":2,"time":3}`, 400, "one of them")
	p.refused("watch", `{"stream":1,"id":"`+id+`","window":1}`, 400, "window 1")
	p.refused("watch", `{"stream":1,"id":"`+id+`","pace":5000}`, 400, "pace 5000")
	p.refused("watch", `{"stream":1,"id":"`+id+`","from":-1}`, 400, "watch takes an object")
	p.refused("watch", `{"stream":1,"id":"`+id+`","time":-1}`, 400, "positive")
	p.refused("watch", `{"stream":1,"id":"`+id+`","from":5,"to":4}`, 400, "before the beginning")
	p.refused("watch", `{"stream":1,"id":"`+id+`","skip":4}`, 400, "skip")
	p.refused("watch", `"x"`, 400, "watch takes an object")
	p.refused("live", `{"on":"yes"}`, 400, "live takes an object")
	off := h.call(h.listen("off", unrecorded))
	off.hangUpUnrecorded()
	p.refused("watch", `{"stream":1,"id":"`+string(off.id)+`"}`, 404, "no such session")
}

func TestAChangeIsToldToAllViewers(t *testing.T) {
	h := open(t)
	one, two := h.look("vera"), h.look("otto")
	h.changed("4tq9m2xk7bfd-n1", "notes")
	for _, p := range []*page{one, two} {
		var what struct{ ID, What string }
		e := p.await("changed")
		if e.into(t, 0, &what); what.ID != "4tq9m2xk7bfd-n1" || what.What != "notes" {
			t.Errorf("got %s", e.args)
		}
	}
}
