package switchboard_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/session"
)

// etung is a listener as in the protocol document, section 5.
func etung(change ...func(*switchboard.ListenerConfig)) switchboard.ListenerConfig {
	l := switchboard.ListenerConfig{Name: "devices", Listen: "tcp://127.0.0.1:0", Service: "device",
		Device: &switchboard.DeviceConfig{Frame: frame.FramerSpecs{frame.Named("etung")}, WebServer: []string{"127.0.0.2"}}}
	for _, c := range change {
		c(&l)
	}
	return l
}

// rest asks as the administrator, and decodes the answer.
func rest(t *testing.T, sb *switchboard.Switchboard, method, path string, into any) (status int) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(sb.Data(), "token"))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(method, sb.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if text, isText := into.(*string); isText {
		*text = string(body)
	} else if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, body)
	}
	return resp.StatusCode
}

// deviceOf waits until a device is as it is to be.
func deviceOf(t *testing.T, sb *switchboard.Switchboard, fleet, name string, is func(device.Status) bool) (st device.Status) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if rest(t, sb, "GET", "/api/v1/devices/"+fleet+"/"+url.PathEscape(name), &st) == http.StatusOK && is(st) {
			return st
		}
	}
	t.Fatalf("%s of %s: %+v", name, fleet, st)
	return st
}

func isOnline(st device.Status) bool { return st.State == device.Online && len(st.Sessions) == 1 }

func TestTheWebServerGetsEveryMessageOfEveryDeviceAsTheContractSays(t *testing.T) {
	sb := start(t, t.TempDir(), etung())
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	web, err := dialer.Dial("tcp", sb.Addr("devices").String())
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	web.SetDeadline(time.Now().Add(time.Minute))
	a := dial(t, "tcp", sb.Addr("devices"))
	fmt.Fprint(a, "ETUNG:860111\n")
	expect(t, web, `{"data":{"type":"Buffer","data":[69,84,85,78,71,58,56,54,48,49,49,49,10]},"connections":1,"imei":"860111"}`+"\n")
	b := dial(t, "tcp", sb.Addr("devices"))
	fmt.Fprint(b, "ETUNG:860222#")
	expect(t, web, `{"data":{"type":"Buffer","data":[69,84,85,78,71,58,56,54,48,50,50,50,35]},"connections":2,"imei":"860222"}`+"\n")
	fmt.Fprint(a, "\x00\xff")
	expect(t, web, `{"data":{"type":"Buffer","data":[0,255]},"connections":2,"imei":"860111"}`+"\n")
	b.Close()
	deviceOf(t, sb, "devices", "860222", func(st device.Status) bool { return st.State == device.Offline })
	fmt.Fprint(a, "x")
	expect(t, web, `{"data":{"type":"Buffer","data":[120]},"connections":1,"imei":"860111"}`+"\n")
	c := dial(t, "tcp", sb.Addr("devices"))
	fmt.Fprint(c, "hi")
	expect(t, web, `{"data":{"type":"Buffer","data":[104,105]},"connections":2,"imei":"unknown"}`+"\n")
}

