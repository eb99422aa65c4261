// The example as it runs: a node with examples/classic.yaml, the example's program beside it, and pages in a real
// browser.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard"
)

const (
	welcome  = "你上线了"
	announce = "你的朋友上线了"

	limit = 15 * time.Second // of each wait
)

// client is the library that the page loads.
const client = "node_modules/socket.io-client/dist/socket.io.min.js"

var port = regexp.MustCompile(`:\d+(/|$)`)

// startNode runs a node with examples/classic.yaml on free ports. Change may be nil.
func startNode(t *testing.T, data string, change func(*switchboard.ListenerConfig)) *switchboard.Switchboard {
	t.Helper()
	conf, err := switchboard.LoadConfig("../classic.yaml")
	if err != nil {
		t.Fatal(err)
	}
	conf.Data = data
	conf.HTTP.Listen = port.ReplaceAllString(conf.HTTP.Listen, ":0$1")
	for i := range conf.Listeners {
		l := &conf.Listeners[i]
		l.Listen = port.ReplaceAllString(l.Listen, ":0$1")
		if change != nil {
			change(l)
		}
	}
	sb, err := switchboard.New(conf, switchboard.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, sb) })
	return sb
}

func stop(t *testing.T, sb *switchboard.Switchboard) {
	if err := sb.Close(); err != nil {
		t.Error(err)
	}
}

// program is the example's own, which serves the page and is a member over TCP.
type program struct {
	t       *testing.T
	url     *url.URL
	stdin   io.Writer
	printed <-chan string
}

func startProgram(t *testing.T, sb *switchboard.Switchboard) *program {
	t.Helper()
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	printed := make(chan string, 1000)
	ended := make(chan error, 1)
	go func() {
		ended <- run("127.0.0.1:0", sb.Addr("page-tcp").String(), client, in, out)
		out.Close()
	}()
	go func() { // ends with the program
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			printed <- lines.Text()
		}
		close(printed)
	}()
	t.Cleanup(func() {
		stop(t, sb)
		stdin.Close()
		if err := <-ended; !strings.Contains(err.Error(), "the room ended the TCP line") {
			t.Errorf("the program ended: %v; want the TCP line's end", err)
		}
	})
	p := &program{t: t, stdin: stdin, printed: printed}
	_, rest, _ := strings.Cut(p.line(), "The page is at ")
	at, _, _ := strings.Cut(rest, ";")
	var err error
	if p.url, err = url.Parse(at); err != nil || p.url.Host == "" {
		t.Fatalf("the program says that the page is at %q: %v", at, err)
	}
	p.prints(welcome)
	return p
}

func (p *program) line() string {
	p.t.Helper()
	select {
	case line := <-p.printed:
		return line
	case <-time.After(limit):
		p.t.Fatal("the program prints nothing")
		return ""
	}
}

// prints waits for the next line, which has the time before it.
func (p *program) prints(want string) {
	p.t.Helper()
	if _, got, _ := strings.Cut(p.line(), "  "); got != want {
		p.t.Fatalf("the program prints %q; want %q", got, want)
	}
}

// sees reads what the program prints up to a text.
func (p *program) sees(want string) {
	p.t.Helper()
	for got := ""; got != want; {
		_, got, _ = strings.Cut(p.line(), "  ")
	}
}

