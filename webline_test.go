package switchboard_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/session"
)

// page runs a node with the room of the protocol document's section 7, on every transport.
func page(t *testing.T, change func(*switchboard.Config)) *switchboard.Switchboard {
	t.Helper()
	line := func(name, listen string) switchboard.ListenerConfig {
		return switchboard.ListenerConfig{Name: name, Listen: listen, Service: "room", Room: "classic", ExcludeSender: true}
	}
	conf := switchboard.Config{Data: t.TempDir(), HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"},
		Rooms: []switchboard.RoomConfig{{Name: "classic", Field: "text", Welcome: "你上线了", Announce: "你的朋友上线了",
			Events: map[string]string{"clientmessage": "message"}, Presence: true}},
		Listeners: []switchboard.ListenerConfig{line("page", "socketio://127.0.0.1:0"), line("ws", "ws://127.0.0.1:0/ws"),
			line("tcp", "tcp://127.0.0.1:0"), line("udp", "udp://127.0.0.1:0")}}
	if change != nil {
		change(&conf)
	}
	sb, err := switchboard.New(conf, switchboard.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return sb
}

// socket is a WebSocket of a client that speaks by hand.
type socket struct {
	net.Conn
	t  *testing.T
	rd io.Reader
}

func websocket(t *testing.T, sb *switchboard.Switchboard, path, origin string) (*socket, error) {
	t.Helper()
	d := ws.Dialer{Timeout: 20 * time.Second}
	if origin != "" {
		d.Header = ws.HandshakeHeaderHTTP{"Origin": {origin}}
	}
	c, rd, _, err := d.Dial(context.Background(), strings.Replace(sb.URL(), "http", "ws", 1)+path)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	s := &socket{Conn: c, t: t, rd: c}
	if rd != nil {
		s.rd = io.MultiReader(io.LimitReader(rd, int64(rd.Buffered())), c)
	}
	return s, nil
}

func mustWebsocket(t *testing.T, sb *switchboard.Switchboard, path string) *socket {
	t.Helper()
	s, err := websocket(t, sb, path, "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// member connects to Socket.IO's main namespace.
func member(t *testing.T, sb *switchboard.Switchboard) *socket {
	t.Helper()
	s := mustWebsocket(t, sb, "/socket.io/?EIO=4&transport=websocket")
	s.say("40")
	for text := s.hear(); !strings.HasPrefix(text, "40{"); text = s.hear() {
	}
	return s
}

func (s *socket) say(text string) {
	s.t.Helper()
	if err := wsutil.WriteClientText(s.Conn, []byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *socket) next() (string, error) {
	b, _, err := wsutil.ReadServerData(struct {
		io.Reader
		io.Writer
	}{s.rd, s.Conn})
	return string(b), err
}

func (s *socket) hear() string {
	s.t.Helper()
	text, err := s.next()
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// event reads an event, less the offset behind its arguments.
func (s *socket) event(want string) {
	s.t.Helper()
	text := s.hear()
	var list []json.RawMessage
	if !strings.HasPrefix(text, "42") || json.Unmarshal([]byte(text[2:]), &list) != nil || len(list) < 2 {
		s.t.Fatalf("got %q; want the event %s", text, want)
	}
	got, _ := json.Marshal(list[:len(list)-1])
	if string(got) != want {
		s.t.Fatalf("got %s; want %s", got, want)
	}
}

// skip reads events until one of the name comes.
func (s *socket) skip(name string) string {
	s.t.Helper()
	for {
		if text := s.hear(); strings.HasPrefix(text, `42["`+name+`"`) {
			return text
		}
	}
}

// newcomer reads that somebody joined, and the announcement of that: the one is a member's presence, the other what its
// line says, and either may be first. Who, if it is given, is what the presence tells.
func (s *socket) newcomer(who string) {
	s.t.Helper()
	joined, announced := false, false
	for !joined || !announced {
		switch text := s.hear(); {
		case strings.Contains(text, "你的朋友上线了"):
			announced = true
		case strings.HasPrefix(text, `42["joined",`):
			if joined = true; !strings.Contains(text, who) {
				s.t.Fatalf("got %s; want %s", text, who)
			}
		default:
			s.t.Fatalf("got %s; want that somebody joined, and the announcement", text)
		}
	}
}

// until reads messages until one comes.
func (s *socket) until(want string) {
	s.t.Helper()
	for got := ""; got != want; got = s.hear() {
	}
}

func TestMembersOnEveryTransportHearEachOther(t *testing.T) {
	sb := page(t, nil)
	io1 := member(t, sb)
	io1.event(`["message",{"text":"你上线了"}]`)
	presence(t, sb, "socketio") // a page is welcomed before it is a member, and the others are told of it
	plain := mustWebsocket(t, sb, "/ws")
	if got := plain.hear(); got != "你上线了" {
		t.Fatalf("a WebSocket is welcomed by %q", got)
	}
	io1.newcomer("")
	tcp := dial(t, "tcp", sb.Addr("tcp"))
	expect(t, tcp, "你上线了\n")
	io1.newcomer(presence(t, sb, "tcp"))
	plain.until("你的朋友上线了")
	udp := dial(t, "udp", sb.Addr("udp"))
	if _, err := udp.Write([]byte("a datagram 数据报")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if n, err := udp.Read(buf); err != nil || string(buf[:n]) != "你上线了" {
		t.Fatalf("got %q, %v", buf[:n], err)
	}
	io1.newcomer("")
	io1.event(`["message",{"text":"a datagram 数据报"}]`)
	stream := bufio.NewReader(tcp)
	readUntil(t, stream, "a datagram 数据报")
	plain.until("a datagram 数据报") // the first page's own announcement may be among those before
	io1.say(`427["clientmessage",{"text":"from <a> page","colour":"red"}]`)
	if got := io1.hear(); got != "437[]" {
		t.Errorf("what a member says is answered by %q", got)
	}
	readUntil(t, stream, "from <a> page\n")
	if n, err := udp.Read(buf); err != nil || string(buf[:n]) != "from <a> page" {
		t.Fatalf("got %q, %v", buf[:n], err)
	}
	plain.until("from <a> page")
	io2 := member(t, sb)
	io1.newcomer("")
	plain.say("from a WebSocket")
	if got := io2.skip("message"); !strings.Contains(got, "你上线了") {
		t.Errorf("the second page is welcomed by %s", got)
	}
	io1.event(`["message",{"text":"from a WebSocket"}]`)
	tcp.Write([]byte("one line\r\n"))
	io1.event(`["message",{"text":"one line"}]`)
	io2.say(`42["clientmessage",{"text":"an object","keeps":["its",{"fields":1}]}]`)
	io1.event(`["message",{"text":"an object","keeps":["its",{"fields":1}]}]`)
	io2.Close()
	tcp.Close()
	io1.skip("left")
}

// readUntil reads a stream up to the end of a text.
func readUntil(t *testing.T, r io.ByteReader, end string) {
	t.Helper()
	for got := ""; !strings.HasSuffix(got, end); {
		c, err := r.ReadByte()
		if err != nil {
			t.Fatalf("%v behind %q; want %q", err, got, end)
		}
		got += string([]byte{c})
	}
}

// presence is what a member on a line is told to be.
func presence(t *testing.T, sb *switchboard.Switchboard, listener string) string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, r := range sb.Rooms() {
			for _, p := range r.Present() {
				if p.Transport == listener {
					return string(session.JSON(p))
				}
			}
		}
	}
	t.Fatalf("nobody on %s is in the room", listener)
	return ""
}

func TestASocketIOConnectionIsASession(t *testing.T) {
	sb := page(t, nil)
	m := member(t, sb)
	m.skip("message")
	tcp := dial(t, "tcp", sb.Addr("tcp"))
	expect(t, tcp, "你上线了\n")
	m.skip("message")
	tcp.Write([]byte("hello\n"))
	m.skip("message")
	m.say(`42["clientmessage",{"text":"hi"}]`)
	lines := bufio.NewScanner(tcp)
	for lines.Scan() && lines.Text() != "hi" { // the page's own announcement may come before
	}
	var id session.ID
	for _, s := range sessions(t, sb, session.Live, 2) {
		if s.Transport == "socketio" {
			id = s.ID
			if s.Listener != "page" || s.Service != "room" || s.Remote != m.LocalAddr().String() {
				t.Errorf("the session is %+v", s)
			}
		}
	}
	if err := sb.Hub().Send(context.Background(), id, "ada", []byte("from ada")); err != nil {
		t.Fatal(err)
	}
	m.event(`["message",{"text":"from ada"}]`)
	if err := sb.Hub().Kick(context.Background(), id, "ada", "maintenance"); err != nil {
		t.Fatal(err)
	}
	m.event(`["ended",{"cause":"kicked","by":"ada","reason":"maintenance"}]`)
	if got := m.hear(); got != "41" {
		t.Errorf("after that came %q; want a disconnect", got)
	}
	if text, err := m.next(); err == nil {
		t.Errorf("after that came %q; want the end", text)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		s, err := sb.Hub().Find(context.Background(), string(id))
		if err == nil && s.Cause == session.Kicked && s.By == "ada" && s.Reason == "maintenance" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the session ended as %+v, %v", s, err)
		}
	}
	got := bytesOf(t, sb, id, session.Sent)
	for _, want := range []string{`2["message",{"text":"你上线了"},"`, `2["message",{"text":"你的朋友上线了"}]`,
		`2["message",{"text":"hello"}]`, `2["message",{"text":"from ada"},"`} {
		if !strings.Contains(got, want) {
			t.Errorf("the record of what was sent lacks %s: %s", want, got)
		}
	}
	if strings.Contains(got, `{"text":"hi"}`) {
		t.Errorf("what the member said itself is on record as sent to it: %s", got)
	}
	if got := bytesOf(t, sb, id, session.Received); got != `02["clientmessage",{"text":"hi"}]` {
		t.Errorf("received %s", got)
	}
}

func TestTheRecordOfAMemberShowsWhoCameAndWent(t *testing.T) {
	for _, exclude := range []bool{true, false} {
		sb := page(t, func(c *switchboard.Config) {
			c.Listeners[0].ExcludeSender = exclude
			c.Rooms[0].Welcome, c.Rooms[0].Announce = "", ""
		})
		m := member(t, sb)
		var sent []string
		hear := func(name string) {
			t.Helper()
			for {
				text := m.hear()
				if !strings.HasPrefix(text, `42["`) {
					continue
				}
				var list []json.RawMessage
				if err := json.Unmarshal([]byte(text[2:]), &list); err != nil {
					t.Fatal(err)
				}
				b, _ := json.Marshal(list[:len(list)-1]) // less the offset
				sent = append(sent, "2"+string(b))
				if strings.HasPrefix(text, `42["`+name) {
					return
				}
			}
		}
		if !exclude {
			hear("joined") // itself
		}
		tcp := dial(t, "tcp", sb.Addr("tcp"))
		hear("joined")
		tcp.Write([]byte("hello\n"))
		hear("message")
		tcp.Close()
		hear("left")
		var id session.ID
		for _, s := range sessions(t, sb, session.Live, 1) {
			id = s.ID
		}
		if err := sb.Hub().Kick(context.Background(), id, "ada", ""); err != nil {
			t.Fatal(err)
		}
		for text, err := "", error(nil); err == nil; text, err = m.next() {
			if strings.HasPrefix(text, `42["left"`) {
				t.Errorf("the member is told of its own leaving: %s", text)
			}
		}
		got := bytesOf(t, sb, id, session.Sent)
		if want := strings.Join(sent, ""); !strings.Contains(got, want) {
			t.Errorf("exclude_sender: %v: the record shows\n%s\nwhat came was\n%s", exclude, got, want)
		}
		sum, err := sb.Hub().Find(context.Background(), string(id))
		if shown := strings.Count(got, `2["`); err != nil || int(sum.SentEvents) != shown+2 { // 0{…} and 1
			t.Errorf("%d packets are counted as sent, %v; the record shows %d events, CONNECT and DISCONNECT\n%s",
				sum.SentEvents, err, shown, got)
		}
	}
}

func TestAnUpgradeIsOnRecordAndPollingIsNot(t *testing.T) {
	sb := page(t, nil)
	request := func(method, query, body string) string {
		req, _ := http.NewRequest(method, sb.URL()+"/socket.io/?EIO=4&transport=polling"+query, strings.NewReader(body))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %s %s", method, query, res.Status, b)
		}
		return string(b)
	}
	var open struct{ SID string }
	if err := json.Unmarshal([]byte(request("GET", "", "")[1:]), &open); err != nil {
		t.Fatal(err)
	}
	sid := "&sid=" + open.SID
	request("POST", sid, "40")
	for got := ""; !strings.Contains(got, "你上线了"); {
		got += request("GET", sid, "")
	}
	up := mustWebsocket(t, sb, "/socket.io/?EIO=4&transport=websocket"+sid)
	up.say("2probe")
	if got := up.hear(); got != "3probe" {
		t.Fatalf("got %q", got)
	}
	up.say("5")
	up.say(`421["clientmessage",{"text":"upgraded"}]`)
	for up.hear() != "431[]" {
	}
	id := sessions(t, sb, session.Live, 1)[0].ID
	await(t, sb, id, session.Upgraded)
	up.Close()
	if got := bytesOf(t, sb, id, session.Upgraded); got != "websocket" {
		t.Errorf("the upgrade is on record as %q", got)
	}
	if got := bytesOf(t, sb, id, session.Received); got != `021["clientmessage",{"text":"upgraded"}]` {
		t.Errorf("received %s", got)
	}
}

func TestForeignPagesAndNamesAreRefused(t *testing.T) {
	sb := page(t, func(c *switchboard.Config) {
		c.Listeners[0].Origins = []string{"http://127.0.0.1:*"}
		c.Listeners[1].Origins = []string{"http://127.0.0.1:*"}
	})
	for _, path := range []string{"/ws", "/socket.io/?EIO=4&transport=websocket"} {
		for origin, want := range map[string]bool{"": true, "http://127.0.0.1:5500": true, sb.URL(): true,
			"http://evil.example": false, "https://127.0.0.1:5500": false, "null": false} {
			if _, err := websocket(t, sb, path, origin); (err == nil) != want {
				t.Errorf("%s from %q: %v; want it to connect: %v", path, origin, err, want)
			}
		}
		req, _ := http.NewRequest("GET", sb.URL()+path, nil)
		req.Host = "evil.example"
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		if res.Body.Close(); res.StatusCode != http.StatusForbidden || !bytes.Contains(text, []byte("http.hosts")) {
			t.Errorf("%s under another name: %s %s; want 403, and what to do", path, res.Status, text)
		}
	}
	for _, l := range sb.Hub().Listeners() {
		if l.Transport != "tcp" && l.Transport != "udp" &&
			(l.Refusals["foreign origin"] != 3 || l.Refusals["foreign host"] != 1) {
			t.Errorf("%s counts %v as refused; want 3 of a foreign origin, 1 of a foreign host", l.Name, l.Refusals)
		}
	}
}

func TestBehindAProxyClientsAreKnownByTheirOwnAddresses(t *testing.T) {
	proxied := func(conf *switchboard.Config) {
		conf.HTTP.Hosts, conf.HTTP.Proxies = []string{"chat.example.org"}, []string{"127.0.0.1", "10.0.0.0/8"}
		conf.Listeners[0].SocketIO = &switchboard.SocketIOConfig{MaxPerAddress: 1}
	}
	dial := func(sb *switchboard.Switchboard, path, from string) error {
		d := ws.Dialer{Timeout: 20 * time.Second, Host: "chat.example.org", Header: ws.HandshakeHeaderHTTP{
			"Origin": {"https://chat.example.org"}, "X-Forwarded-For": {from}}}
		c, _, _, err := d.Dial(context.Background(), strings.Replace(sb.URL(), "http", "ws", 1)+path)
		if err == nil {
			t.Cleanup(func() { c.Close() })
		}
		return err
	}
	const socketIO, plain = "/socket.io/?EIO=4&transport=websocket", "/ws"
	sb := page(t, proxied)
	for i, c := range []struct{ path, from, want string }{
		{plain, "203.0.113.7", "203.0.113.7"},
		{socketIO, "6.6.6.6, 203.0.113.7", "203.0.113.7"}, // the client wrote the first itself
		{socketIO, "203.0.113.8:4711, 10.1.2.3", "203.0.113.8"},
		{socketIO, "6.6.6.6, nonsense, 10.1.2.3", "10.1.2.3"},
		{socketIO, "[2001:db8::1]:4711", "2001:db8::1"},
	} {
		if err := dial(sb, c.path, c.from); err != nil {
			t.Fatalf("from %q: %v", c.from, err)
		}
		var got []string
		for _, sum := range sessions(t, sb, session.Live, i+1) {
			got = append(got, sum.Remote)
		}
		if !slices.Contains(got, c.want) {
			t.Errorf("from %q: sessions are of %q; want one of %s", c.from, got, c.want)
		}
	}
	if err := dial(sb, socketIO, "6.6.6.7, 203.0.113.7"); !strings.Contains(fmt.Sprint(err), "429") {
		t.Errorf("a second connection of an address that may have one: %v; want 429", err)
	}

	sb = page(t, func(conf *switchboard.Config) {
		proxied(conf)
		conf.HTTP.Proxies = []string{"10.0.0.0/8"}
	})
	if err := dial(sb, socketIO, "203.0.113.7"); err != nil {
		t.Fatal(err)
	}
	if sum := sessions(t, sb, session.Live, 1)[0]; !strings.HasPrefix(sum.Remote, "127.0.0.1:") {
		t.Errorf("who is no proxy is believed: its session is of %s", sum.Remote)
	}
}

func TestTooManySessionsAreRefusedAsSuch(t *testing.T) {
	sb := page(t, func(c *switchboard.Config) { c.Listeners[0].Max, c.Listeners[1].Max = 1, 1 })
	member(t, sb)
	res, err := http.Get(sb.URL() + "/socket.io/?EIO=4&transport=polling")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable || !bytes.Contains(b, []byte("too many sessions")) {
		t.Errorf("the second is answered by %s %s", res.Status, b)
	}
	mustWebsocket(t, sb, "/ws").hear()
	if _, err := websocket(t, sb, "/ws", ""); !strings.Contains(fmt.Sprint(err), "503") {
		t.Errorf("the second WebSocket: %v; want 503", err)
	}
	for _, l := range sb.Hub().Listeners() {
		if l.Transport == "ws" && (l.Accepted != 1 || l.Refusals["too many sessions"] != 1 || l.Live != 1) {
			t.Errorf("the WebSockets are counted as %+v; want 1 accepted, 1 refused", l)
		}
	}
}

// reachable is an address of this machine that is no loopback address.
func reachable(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	t.Skip("this machine has no address but loopback")
	return ""
}

func TestNamesOfHostsHoldOnEveryAddressOnceTheyAreGiven(t *testing.T) {
	at := reachable(t)
	for _, hosts := range [][]string{nil, {"chat.example.org"}} {
		sb := page(t, func(c *switchboard.Config) {
			c.HTTP.Hosts = hosts
			c.Listeners[1].Listen = "ws://" + at + ":0/ws"
		})
		for host, known := range map[string]bool{"evil.example": hosts == nil, "chat.example.org:80": true, at: true,
			"localhost": true} {
			req, _ := http.NewRequest("GET", "http://"+sb.Addr("ws").String()+"/ws", nil)
			req.Host = host
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if res.Body.Close(); (res.StatusCode != http.StatusForbidden) != known {
				t.Errorf("hosts %v: %s is answered %s; want it known: %v", hosts, host, res.Status, known)
			}
		}
	}
}

// certificate writes a certificate and its key to files.
func certificate(t *testing.T) *switchboard.TLSConfig {
	t.Helper()
	srv := httptest.NewTLSServer(nil)
	srv.Close()
	pair := srv.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return &switchboard.TLSConfig{Cert: write("cert", "CERTIFICATE", pair.Certificate[0]), Key: write("key", "PRIVATE KEY", key)}
}

func TestAListenerWithTLSIsNeverServedInTheClear(t *testing.T) {
	var conf switchboard.Config
	sb := page(t, func(c *switchboard.Config) { conf = *c })
	next := conf
	next.HTTP.Listen = "127.0.0.1:1" // which holds after a restart: REST stays where it is
	next.Listeners = []switchboard.ListenerConfig{{Name: "safe", Listen: "ws://127.0.0.1:0/safe", Service: "room",
		Room: "classic", TLS: certificate(t)}}
	err := sb.Reload(next)
	if err == nil || !strings.Contains(err.Error(), "not the tls of this listener") {
		t.Errorf("Reload: %v; want it to refuse the listener", err)
	}
	if addr := sb.Addr("safe"); addr != nil {
		t.Errorf("it is served at %v", addr)
	}
	if _, err := websocket(t, sb, "/safe", ""); err == nil {
		t.Error("it is served in the clear")
	}
}

func TestARoomIsRecordedAsItsListenersAre(t *testing.T) {
	for _, c := range []struct{ room, first, second, want string }{
		{"", "off", "off", "off"},
		{"", "off", "on", "on"},
		{"on", "off", "off", "on"},
		{"off", "on", "on", "off"},
		{"", "", "on", "on"},
	} {
		sb := page(t, func(conf *switchboard.Config) {
			conf.Rooms[0].Record = c.room
			conf.Listeners = conf.Listeners[2:]
			conf.Listeners[0].Record, conf.Listeners[1].Record = c.first, c.second
		})
		if got := sb.Rooms()[0].Info().Record; string(got) != c.want {
			t.Errorf("room %q of listeners %q and %q is recorded %q; want %q", c.room, c.first, c.second, got, c.want)
		}
	}
}

func TestAWebSocketIsARelaysClientToo(t *testing.T) {
	upstream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer upstream.Close()
	go func() { // ends with the listener
		for {
			c, err := upstream.Accept()
			if err != nil {
				return
			}
			go io.Copy(c, c)
		}
	}()
	sb := start(t, t.TempDir(), switchboard.ListenerConfig{Name: "relay", Listen: "ws://127.0.0.1:0/relay", Service: "relay",
		Upstream: "tcp://" + upstream.Addr().String()},
		switchboard.ListenerConfig{Name: "echo", Listen: "ws://127.0.0.1:0/echo", Service: "echo", Reply: "plain"})
	for _, path := range []string{"/relay", "/echo"} {
		s := mustWebsocket(t, sb, path)
		for _, text := range []string{"hello", "你好", strings.Repeat("long ", 20_000)} {
			s.say(text)
			for got := ""; got != text; {
				if got += s.hear(); !strings.HasPrefix(text, got) {
					t.Fatalf("%s: got %.60q; want %.60q", path, got, text)
				}
			}
		}
	}
}

func TestAReloadChangesAWebLineAndTakesOneAway(t *testing.T) {
	var conf switchboard.Config
	sb := page(t, func(c *switchboard.Config) { conf = *c })
	m := member(t, sb)
	next := conf
	next.Listeners = []switchboard.ListenerConfig{conf.Listeners[0]}
	next.Listeners[0].Idle = "1h" // no reason to disturb anybody
	if err := sb.Reload(next); err != nil {
		t.Fatal(err)
	}
	m.say(`421["clientmessage",{"text":"still here"}]`)
	for m.hear() != "431[]" {
	}
	if _, err := websocket(t, sb, "/ws", ""); err == nil {
		t.Error("a line that was taken out still takes connections")
	}
	next.Listeners = []switchboard.ListenerConfig{conf.Listeners[2]}
	if err := sb.Reload(next); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := m.next(); err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Error("the connection goes on though its line is gone")
			}
			break
		}
	}
	if s := sessions(t, sb, session.Live, 0); len(s) > 0 {
		t.Errorf("%v is live", s)
	}
}