func TestDevicesAndTheirMessagesAreToldOfByREST(t *testing.T) {
	sb := start(t, t.TempDir(), etung())
	c := dial(t, "tcp", sb.Addr("devices"))
	fmt.Fprint(c, "ETUNG:860/333 ü\n")
	st := deviceOf(t, sb, "devices", "860/333 ü", isOnline)
	for i := range 250 {
		fmt.Fprintf(c, "<%d>", i)
		if i%10 == 9 { // so that there are at least 25 messages
			deviceOf(t, sb, "devices", "860/333 ü", func(st device.Status) bool { return st.Received == uint64(17+len(rangeOf(i+1).String())) })
		}
	}
	whole := len("ETUNG:860/333 ü\n") + len(rangeOf(250).String())
	deviceOf(t, sb, "devices", "860/333 ü", func(st device.Status) bool { return st.Received == uint64(whole) })
	type list struct {
		Messages []device.Message `json:"messages"`
		Next     string           `json:"next"`
		Error    string           `json:"error"`
	}
	path := "/api/v1/sessions/" + string(st.Session) + "/messages"
	said := func(l list) (text string) {
		for _, m := range l.Messages {
			text += string(m.Data)
		}
		return text
	}
	var newest, rest1 list
	rest(t, sb, "GET", path+"?limit=10", &newest)
	if len(newest.Messages) > 10 || !strings.HasSuffix(said(newest), "<249>") {
		t.Errorf("the newest: %q", said(newest))
	}
	first := newest.Messages[0]
	rest(t, sb, "GET", fmt.Sprintf("%s?limit=1000&before=%d", path, first.Start), &rest1)
	if got, want := said(rest1)+said(newest), "ETUNG:860/333 ü\n"+rangeOf(250).String(); got != want {
		t.Errorf("what is before and the newest: %q; want %q", got, want)
	}
	if m := rest1.Messages[0]; m.Kind != "registration" || m.Name != "860/333 ü" || m.Framer != "etung" || m.Number != 2 || m.Start != 0 || m.Length != 17 {
		t.Errorf("the first message: %+v", m)
	}
	var all string
	var step list
	for step.Next = ""; ; {
		q := url.Values{"limit": {"7"}, "frame": {"raw"}}
		if step.Next != "" {
			q.Set("after", step.Next)
		} else {
			q.Set("after", "eyJlIjoxLCJwIjp7Im9mZnNldCI6MCwiZnJhbWVyIjowfX0") // the beginning
		}
		next := list{}
		if status := rest(t, sb, "GET", path+"?"+q.Encode(), &next); status != http.StatusOK {
			t.Fatalf("%d %s", status, next.Error)
		}
		all += said(next)
		if step = next; len(step.Messages) == 0 {
			break
		}
	}
	if want := "ETUNG:860/333 ü\n" + rangeOf(250).String(); all != want {
		t.Errorf("step by step: %q; want %q", all, want)
	}
	fmt.Fprint(c, "more")
	deviceOf(t, sb, "devices", "860/333 ü", func(st device.Status) bool { return st.Received == uint64(whole+4) })
	var behind list
	rest(t, sb, "GET", path+"?after="+newest.Next, &behind)
	if said(behind) != "more" {
		t.Errorf("behind the newest: %q; want more", said(behind))
	}
	for query, want := range map[string]string{"frame=gt007": "gt007", "after=x": "next", "limit=0": "limit", "when=now": "when", "before=x": "before"} {
		if status := rest(t, sb, "GET", path+"?"+query, &behind); status != http.StatusBadRequest || !strings.Contains(behind.Error, want) {
			t.Errorf("%s: %d %s", query, status, behind.Error)
		}
	}
	var sessions []session.Summary
	if rest(t, sb, "GET", "/api/v1/sessions", &sessions); len(sessions) != 1 || sessions[0].Frame != "" || sessions[0].Fleet != "devices" {
		t.Errorf("the list of sessions: %+v", sessions)
	}
	var kicked struct{ Kicked []struct{ ID session.ID } }
	if status := rest(t, sb, "POST", "/api/v1/devices/devices/"+url.PathEscape("860/333 ü")+"/kick", &kicked); status != http.StatusOK || len(kicked.Kicked) != 1 || kicked.Kicked[0].ID != st.Session {
		t.Errorf("kick: %d %+v", status, kicked)
	}
	deviceOf(t, sb, "devices", "860/333 ü", func(st device.Status) bool { return st.State == device.Offline && st.Cause == "kicked" })
	rest(t, sb, "GET", path+"?limit=1", &newest) // of a recording, whose list does not know how it is cut
	if said(newest) != "more" {
		t.Errorf("of the recording: %q; want more", said(newest))
	}
	var text string
	rest(t, sb, "GET", "/metrics", &text)
	for _, want := range []string{`switchboard_devices_online{fleet="devices"} 0`, `switchboard_device_messages_total{fleet="devices"} `} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// rangeOf reads as <0><1>…, without what fmt would put between.
type rangeOf int

func (n rangeOf) String() string {
	var b strings.Builder
	for i := range int(n) {
		fmt.Fprintf(&b, "<%d>", i)
	}
	return b.String()
}

func TestADeviceIsNamedByItsCertificateOrPort(t *testing.T) {
	server, client := mutual(t)
	sb := start(t, t.TempDir(),
		etung(func(l *switchboard.ListenerConfig) {
			l.Name, l.Listen, l.TLS, l.Device.NameFrom = "certified", "tls://127.0.0.1:0", server, "certificate"
		}),
		etung(func(l *switchboard.ListenerConfig) {
			l.Name, l.Device.NameFrom, l.Device.WebServer = "ports", "port", nil
		}),
		etung(func(l *switchboard.ListenerConfig) {
			l.Name, l.Listen, l.Device.NameFrom, l.Device.WebServer = "addresses", "udp://127.0.0.1:0", "address", nil
		}))
	c, err := tls.Dial("tcp", sb.Addr("certified").String(), client)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	st := deviceOf(t, sb, "certified", "device one", isOnline)
	fmt.Fprint(c, "ETUNG:860444\n") // which is only data here
	deviceOf(t, sb, "certified", "device one", func(now device.Status) bool { return now.Messages == 1 && now.Session == st.Session })
	dial(t, "tcp", sb.Addr("ports"))
	_, port, _ := net.SplitHostPort(sb.Addr("ports").String())
	deviceOf(t, sb, "ports", port, isOnline)
	fmt.Fprint(dial(t, "udp", sb.Addr("addresses")), "x")
	deviceOf(t, sb, "addresses", "127.0.0.1", isOnline)
}

func TestReloadKeepsDevicesAndChangesWhoIsLetIn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "names")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("8605* # by the first order\n")
	listeners := []switchboard.ListenerConfig{etung(func(l *switchboard.ListenerConfig) {
		l.Device.KnownFile, l.Device.Unknown = file, "reject"
	})}
	sb := start(t, t.TempDir(), listeners...)
	conf := switchboard.Config{Data: sb.Data(), HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"}}
	reload := func() {
		t.Helper()
		conf.Listeners = slices.Clone(listeners)
		if err := sb.Reload(conf); err != nil {
			t.Fatal(err)
		}
	}
	a := dial(t, "tcp", sb.Addr("devices"))
	fmt.Fprint(a, "ETUNG:860555\n")
	st := deviceOf(t, sb, "devices", "860555", isOnline)
	if b := dial(t, "tcp", sb.Addr("devices")); true {
		fmt.Fprint(b, "ETUNG:870666\n")
		if n, err := b.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("who is not known is not ended: %d, %v", n, err)
		}
	}
	write("8605*\n870666\n")
	reload()
	fmt.Fprint(dial(t, "tcp", sb.Addr("devices")), "ETUNG:870666\n")
	deviceOf(t, sb, "devices", "870666", isOnline)
	if now := deviceOf(t, sb, "devices", "860555", isOnline); now.Session != st.Session {
		t.Errorf("the connection from before is another now: %s, %s", now.Session, st.Session)
	}
	again := dial(t, "tcp", sb.Addr("devices")) // the device of the service before the reload
	fmt.Fprint(again, "ETUNG:860555\n")
	if n, err := a.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("it was not replaced: %d, %v", n, err)
	}
	web := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	link, err := web.Dial("tcp", sb.Addr("devices").String())
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	sessions(t, sb, session.Live, 3)
	d := *listeners[0].Device
	d.WebServer = nil
	listeners[0].Device = &d
	reload()
	link.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.Copy(io.Discard, link); err != nil {
		t.Errorf("the link of a web server that is none any more: %v", err)
	}
	deviceOf(t, sb, "devices", "870666", isOnline)
	listeners = nil
	reload()
	sessions(t, sb, session.Live, 0)
	deviceOf(t, sb, "devices", "870666", func(st device.Status) bool { return st.State == device.Offline && st.Cause == "shutdown" })
}
