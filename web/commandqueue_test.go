package web_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/command"
	"github.com/switchboard-relay/switchboard/device"
	framing "github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/web"
)

var _ web.Commands = (*command.Queue)(nil)

const commandsPath = "/api/v1/commands"

// withCommands is a house that has commands.
func withCommands(t *testing.T) (*house, *command.Queue) {
	t.Helper()
	q, err := command.Open(command.Options{Path: filepath.Join(t.TempDir(), "commands.db")})
	check(t, err)
	t.Cleanup(func() { q.Close() })
	return open(t, func(o *web.Options) { o.Commands = q }), q
}

// tracker is a device's connection, which is a Peer at its other end.
type tracker struct {
	t    *testing.T
	name string
	id   session.ID
	conn net.Conn
	far  *bufio.Reader
}

func (p *tracker) Fleet() string       { return "cars" }
func (p *tracker) Name() string        { return p.name }
func (p *tracker) Session() session.ID { return p.id }
func (p *tracker) Send(b []byte) error { _, err := p.conn.Write(b); return err }

func connectTracker(t *testing.T, q *command.Queue, name string) *tracker {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer ln.Close()
	far, err := net.Dial("tcp", ln.Addr().String())
	check(t, err)
	near, err := ln.Accept()
	check(t, err)
	p := &tracker{t: t, name: name, id: session.NewID("n1"), conn: near, far: bufio.NewReader(far)}
	t.Cleanup(func() {
		far.Close()
		near.Close()
	})
	q.Online(p)
	return p
}

func (p *tracker) gets(want string) {
	p.t.Helper()
	if line, err := p.far.ReadString('\n'); err != nil || line != want {
		p.t.Fatalf("the device got %q, %v; want %q", line, err, want)
	}
}

func commandOf(t *testing.T, body string) (c device.Command) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return c
}

func TestACommandOverREST(t *testing.T) {
	h, q := withCommands(t)
	body := `{"fleet":"cars","name":"8601","data":"lock\n","id":"order/7","ack":{"by":"pattern","pattern":"^ok"}}`
	status, answer := h.do("otto", "POST", commandsPath, body)
	if c := commandOf(t, answer); status != 201 || c.State != device.Queued || c.By != "otto" || string(c.Data) != "lock\n" {
		t.Fatalf("asked: %d %s", status, answer)
	}
	if status, answer = h.do("otto", "POST", commandsPath, body); status != 200 {
		t.Errorf("the same again: %d %s; want 200", status, answer)
	}
	status, answer = h.do("vera", "GET", commandsPath+"/order%2F7?wait=20ms", "")
	if c := commandOf(t, answer); status != 200 || c.State != device.Queued {
		t.Errorf("behind a short wait: %d %s", status, answer)
	}
	p := connectTracker(t, q, "8601")
	p.gets("lock\n")
	waited := h.doLater("vera", "GET", commandsPath+"/order%2F7?wait=50s&fleet=cars&name=8601", "")
	q.Heard(p, &framing.Message{Data: []byte("ok, locked")})
	if got := <-waited; got.status != 200 || commandOf(t, got.body).State != device.Acknowledged || string(commandOf(t, got.body).Answer) != "ok, locked" {
		t.Errorf("in the end: %d %s", got.status, got.body)
	}
	status, answer = h.do("otto", "POST", commandsPath+"/order%2F7/resend", "")
	again := commandOf(t, answer)
	if status != 201 || again.ResendOf != "order/7" || again.ID == "order/7" {
		t.Errorf("again: %d %s", status, answer)
	}
	p.gets("lock\n")
	var list struct{ Commands []device.Command }
	h.get(commandsPath+"?fleet=cars&name=8601&limit=1", &list)
	if len(list.Commands) != 1 || list.Commands[0].ID != again.ID {
		t.Errorf("the newest: %+v; want %s", list, again.ID)
	}
	h.get(commandsPath+"?state=acknowledged", &list)
	if len(list.Commands) != 1 || list.Commands[0].ID != "order/7" {
		t.Errorf("those that were acknowledged: %+v", list)
	}
	if _, text := h.do("vera", "GET", "/metrics", ""); !strings.Contains(text, "switchboard_commands_kept 2\n") {
		t.Error("the metrics do not tell of 2 commands")
	}
}

