package switchboard_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/frame"
)

// dialWeb connects as the web server.
func dialWeb(t *testing.T, addr net.Addr) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() { c.Close() })
	return c, bufio.NewReader(c)
}

func expectLine(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	if got, err := r.ReadString('\n'); err != nil || got != want+"\n" {
		t.Fatalf("got %q, %v; want %s", got, err, want)
	}
}

var devicesListener = switchboard.ListenerConfig{Name: "devices", Listen: "tcp://127.0.0.1:0", Service: "device",
	Device: &switchboard.DeviceConfig{Frame: frame.FramerSpecs{{Preset: "etung"}}, WebServer: []string{"127.0.0.2"}}}

func TestTheWebServerIsToldEveryMessageOfEveryDevice(t *testing.T) {
	sb := start(t, t.TempDir(), devicesListener)
	addr := sb.Addr("devices")
	early := dial(t, "tcp", addr)
	io.WriteString(early, "ETUNG:861\n") // before there is a web server
	sessionsNamed(t, sb, "861")
	_, link := dialWeb(t, addr)
	expectLine(t, link, `{"data":{"type":"Buffer","data":[69,84,85,78,71,58,56,54,49,10]},"connections":1,"imei":"861"}`)
	c := dial(t, "tcp", addr)
	io.WriteString(c, "ETUNG:860\n")
	expectLine(t, link, `{"data":{"type":"Buffer","data":[69,84,85,78,71,58,56,54,48,10]},"connections":2,"imei":"860"}`)
	io.WriteString(c, "hi")
	expectLine(t, link, `{"data":{"type":"Buffer","data":[104,105]},"connections":2,"imei":"860"}`)
	early.Close()
	for sb.Forwards()[0].State != "idle" || devicesOnline(sb) != 1 {
		time.Sleep(time.Millisecond)
	}
	io.WriteString(c, "!")
	expectLine(t, link, `{"data":{"type":"Buffer","data":[33]},"connections":1,"imei":"860"}`)
	nameless := dial(t, "tcp", addr)
	io.WriteString(nameless, "who?")
	expectLine(t, link, `{"data":{"type":"Buffer","data":[119,104,111,63]},"connections":2,"imei":"unknown"}`)
	io.WriteString(nameless, "ETUNG:862\n")
	expectLine(t, link, `{"data":{"type":"Buffer","data":[69,84,85,78,71,58,56,54,50,10]},"connections":2,"imei":"862"}`)
}

func devicesOnline(sb *switchboard.Switchboard) int { return sb.Devices("devices") }

// sessionsNamed waits until a live session has a name.
func sessionsNamed(t *testing.T, sb *switchboard.Switchboard, name string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		for _, sum := range mustList(t, sb, "live") {
			if sum.Name == name {
				return
			}
		}
	}
	t.Fatalf("no session is called %q", name)
}

func TestForwardsComeAndGoAtAReloadAndStandWhenTheyAreToldTo(t *testing.T) {
	got := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var list []struct{ Name, Data string }
		json.NewDecoder(r.Body).Decode(&list)
		for _, m := range list {
			got <- m.Name + ":" + m.Data
		}
	}))
	t.Cleanup(hook.Close)
	sb := start(t, t.TempDir(), devicesListener)
	c := dial(t, "tcp", sb.Addr("devices"))
	io.WriteString(c, "ETUNG:860\n")
	sessionsNamed(t, sb, "860")
	conf := switchboard.Config{Data: sb.Data(), HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"}, Listeners: []switchboard.ListenerConfig{devicesListener},
		Forwards: []switchboard.ForwardConfig{{Name: "hook/", To: hook.URL}}}
	if err := sb.Reload(conf); err == nil || !strings.Contains(err.Error(), "without /") {
		t.Fatalf("got %v", err)
	}
	conf.Forwards[0] = switchboard.ForwardConfig{Name: "hook", To: hook.URL, Encoding: "text"}
	if err := sb.Reload(conf); err != nil {
		t.Fatal(err)
	}
	receive := func(want string) {
		t.Helper()
		select {
		case s := <-got:
			if s != want {
				t.Errorf("got %q, want %q", s, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%q never came; %+v", want, sb.Forwards())
		}
	}
	io.WriteString(c, "one")
	receive("860:one")
	if status, body := post(t, sb, "/api/v1/forwards/hook/pause", ""); status != 200 || !strings.Contains(body, `"stopped"`) {
		t.Errorf("pause: %d %s", status, body)
	}
	io.WriteString(c, "two")
	if status, body := post(t, sb, "/api/v1/forwards/nobody/pause", ""); status != 404 || !strings.Contains(body, "nobody") {
		t.Errorf("pause of one that there is not: %d %s", status, body)
	}
	if status, body := post(t, sb, "/api/v1/forwards/hook/resume", ""); status != 200 {
		t.Errorf("resume: %d %s", status, body)
	}
	receive("860:two")
	conf.Forwards = nil
	if err := sb.Reload(conf); err != nil {
		t.Fatal(err)
	}
	if list := sb.Forwards(); len(list) != 1 || list[0].Name != "devices-web" {
		t.Errorf("got %v, want the web server's alone", names(list))
	}
}

func names(list []device.ForwardStatus) (names []string) {
	for _, f := range list {
		names = append(names, fmt.Sprintf("%s (%s)", f.Name, f.State))
	}
	return names
}
