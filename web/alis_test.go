package web_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/foreign"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/terminal"
)

// alisPlayer is a viewer of ALiS, by another library.
type alisPlayer struct {
	t        *testing.T
	conn     io.ReadWriter
	terminal *terminal.Terminal
	begun    int // how often the terminal began
	bytes    int
	exit     int  // the status that was told; -1: none
	over     bool // the stream has ended
}

// play joins as asciinema's player does: with its subprotocols, and of an origin of its own.
func (h *house) play(t *testing.T, token, path string) *alisPlayer {
	t.Helper()
	header := ws.HandshakeHeaderHTTP{"Origin": {"https://pages.example"}}
	if token != "" {
		header["Authorization"] = []string{"Bearer " + token}
	}
	d := ws.Dialer{Header: header, Protocols: []string{"v1.alis", "v2.asciicast", "v3.asciicast", "raw"}}
	conn, early, shake, err := d.Dial(t.Context(), "ws"+strings.TrimPrefix(h.base, "http")+path)
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	if shake.Protocol != export.AlisProtocol {
		t.Fatalf("the protocol is %q", shake.Protocol)
	}
	p := &alisPlayer{t: t, conn: conn, exit: -1}
	if early != nil { // came with the answer
		p.conn = bufio.NewReadWriter(early, bufio.NewWriter(conn))
	}
	if magic, err := p.read(); err != nil || string(magic) != export.AlisMagic {
		t.Fatalf("it begins with %q, %v", magic, err)
	}
	p.next()
	return p
}

func (p *alisPlayer) read() ([]byte, error) {
	message, _, err := wsutil.ReadServerData(p.conn)
	p.bytes += len(message)
	return message, err
}

// next takes a frame.
func (p *alisPlayer) next() error {
	message, err := p.read()
	if err != nil {
		return err
	}
	f, err := export.ParseAlis(message)
	if err != nil {
		p.t.Fatalf("%v: %q", err, message)
	}
	if p.over && f.Kind != export.AlisInit {
		p.t.Errorf("%c behind the end", f.Kind)
	}
	switch f.Kind {
	case export.AlisInit:
		p.terminal = terminal.New(f.Size.Cols, f.Size.Rows)
		p.terminal.Write([]byte(f.Text))
		p.begun++
	case export.AlisOutput:
		p.terminal.Write([]byte(f.Text))
	case export.AlisExit:
		p.exit = int(f.Status)
	case export.AlisEnd:
		p.over = true
	}
	return nil
}

// until takes frames until the terminal shows the text.
func (p *alisPlayer) until(text string) {
	p.t.Helper()
	for !strings.Contains(rows(p.terminal), text) {
		if err := p.next(); err != nil {
			p.t.Fatalf("waiting for %q: %v; shown is %q", text, err, rows(p.terminal))
		}
	}
}

// end takes frames until the connection ends, and returns how.
func (p *alisPlayer) end() wsutil.ClosedError {
	p.t.Helper()
	for {
		if err := p.next(); err != nil {
			var closed wsutil.ClosedError
			if !errors.As(err, &closed) {
				p.t.Fatalf("it ended with %v", err)
			}
			return closed
		}
	}
}

func TestAPlayerOfALiSThatJoinsLateSeesTheScreenAndWhatComes(t *testing.T) {
	h := open(t)
	s := h.shell(session.RecordOn)
	says(t, s, "one\r\n\x1b[31mtwo\xe6\xb8")
	p := h.play(t, "vera", sessionPath(s.ID(), "/alis"))
	if got := rows(p.terminal); got != "one|two||" {
		t.Errorf("at first: %q", got)
	}
	says(t, s, "\xa9\r\nthree")
	p.until("two温|three")
	s.Resize(30, 5)
	says(t, s, " four")
	p.until("three four")
	if cols, n := p.terminal.Size(); cols != 30 || n != 5 || p.begun != 2 {
		t.Errorf("resized: %dx%d, begun %d times", cols, n, p.begun)
	}
	three := 3
	s.EndWith(&session.End{Cause: session.Done, Exit: &three})
	if got := p.end(); got.Code != 4000 || !p.over || p.exit != 3 {
		t.Errorf("the end: %v, exit %d, over %v", got, p.exit, p.over)
	}
}

