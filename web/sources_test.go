package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/service/source"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
	"github.com/switchboard-relay/switchboard/web"
)

var _ web.Sources = (*source.Sources)(nil)

const openPath, kickPath = "/api/v1/sources/open", "/api/v1/sources/kick"

// opened opens a session of the plant over REST.
func (p *plant) opened(h *house, id string) (session.Summary, *line) {
	h.t.Helper()
	answer := h.doLater("vera", "POST", openPath, `{"session":"ssh:`+id+`"}`)
	l := p.next(false, id)
	l.frame(threeend.Display, "hello")
	got := <-answer
	var sum session.Summary
	if got.status != http.StatusCreated || json.Unmarshal([]byte(got.body), &sum) != nil || sum.Name != "ssh:"+id || sum.Listener != "plant" ||
		sum.State != session.Live || sum.Service != "source" || sum.Terminal != "80x24" {
		h.t.Fatalf("open: %d %s", got.status, got.body)
	}
	return sum, l
}

func TestSourcesAreListed(t *testing.T) {
	h, p := withPlant(t)
	var list struct{ Sources []threeend.SourceStatus }
	h.get("/api/v1/sources", &list)
	if len(list.Sources) != 1 || list.Sources[0].Name != "plant" || list.Sources[0].Kinds[0].Kind != "ssh" ||
		list.Sources[0].Kinds[0].State != threeend.Untried {
		t.Errorf("at first: %+v", list)
	}
	p.opened(h, "42")
	h.get("/api/v1/sources", &list)
	if s := list.Sources[0]; s.Sessions != 1 || s.Opened != 1 || s.Kinds[0].State != threeend.Reachable || s.Kinds[0].Sessions != 1 {
		t.Errorf("with a session: %+v", list)
	}
	if status, body := open(t).do("vera", "GET", "/api/v1/sources", ""); status != 200 || strings.TrimSpace(body) != `{"sources":[]}` {
		t.Errorf("without sources: %d %s", status, body)
	}
}

func TestASourcesSessionIsOpenedOnce(t *testing.T) {
	h, p := withPlant(t)
	sum, l := p.opened(h, "42")
	var again session.Summary
	status, body := h.do("vera", "POST", openPath, `{"session":"plant/ssh:42"}`)
	if status != http.StatusOK || json.Unmarshal([]byte(body), &again) != nil || again.ID != sum.ID {
		t.Errorf("again: %d %s", status, body)
	}
	w := h.watch(sum.ID, "")
	h.do("otto", "POST", openPath, `{"session":"ssh:42"}`) // who does not follow it
	h.web.Close()
	l.frame(threeend.Display, " world")
	for text := ""; text != "hello world"; {
		e, ok := w.next()
		if !ok {
			t.Fatalf("the session ended behind %q", text)
		}
		if e.Kind == session.Sent {
			text += string(e.Data)
		}
	}
	w.stop()
	l.isLeft()
}

func TestWhoOpenedASessionAndFollowedItLeavesItAtOnce(t *testing.T) {
	defer web.SetOpenStays(time.Hour)()
	h, p := withPlant(t)
	sum, l := p.opened(h, "42")
	w := h.watch(sum.ID, "")
	w.next()
	w.stop()
	l.isLeft()
	page := h.look("vera")
	sum, l = p.opened(h, "43")
	page.watch(1, sum.ID, "")
	page.conn.Close()
	l.isLeft()
}

func TestWhoOpensASessionIsAViewerForAWhile(t *testing.T) {
	defer web.SetOpenStays(time.Millisecond)()
	h, p := withPlant(t)
	sum, l := p.opened(h, "42")
	l.isLeft()
	h.until("it has ended", func() bool { return h.one(sum.ID).State == session.Recorded })
	if sum := h.one(sum.ID); sum.Cause != session.Done || sum.Code != 5 {
		t.Errorf("it ended as %+v", sum)
	}
}

func TestWhoGoesWhileASessionIsOpenedTakesTheQuestionBack(t *testing.T) {
	h, p := withPlant(t)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "POST", h.base+openPath, strings.NewReader(`{"session":"ssh:42"}`))
	check(t, err)
	req.Header.Set("Authorization", "Bearer vera")
	done := make(chan error, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		done <- err
	}()
	l := p.next(false, "42")
	cancel()
	l.isLeft()
	if err := <-done; err == nil {
		t.Error("there was an answer")
	}
}