func (p *program) types(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, text+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// page is the page's address for who comes to a server from a host.
func (p *program) page(host, server string) string {
	u := *p.url
	u.Host = cmp.Or(host, u.Hostname()) + ":" + u.Port()
	u.RawQuery = url.Values{"server": {server}}.Encode()
	return u.String()
}

func TestMembersOnThePageAndOnTCPHearEachOther(t *testing.T) {
	sb := startNode(t, t.TempDir(), nil)
	tcp := startProgram(t, sb)

	ada := open(t, "Ada", tcp.page("", sb.URL()), "en-US")
	ada.sees(welcome)
	ada.state("^connected by websocket$")
	tcp.prints(announce)

	bo := open(t, "Bo", tcp.page("localhost", sb.URL()), "zh-CN")
	bo.sees(welcome)
	bo.state("^已连接（websocket）$")
	ada.sees(announce)
	tcp.prints(announce)

	ada.say("good morning")
	bo.sees("good morning")
	tcp.prints("good morning")

	bo.say("早上好 <b>&amp;</b>")
	ada.sees("早上好 <b>&amp;</b>")
	tcp.prints("早上好 <b>&amp;</b>")

	tcp.types("hello from a socket, 你好")
	ada.sees("hello from a socket, 你好")
	bo.sees("hello from a socket, 你好")

	ada.emit("clientmessage", map[string]any{"colour": "red", "list": []int{1, 2}, "text": "an object"})
	bo.hears(`["message",{"colour":"red","list":[1,2],"text":"an object"}]`)
	tcp.prints("an object")
	bo.say("the end") // what comes before it has come
	ada.sees("the end")
	tcp.prints("the end")

	ada.shows(welcome, announce, "good morning", "早上好 <b>&amp;</b>", "hello from a socket, 你好", "the end")
	bo.shows(welcome, "good morning", "早上好 <b>&amp;</b>", "hello from a socket, 你好", "an object", "the end")
	shots(t, "en", ada)
	shots(t, "zh", bo)
}

// shots takes pictures of a page into the folder that SWITCHBOARD_SCREENSHOTS names, if it does.
func shots(t *testing.T, name string, p *tab) {
	t.Helper()
	folder := os.Getenv("SWITCHBOARD_SCREENSHOTS")
	if folder == "" {
		return
	}
	for _, scheme := range []string{"light", "dark"} {
		p.do(command{Command: "shot", Path: filepath.Join(folder, name+"-"+scheme+"-wide.png"), Width: 1200, Scheme: scheme})
		p.do(command{Command: "shot", Path: filepath.Join(folder, name+"-"+scheme+"-narrow.png"), Width: 360, Scheme: scheme})
	}
}

func TestThePageFitsItsWindow(t *testing.T) {
	sb := startNode(t, t.TempDir(), nil)
	tcp := startProgram(t, sb)
	for _, locale := range []string{"en-US", "zh-CN"} {
		p := open(t, locale, tcp.page("", sb.URL()), locale)
		p.state("websocket")
		for range 30 {
			say(t, sb, "多个字节的文字 and "+strings.Repeat("long", 40))
		}
		say(t, sb, "last")
		p.sees("last")
		p.fits(360)
		p.fits(1200)
		shots(t, "full-"+locale, p)
	}
}

// rest asks the node as its administrator.
func rest(t *testing.T, sb *switchboard.Switchboard, method, path, body string, answer any) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(sb.Data(), "token"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, sb.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+string(bytes.TrimSpace(token)))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s answers %s: %s %v", method, path, resp.Status, got, err)
	}
	if err := json.Unmarshal(got, answer); err != nil {
		t.Fatal(err)
	}
}

// say says something to the room, in nobody's name.
func say(t *testing.T, sb *switchboard.Switchboard, text string) {
	t.Helper()
	rest(t, sb, "POST", "/api/v1/rooms/classic/say", text, new(any))
}

// kick ends the session of who came last.
func kick(t *testing.T, sb *switchboard.Switchboard, reason string) {
	t.Helper()
	var room struct {
		Present []struct{ Session, Transport string }
	}
	rest(t, sb, "GET", "/api/v1/rooms/classic", "", &room)
	last := room.Present[len(room.Present)-1]
	if last.Transport != "socketio" {
		t.Fatalf("the last of %v is no page", room.Present)
	}
	body, _ := json.Marshal(map[string]string{"reason": reason})
	rest(t, sb, "POST", "/api/v1/sessions/"+last.Session+"/kick", string(body), new(any))
}

