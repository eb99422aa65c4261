package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
	"github.com/switchboard-relay/switchboard/web"
)

// plant is one source, of kind ssh, whose sessions are 42 and 43; 7 does not answer.
type plant struct {
	h *house
	l *hub.Listener

	mu   sync.Mutex
	open map[string]*hub.Session
	held int
}

func withPlant(t *testing.T) (*house, *plant) {
	t.Helper()
	p := &plant{open: map[string]*hub.Session{}}
	h := open(t, func(o *web.Options) { o.Sources = p })
	p.h = h
	var err error
	p.l, err = h.hub.Listener(hub.ListenerConfig{Name: "plant", Transport: "pipe", Service: "source", Record: session.RecordOn,
		Terminal: "80x24"}, nil)
	check(t, err)
	return h, p
}

func (p *plant) Status() []threeend.SourceStatus {
	return []threeend.SourceStatus{{Name: "plant", Max: 9, Kinds: []threeend.KindStatus{{Kind: "ssh", State: threeend.Untried}}}}
}

func (p *plant) find(ref threeend.Ref) error {
	switch {
	case ref.Kind == "vnc":
		return &threeend.AmbiguousError{Ref: ref, Sources: []string{"a", "b"}}
	case ref.Kind != "ssh":
		return threeend.ErrNoSource
	case ref.ID == "7":
		return &threeend.OverError{Ref: ref, Answer: threeend.Over.Answer(), Err: errors.New("no answer for 5 s")}
	case ref.ID == "9":
		return threeend.ErrBusy
	}
	return nil
}

func (p *plant) Open(_ context.Context, ref threeend.Ref, _ string) (*hub.Session, func(), error) {
	if err := p.find(ref); err != nil {
		return nil, nil, err
	}
	if ref.ID != "42" && ref.ID != "43" {
		return nil, nil, &threeend.OverError{Ref: ref, Answer: threeend.Over.Answer(), Asked: true}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.open[ref.ID]
	if s == nil || s.Ended() != nil {
		s = p.h.fill(p.l, 1)[0]
		s.SetName(ref.Name())
		s.OnKick(func(_ context.Context, by, reason string) (threeend.Answer, error) {
			s.EndWith(&session.End{Cause: session.Kicked, By: by, Reason: reason, Code: 3})
			return threeend.Kicked.Answer(), nil
		})
		p.open[ref.ID] = s
	}
	p.held++
	return s, sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.held--
	}), nil
}

func (p *plant) Kick(ctx context.Context, ref threeend.Ref, by, reason string) (threeend.Answer, error) {
	if err := p.find(ref); err != nil {
		return threeend.Answer{}, err
	}
	p.mu.Lock()
	s := p.open[ref.ID]
	p.mu.Unlock()
	if s == nil || s.Ended() != nil {
		return threeend.Over.Answer(), nil
	}
	return threeend.Kicked.Answer(), p.h.hub.Kick(ctx, s.ID(), by, reason)
}

// viewers is how many hold a session.
func (p *plant) viewers() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

func TestSourcesAreListed(t *testing.T) {
	h, _ := withPlant(t)
	var list struct{ Sources []threeend.SourceStatus }
	h.get("/api/v1/sources", &list)
	if len(list.Sources) != 1 || list.Sources[0].Name != "plant" || list.Sources[0].Kinds[0].Kind != "ssh" {
		t.Errorf("got %+v", list)
	}
	if status, body := open(t).do("vera", "GET", "/api/v1/sources", ""); status != 200 || strings.TrimSpace(body) != `{"sources":[]}` {
		t.Errorf("without sources: %d %s", status, body)
	}
}