func TestAPlayerOfALiSIsShownARecordingsLastScreenOrAllOfIt(t *testing.T) {
	h := open(t)
	s := h.shell(session.RecordOn)
	says(t, s, "one\r\n\x1b[2J\x1b[Hlast")
	s.End(session.Done, "")
	h.until("it is recorded", func() bool { return len(h.list("state=recorded")) == 1 })
	p := h.play(t, "vera", sessionPath(s.ID(), "/alis"))
	if got := rows(p.terminal); got != "last|||" {
		t.Errorf("at first: %q", got)
	}
	if got := p.end(); got.Code != 4000 || !p.over {
		t.Errorf("the end: %v", got)
	}
	p = h.play(t, "vera", sessionPath(s.ID(), "/alis?from=start&input=true"))
	if got := rows(p.terminal); got != "|||" {
		t.Errorf("at the start: %q", got)
	}
	p.until("last")
	if got := p.end(); got.Code != 4000 || p.begun != 1 {
		t.Errorf("the end: %v", got)
	}
}

func TestAPlayerOfALiSThatReadsSlowlyIsDrawnTheScreenAnew(t *testing.T) {
	h := open(t)
	s := h.shell(session.RecordOn)
	p := h.play(t, "vera", sessionPath(s.ID(), "/alis"))
	const total = 16 << 20
	for n := 0; n < total; n += 1 << 16 {
		says(t, s, "%s", strings.Repeat("0123456789abcde\n", 1<<12))
	}
	says(t, s, "\x1b[H\x1b[2Jdone")
	p.until("done")
	if got := rows(p.terminal); got != "done|||" || p.begun < 2 || p.bytes > total*3/4 {
		t.Errorf("shown is %q; it began %d times, with %d bytes", got, p.begun, p.bytes)
	}
}

func TestAPassLetsAPageLookAtOneSession(t *testing.T) {
	h := open(t)
	s := h.shell(session.RecordOn)
	says(t, s, "hello")
	var pass struct {
		Pass, Alis, Segmented, Picture string
		Expires                        int64
	}
	status, body := h.do("otto", "POST", sessionPath(s.ID(), "/passes"), `{"for": "2h"}`)
	check(t, json.Unmarshal([]byte(body), &pass))
	if left := time.Until(time.UnixMicro(pass.Expires)); status != 200 || left > 2*time.Hour || left < time.Hour {
		t.Fatalf("%d %s", status, body)
	}
	path := strings.TrimPrefix(pass.Alis, "ws"+strings.TrimPrefix(h.base, "http"))
	p := h.play(t, "", path)
	if got := rows(p.terminal); got != "hello|||" {
		t.Errorf("shown is %q", got)
	}
	if status, body := h.do("", "GET", strings.TrimPrefix(pass.Picture, h.base), ""); status != 200 || !strings.Contains(body, ">hello<") {
		t.Errorf("the picture: %d %s", status, body)
	}
	for _, path := range []string{sessionPath(s.ID(), ""), sessionPath(s.ID(), "/export"), "/api/v1/sessions/" + s.ID().Short() + "/alis"} {
		h.refused("", "GET", path+"?pass="+pass.Pass, "", http.StatusUnauthorized, "")
	}
	h.refused("", "GET", sessionPath(s.ID(), "/alis?pass="+pass.Pass[1:]), "", http.StatusUnauthorized, "pass")
	check(t, h.auth.Replace([]auth.Token{{Name: "vera", Role: auth.Viewer, SHA256: auth.Hash("vera")}}))
	h.web.TokensChanged()
	if got := p.end(); got.Code != 4030 {
		t.Errorf("its token is gone: %v", got)
	}
	h.refused("", "GET", path, "", http.StatusUnauthorized, "pass")
}