func TestASourceIsAskedToKickAndItsAnswerIsTold(t *testing.T) {
	h, p := withPlant(t)
	sum, l := p.opened(h, "42")
	h.refused("vera", "POST", kickPath, `{"session":"ssh:42"}`, 403, "operator")
	answer := h.doLater("otto", "POST", kickPath, `{"session":"ssh:42","reason":"tea"}`)
	p.next(true, "42").say('3')
	l.say('3')
	const kicked = `{"session":"ssh:42","code":3,"message":"会话已结束！","meaning":"the session was ended by a kick"}`
	if got := <-answer; got.status != 200 || strings.TrimSpace(got.body) != kicked {
		t.Errorf("got %d %s; want %s", got.status, got.body, kicked)
	}
	h.until("it has ended", func() bool { return h.one(sum.ID).State == session.Recorded })
	if sum := h.one(sum.ID); sum.Cause != session.Kicked || sum.Code != 3 || sum.By != "otto" || sum.Reason != "tea" {
		t.Errorf("it ended as %+v", sum)
	}
	answer = h.doLater("otto", "POST", kickPath, `{"session":"ssh:42"}`) // which is not open here
	p.next(true, "42").say('5')
	if got := <-answer; got.status != 200 || !strings.Contains(got.body, `"code":5`) {
		t.Errorf("again: %d %s", got.status, got.body)
	}
}

func TestTheKickOfASourcesSessionByItsIdIsTheSources(t *testing.T) {
	h, p := withPlant(t)
	for said, cause := range map[byte]session.Cause{'3': session.Kicked, '5': session.Done} {
		sum, l := p.opened(h, "42")
		answer := h.doLater("otto", "POST", sessionPath(sum.ID, "/kick"), `{"reason":"tea"}`)
		p.next(true, "42").say(said)
		l.say(said)
		var kicked struct {
			ID                           session.ID
			Cause                        session.Cause
			By, Reason, Message, Meaning string
			Code                         int
		}
		got := <-answer
		check(t, json.Unmarshal([]byte(got.body), &kicked))
		if got.status != 200 || kicked.ID != sum.ID || kicked.Cause != cause || kicked.By != "otto" || kicked.Reason != "tea" ||
			kicked.Code != int(said-'0') || kicked.Message != threeend.OverMessage || kicked.Meaning == "" {
			t.Errorf("%c: %d %s", said, got.status, got.body)
		}
		h.until("it has ended", func() bool { return h.one(sum.ID).State == session.Recorded })
		h.refused("otto", "POST", sessionPath(sum.ID, "/kick"), "", http.StatusConflict, "not live")
	}
	sum, _ := p.opened(h, "43")
	answer := h.doLater("otto", "POST", sessionPath(sum.ID, "/kick"), "")
	p.next(true, "43").Close()
	if got := <-answer; got.status != 502 || !strings.Contains(got.body, `"code":5,"message":"会话已结束！"`) {
		t.Errorf("without an answer: %d %s", got.status, got.body)
	}
	if state := h.one(sum.ID).State; state != session.Live {
		t.Errorf("it is %s; want it to go on", state)
	}
}