func TestASourcesSessionIsOpenedOnce(t *testing.T) {
	h, p := withPlant(t)
	var first, again session.Summary
	status, body := h.do("vera", "POST", "/api/v1/sources/open", `{"session":"ssh:42"}`)
	if status != http.StatusCreated || json.Unmarshal([]byte(body), &first) != nil || first.Name != "ssh:42" || first.Listener != "plant" ||
		first.State != session.Live {
		t.Fatalf("open: %d %s", status, body)
	}
	status, body = h.do("vera", "POST", "/api/v1/sources/open", `{"session":"plant/ssh:42"}`)
	if status != http.StatusOK || json.Unmarshal([]byte(body), &again) != nil || again.ID != first.ID {
		t.Errorf("again: %d %s", status, body)
	}
	if n := p.viewers(); n != 1 {
		t.Errorf("%d are held for who opened it over REST; want one", n)
	}
	h.web.Close()
	if n := p.viewers(); n != 0 {
		t.Errorf("%d are held behind the end", n)
	}
}

func TestASourcesSessionIsKickedAndTheAnswerIsTold(t *testing.T) {
	h, _ := withPlant(t)
	var sum session.Summary
	_, body := h.do("vera", "POST", "/api/v1/sources/open", `{"session":"ssh:42"}`)
	check(t, json.Unmarshal([]byte(body), &sum))
	h.refused("vera", "POST", "/api/v1/sources/kick", `{"session":"ssh:42"}`, 403, "operator")
	const kicked = `{"session":"ssh:42","code":3,"message":"会话已结束！","meaning":"the session was ended by a kick"}`
	if status, body := h.do("otto", "POST", "/api/v1/sources/kick", `{"session":"ssh:42","reason":"r"}`); status != 200 ||
		strings.TrimSpace(body) != kicked {
		t.Errorf("got %d %s; want %s", status, body, kicked)
	}
	if status, body := h.do("otto", "POST", "/api/v1/sources/kick", `{"session":"ssh:42"}`); status != 200 ||
		!strings.Contains(body, `"code":5`) {
		t.Errorf("again: %d %s", status, body)
	}
	_, body = h.do("vera", "POST", "/api/v1/sources/open", `{"session":"ssh:43"}`)
	check(t, json.Unmarshal([]byte(body), &sum))
	var answer struct {
		ID      session.ID
		Cause   session.Cause
		By      string
		Code    int
		Message string
	}
	status, body := h.do("otto", "POST", sessionPath(sum.ID, "/kick"), `{"reason":"r"}`)
	check(t, json.Unmarshal([]byte(body), &answer))
	if status != 200 || answer.ID != sum.ID || answer.Cause != session.Kicked || answer.By != "otto" || answer.Code != 3 ||
		answer.Message != threeend.OverMessage {
		t.Errorf("by id: %d %s", status, body)
	}
	h.refused("otto", "POST", sessionPath(sum.ID, "/kick"), "", http.StatusConflict, "not live")
}

func TestWhatASourceDoesNotShowIsToldWithItsCode(t *testing.T) {
	h, _ := withPlant(t)
	for ref, want := range map[string]int{"ssh:1": 404, "ssh:7": 502, "ssh:9": 503, "vnc:1": 409, "rdp:1": 404, "": 400, "ssh": 400,
		"ssh:": 400, "/ssh:1": 400, "ssh:\x01": 400} {
		body := string(session.JSON(map[string]string{"session": ref}))
		status, text := h.do("vera", "POST", "/api/v1/sources/open", body)
		var said struct {
			Error, Message, Meaning string
			Code                    int
		}
		check(t, json.Unmarshal([]byte(text), &said))
		told := ref == "ssh:1" || ref == "ssh:7"
		if status != want || said.Error == "" || (said.Code == 5 && said.Message == "会话已结束！" && said.Meaning != "") != told ||
			(said.Code != 0) != told {
			t.Errorf("%q: %d %s; want %d", ref, status, text, want)
		}
	}
	for _, body := range []string{"", "[]", `{"session":5}`, `{"session":"ssh:1","x":1}`, `{"session":"ssh:1"}x`} {
		h.refused("vera", "POST", "/api/v1/sources/open", body, 400, "body")
	}
	h.refused("otto", "POST", "/api/v1/sources/kick", `{"session":"ssh:1","reason":"`+strings.Repeat("x", 1001)+`"}`, 400, "1000")
	open(t).refused("vera", "POST", "/api/v1/sources/open", `{"session":"ssh:1"}`, 404, "none is configured")
}