func TestACommandIsCancelledOverREST(t *testing.T) {
	h, _ := withCommands(t)
	_, answer := h.do("otto", "POST", commandsPath, `{"fleet":"cars","name":"8601","data":"no"}`)
	path := commandsPath + "/" + commandOf(t, answer).ID
	if status, answer := h.do("otto", "POST", path+"/cancel", ""); status != 200 || commandOf(t, answer).State != device.Cancelled {
		t.Errorf("cancel: %d %s", status, answer)
	}
	h.refused("otto", "POST", path+"/cancel?force=1", "", 400, "force")
	_, answer = h.do("otto", "POST", path+"/resend", "")
	h.refused("otto", "POST", commandsPath+"/"+commandOf(t, answer).ID+"/resend", "", 409, "only one that is over")
}

func TestCommandsThatCannotBeAreRefusedOverREST(t *testing.T) {
	h, _ := withCommands(t)
	for _, test := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"POST", "", `{"fleet":"cars","name":"8601","data":"x","priority":1}`, 400, `there is no key "priority"`},
		{"POST", "", `{"fleet":"cars","name":"8601","data":"7","encoding":"hex"}`, 400, "two digits"},
		{"POST", "", `{"name":"8601","data":"x"}`, 400, "fleet is missing"},
		{"POST", "", `{"fleet":"cars","name":"8601","data":"other","id":"1"}`, 409, "other data"},
		{"GET", "/nobody", "", 404, "nobody"},
		{"GET", "/1?wait=1h", "", 400, "at most 50s"},
		{"GET", "/1", "", 409, "several devices"},
		{"POST", "/nobody/cancel", "", 404, "nobody"},
		{"GET", "?state=sent", "", 400, "queued"},
		{"GET", "?limit=0", "", 400, "from 1 to 1000"},
		{"GET", "?limit=1001", "", 400, "from 1 to 1000"},
		{"GET", "?device=1", "", 400, "fleet, name, state, limit"},
	} {
		for _, name := range []string{"8601", "8602"} { // two of one id
			h.do("otto", "POST", commandsPath, fmt.Sprintf(`{"fleet":"cars","name":%q,"data":"x","id":"1"}`, name))
		}
		h.refused("otto", test.method, commandsPath+test.path, test.body, test.status, test.says)
	}
	h.refused("vera", "POST", commandsPath, `{}`, 403, "operator")
	h.refused("vera", "POST", commandsPath+"/1/cancel", ``, 403, "operator")
	h.refused("vera", "POST", commandsPath+"/1/resend", ``, 403, "operator")
	open(t).refused("otto", "POST", commandsPath, `{}`, 503, "no commands")
}

func TestOnlySoManyCommandsWaitForADevice(t *testing.T) {
	h, q := withCommands(t)
	for range 20 {
		for range command.MaxWaiting / 20 {
			go q.Add(t.Context(), device.CommandRequest{Fleet: "cars", Name: "8601", Data: []byte(`"x"`)}, "test")
		}
	}
	h.until("1,000 wait", func() bool { return q.Waiting("cars", "8601") == command.MaxWaiting })
	h.refused("otto", "POST", commandsPath, `{"fleet":"cars","name":"8601","data":"x"}`, http.StatusTooManyRequests, "1000 of 8601 wait already")
}

func TestACommandOverTheConsolesEvents(t *testing.T) {
	h, q := withCommands(t)
	p := connectTracker(t, q, "8601")
	page := h.look("otto")
	var c device.Command
	page.ask("command", `{"fleet":"cars","name":"8601","data":"6C 0a","encoding":"hex","id":"1"}`, &c)
	if c.ID != "1" || c.By != "otto" || string(c.Data) != "l\n" || c.Fleet != "cars" {
		t.Errorf("got %+v", c)
	}
	p.gets("l\n")
	page.refused("command", `{"fleet":"cars","name":"8601","data":"x","urgent":true}`, 400, `there is no key "urgent"`)
	h.look("vera").refused("command", `{"fleet":"cars","name":"8601","data":"x"}`, 403, "commands need operator")
	if _, err := q.Get(t.Context(), command.Ref{ID: "2"}); !errors.Is(err, command.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