func TestAPassShowsWhatWasTypedOnlyIfThatWasAskedFor(t *testing.T) {
	h := open(t)
	s := h.shell(session.RecordOn)
	says(t, s, "Password: ")
	check(t, s.RecordReceived([]byte("secret\r")))
	var pass struct{ Alis, Segmented string }
	begin := func(body string) {
		status, answer := h.do("otto", "POST", sessionPath(s.ID(), "/passes"), body)
		if check(t, json.Unmarshal([]byte(answer), &pass)); status != 200 {
			t.Fatalf("%d %s", status, answer)
		}
		pass.Alis = strings.TrimPrefix(pass.Alis, "ws"+strings.TrimPrefix(h.base, "http"))
		pass.Segmented = strings.TrimPrefix(pass.Segmented, h.base)
	}
	begin(`{}`)
	for _, more := range []string{"&input=true", "&input=1", "&input="} {
		h.refused("", "GET", pass.Alis+more, "", http.StatusForbidden, "typed")
		h.refused("", "GET", pass.Segmented+more, "", http.StatusForbidden, "typed")
	}
	h.refused("", "GET", pass.Segmented+"&input=false", "", http.StatusConflict, "live")
	begin(`{"input": true}`)
	s.End(session.Done, "")
	h.until("it is recorded", func() bool { return len(h.list("state=recorded")) == 1 })
	if status, body := h.do("", "GET", pass.Segmented, ""); status != 200 || !strings.Contains(body, "input=true") {
		t.Errorf("with input: %d %s", status, body)
	}
	if h.play(t, "", pass.Alis+"&from=start").end().Code != 4000 {
		t.Error("a pass for all shows nothing")
	}
}

func TestWhatIsNoPlayerOfALiSIsToldWhatToDo(t *testing.T) {
	h := open(t)
	s := h.shell(session.RecordOn)
	for query, says := range map[string]string{"": "v1.alis", "?from=tomorrow": "now or start", "?input=maybe": "true or false",
		"?follow=1": "no parameter"} {
		h.refused("vera", "GET", sessionPath(s.ID(), "/alis"+query), "", http.StatusBadRequest, says)
	}
	for _, body := range []string{`{"for": "1y"}`, `{"for": "31d"}`, `{"for": "-1s"}`, `{"who": 1}`} {
		h.refused("otto", "POST", sessionPath(s.ID(), "/passes"), body, http.StatusBadRequest, "")
	}
	h.refused("vera", "POST", sessionPath(s.ID(), "/passes"), "", http.StatusForbidden, "operator")
	h.refused("vera", "GET", "/api/v1/sessions/none/alis", "", http.StatusNotFound, "none")
}

func TestAllPlayersOfALiSSeeTheSameWheneverTheyJoined(t *testing.T) {
	h := open(t)
	for _, name := range []string{"vim", "resize", "unicode"} {
		file, err := os.Open("../terminal/testdata/" + name + ".cast")
		check(t, err)
		defer file.Close()
		tape, err := foreign.Open(file, foreign.Asciicast)
		check(t, err)
		l, err := h.hub.Listener(hub.ListenerConfig{Name: name, Transport: "pipe", Terminal: tape.Header().Size.String(), Record: session.RecordOn}, nil)
		check(t, err)
		s := h.fill(l, 1)[0]
		var players []*alisPlayer
		for i := 0; ; i++ {
			if i%10 == 0 {
				players = append(players, h.play(t, "vera", sessionPath(s.ID(), "/alis")))
			}
			e, err := tape.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			check(t, err)
			switch size, _ := session.ParseSize(string(e.Data)); e.Kind {
			case session.Sent:
				says(t, s, "%s", e.Data[:len(e.Data)/2]) // within sequences and characters as well
				says(t, s, "%s", e.Data[len(e.Data)/2:])
			case session.Resized:
				s.Resize(size.Cols, size.Rows)
			}
		}
		s.End(session.Done, "")
		h.until("it is recorded", func() bool { return h.one(s.ID()).State == session.Recorded })
		shown, err := h.hub.Screen(t.Context(), s.ID(), math.MaxUint64)
		check(t, err)
		want := rows(drawn(shown.Size.Cols, shown.Size.Rows, shown.Data))
		for i, p := range players {
			if p.end(); rows(p.terminal) != want {
				t.Errorf("%s, joined before event %d: %q; want %q", name, 10*i, rows(p.terminal), want)
			}
		}
		if len(players) < 10 {
			t.Errorf("%s: %d players", name, len(players))
		}
	}
}