func TestWhatASourceDoesNotShowIsToldWithItsCode(t *testing.T) {
	h, p := withPlant(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	closed.Close()
	other := p.conf
	other.Name, other.Kinds = "other", map[string]string{"vnc": closed.Addr().String(), "rdp": closed.Addr().String()}
	third := other
	third.Name, third.Kinds = "third", map[string]string{"vnc": closed.Addr().String()}
	p.configure(nil, other, third)
	ask := func(ref string) replied {
		return <-h.doLater("vera", "POST", openPath, string(session.JSON(map[string]string{"session": ref})))
	}
	told := func(ref string, got replied, status, code int) {
		t.Helper()
		var said struct {
			Error, Message, Meaning string
			Code                    int
		}
		check(t, json.Unmarshal([]byte(got.body), &said))
		if got.status != status || said.Error == "" || said.Code != code || (said.Message == "会话已结束！" && said.Meaning != "") != (code != 0) {
			t.Errorf("%q: %d %s; want %d, code %d", ref, got.status, got.body, status, code)
		}
	}
	answer := h.doLater("vera", "POST", openPath, `{"session":"ssh:1"}`)
	p.next(false, "1").say('5')
	told("what there is not", <-answer, 404, 5)
	answer = h.doLater("vera", "POST", openPath, `{"session":"ssh:1"}`)
	p.next(false, "1").Close()
	told("closed", <-answer, 502, 5)
	answer = h.doLater("vera", "POST", openPath, `{"session":"ssh:1"}`)
	p.next(false, "1").say('x')
	told("no frame", <-answer, 502, 5)
	told("rdp:1", ask("rdp:1"), 502, 5)
	told("vnc:1", ask("vnc:1"), 409, 0)
	told("other/vnc:1", ask("other/vnc:1"), 502, 5)
	for _, ref := range []string{"x11:1", "nobody/ssh:1", "plant/vnc:1"} {
		told(ref, ask(ref), 404, 0)
	}
	for _, ref := range []string{"", "ssh", "ssh:", "/ssh:1", "ssh:\x01", "ssh:" + strings.Repeat("x", 1025)} {
		told(ref, ask(ref), 400, 0)
	}
	for _, body := range []string{"", "[]", `{"session":5}`, `{"session":"ssh:1","x":1}`, `{"session":"ssh:1"}x`} {
		h.refused("vera", "POST", openPath, body, 400, "body")
	}
	h.refused("otto", "POST", kickPath, `{"session":"ssh:1","reason":"`+strings.Repeat("x", 1001)+`"}`, 400, "1000")
	h.refused("otto", "POST", kickPath, `{"session":"vnc:1"}`, 409, "other/vnc:1")
	open(t).refused("vera", "POST", openPath, `{"session":"ssh:1"}`, 404, "none is configured")
	open(t).refused("otto", "POST", kickPath, `{"session":"ssh:1"}`, 404, "none is configured")
}

func TestASilentSourceIsToldWithinItsTime(t *testing.T) {
	h, p := withPlant(t)
	p.configure(func(c *source.Config) { c.AnswerTimeout, c.MaxSessions = time.Second, 1 })
	answer := h.doLater("vera", "POST", openPath, `{"session":"ssh:1"}`)
	l := p.next(false, "1")
	if got := <-answer; got.status != 502 || !strings.Contains(got.body, "did not answer within 1s") || !strings.Contains(got.body, `"code":5`) {
		t.Errorf("got %d %s", got.status, got.body)
	}
	l.isLeft()
	p.configure(func(c *source.Config) { c.AnswerTimeout = patience })
	p.opened(h, "2")
	h.refused("vera", "POST", openPath, `{"session":"ssh:3"}`, 503, "max_sessions")
}

// openedAt opens a session of the plant for a page.
func (p *plant) openedAt(page *page, id string) (session.ID, *line) {
	p.t.Helper()
	lines := make(chan *line, 1)
	go func() {
		l := <-p.asked
		l.Write(threeend.AppendFrame(nil, threeend.Display, []byte("hello")))
		lines <- l
	}()
	var got struct {
		ID      session.ID
		Summary session.Summary
		Error   string
	}
	page.ask("open", `{"session":"ssh:`+id+`"}`, &got)
	if got.Error != "" || got.ID == "" || got.Summary.ID != got.ID || got.Summary.Name != "ssh:"+id || got.Summary.State != session.Live {
		p.t.Fatalf("open ssh:%s: %+v", id, got)
	}
	l := <-lines
	p.t.Cleanup(func() { l.Close() })
	if l.id != id || l.kick {
		p.t.Fatalf("asked is for %q, kick %v", l.id, l.kick)
	}
	return got.ID, l
}

func TestAPageKeepsASessionOpenUntilItClosesItOrIsGone(t *testing.T) {
	h, p := withPlant(t)
	one, two := h.look("vera"), h.look("otto")
	id, l := p.openedAt(one, "42")
	var again struct {
		ID    session.ID
		Error string
	}
	for _, what := range []string{"ssh:42", "plant/ssh:42", string(id)} { // the last two are kept besides
		one.ask("open", fmt.Sprintf(`{"session":%q}`, what), &again)
		two.ask("open", fmt.Sprintf(`{"session":%q}`, what), &again)
		if again.ID != id {
			t.Errorf("%s again: %+v", what, again)
		}
	}
	one.ask("close", `{"session":"ssh:42"}`, &again)
	one.ask("close", `{"session":"ssh:42"}`, &again)
	one.ask("close", `{"session":"`+string(id)+`"}`, &again) // whatever it was called
	if state := h.one(id).State; state != session.Live {
		t.Errorf("while another keeps it, it is %s", state)
	}
	two.conn.Close()
	l.isLeft()
	h.until("it has ended", func() bool { return h.one(id).State == session.Recorded })
	one.refused("open", `{"session":"`+string(id)+`"}`, 409, "not live")
	if next, _ := p.openedAt(one, "42"); next == id {
		t.Error("it is the same session")
	}
}

func TestWhatIsClosedWhileItIsOpenedIsTakenBack(t *testing.T) {
	h, p := withPlant(t)
	page := h.look("vera")
	page.say(`42/console,900["open",{"session":"ssh:42"}]`)
	page.say(`42/console,901["open",{"session":"ssh:42"}]`)
	l := p.next(false, "42")
	var done struct{ Error string }
	page.ask("unwatch", `{"stream":1}`, &done) // is answered meanwhile
	page.say(`42/console,902["close",{"session":"ssh:42"}]`)
	answers := map[int]string{}
	for len(answers) < 3 {
		e, answer := page.read()
		answers[answer] = string(e.args[0])
	}
	if !strings.Contains(answers[900], "409") || !strings.Contains(answers[901], "409") || answers[902] != "{}" {
		t.Errorf("the answers are %v", answers)
	}
	l.isLeft()
	page.say(`42/console,903["open",{"session":"ssh:43"}]`)
	l = p.next(false, "43")
	page.conn.Close()
	l.isLeft()
}

func TestAPageMayHaveSoManySessionsOpen(t *testing.T) {
	h, p := withPlant(t)
	page := h.look("vera")
	var last session.ID
	var l *line
	for i := range 64 {
		last, l = p.openedAt(page, fmt.Sprint(i))
	}
	page.refused("open", `{"session":"ssh:64"}`, 409, "64")
	page.refused("open", `{"session":"`+string(last)+`"}`, 409, "64")
	l.say('5') // what has ended does not count
	h.until("it has ended", func() bool { return h.one(last).State == session.Recorded })
	p.openedAt(page, "64")
	page.refused("open", `{"session":"ssh:65"}`, 409, "64")
}

func TestAPageIsToldOfTheSourcesWheneverTheyChange(t *testing.T) {
	h, p := withPlant(t)
	page, late := h.look("vera"), h.look("otto")
	var done struct{ Error string }
	told := func(page interface{ await(string) told }, what string, so func(threeend.SourceStatus) bool) {
		t.Helper()
		for deadline := time.Now().Add(patience); ; {
			var list struct{ Sources []threeend.SourceStatus }
			e := page.await("sources")
			e.into(t, 0, &list)
			if len(list.Sources) == 1 && so(list.Sources[0]) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain for %s: %+v", what, list)
			}
		}
	}
	page.ask("sources", `{"on":true}`, &done)
	told(page, "the first", func(s threeend.SourceStatus) bool { return s.Sessions == 0 && s.Kinds[0].State == threeend.Untried })
	_, l := p.openedAt(late, "42")
	told(page, "a session", func(s threeend.SourceStatus) bool { return s.Sessions == 1 && s.Kinds[0].State == threeend.Reachable })
	late.ask("sources", `{"on":true}`, &done)
	told(late, "what there is", func(s threeend.SourceStatus) bool { return s.Sessions == 1 })
	page.ask("sources", `{"on":false}`, &done)
	l.say('5')
	told(late, "its end", func(s threeend.SourceStatus) bool { return s.Sessions == 0 })
	page.nothingComes("sources")
}