func TestAKickTellsThePageWhy(t *testing.T) {
	sb := startNode(t, t.TempDir(), nil)
	tcp := startProgram(t, sb)
	for _, c := range []struct{ name, locale, connected, reason, ended string }{
		{"Ada", "en-US", "^connected by websocket$", "maintenance", "^ended: kicked: maintenance$"},
		{"Bo", "zh-CN", "^已连接（websocket）$", "维护", "^已结束：kicked: 维护$"},
	} {
		p := open(t, c.name, tcp.page("", sb.URL()), c.locale)
		p.state(c.connected)
		p.sees(welcome)
		kick(t, sb, c.reason)
		p.ended(c.ended)
		p.shows(welcome)
		shots(t, "ended-"+c.locale, p)
	}
}

func TestAPageThatLostItsLineMissesNothing(t *testing.T) {
	sb := startNode(t, t.TempDir(), nil)
	tcp := startProgram(t, sb)
	line := startProxy(t, hostOf(sb))

	ada := open(t, "Ada", tcp.page("", line.url()), "en-US")
	ada.state("^connected by websocket$")
	bo := open(t, "Bo", tcp.page("", sb.URL()), "zh-CN")
	bo.state("websocket")
	bo.say("before")
	ada.sees("before")

	ada.errors = lineErrors
	line.cut()
	ada.state("^not connected: ")
	shots(t, "lost", ada)
	bo.say("meanwhile")
	tcp.sees("meanwhile") // so that it comes first
	tcp.types("meanwhile, by TCP")
	bo.sees("meanwhile, by TCP")
	line.mend(hostOf(sb))
	ada.state("^connected again; nothing was missed$")
	ada.upgraded()
	ada.state("^connected again; nothing was missed$") // it stays
	shots(t, "recovered", ada)
	bo.say("after")
	ada.sees("after")
	ada.shows(welcome, announce, "before", "meanwhile", "meanwhile, by TCP", "after")
	bo.shows(welcome, "before", "meanwhile", "meanwhile, by TCP", "after")
}

// lineErrors are those of a browser whose connections end.
var lineErrors = regexp.MustCompile(
	`net::ERR_(CONNECTION_(CLOSED|RESET|REFUSED|ABORTED)|SOCKET_NOT_CONNECTED|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING)|WebSocket connection to .* failed`)

func hostOf(sb *switchboard.Switchboard) string { return strings.TrimPrefix(sb.URL(), "http://") }

func TestAPageComesBackToARestartedServer(t *testing.T) {
	data := t.TempDir()
	sb := startNode(t, data, nil)
	tcp := startProgram(t, sb)
	line := startProxy(t, hostOf(sb))
	ada := open(t, "Ada", tcp.page("", line.url()), "en-US")
	ada.state("^connected by websocket$")
	ada.sees(welcome)

	// While a server stops, what is asked of it may be refused as well.
	ada.errors = regexp.MustCompile(lineErrors.String() + `|blocked by CORS policy|net::ERR_FAILED|status of (404|503)`)
	stop(t, sb)
	ada.state("^(not connected|ended): ")
	line.cut()
	again := startNode(t, data, nil)
	line.mend(hostOf(again))
	ada.state("^connected by websocket$")
	say(t, again, "welcome back")
	ada.sees("welcome back")
	ada.shows(welcome, welcome, "welcome back")
}

func TestAPageOfAForeignOriginIsRefused(t *testing.T) {
	sb := startNode(t, t.TempDir(), func(l *switchboard.ListenerConfig) {
		if l.Origins != nil {
			l.Origins = []string{"http://127.0.0.1:*"}
		}
	})
	tcp := startProgram(t, sb)
	foreign := open(t, "a stranger", tcp.page("localhost", sb.URL()), "en-US")
	foreign.errors = regexp.MustCompile(`blocked by CORS policy|net::ERR_FAILED|WebSocket connection to .* failed|403`)
	foreign.state("^not connected: ")
	foreign.shows()

	ada := open(t, "Ada", tcp.page("", sb.URL()), "en-US")
	ada.sees(welcome)
	tcp.prints(announce) // and not before
}
