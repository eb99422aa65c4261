package switchboard_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/session"
)

// trackers are a listener of devices that say lines: the first is their name, which is answered.
func trackers(change ...func(*switchboard.ListenerConfig)) switchboard.ListenerConfig {
	l := switchboard.ListenerConfig{Name: "trackers", Listen: "tcp://127.0.0.1:0", Service: "device", Device: &switchboard.DeviceConfig{
		Frame: frame.FramerSpecs{{Type: "line"}}, Register: &frame.RegisterSpec{Pattern: `LOGIN (?P<name>\w+)`, Reply: "WELCOME\n"},
		ConnectRate: -1}}
	for _, c := range change {
		c(&l)
	}
	return l
}

// tracker is a device: it says its name, and is welcome.
func tracker(t *testing.T, sb *switchboard.Switchboard, listener, name string) net.Conn {
	t.Helper()
	c := dial(t, "tcp", sb.Addr(listener))
	fmt.Fprintf(c, "LOGIN %s\n", name)
	expect(t, c, "WELCOME\n")
	return c
}

// order asks for a command over REST; it must be taken.
func order(t *testing.T, sb *switchboard.Switchboard, body string) device.Command {
	t.Helper()
	status, answer := post(t, sb, "/api/v1/commands", body)
	var c device.Command
	if err := json.Unmarshal([]byte(answer), &c); err != nil || status != http.StatusCreated {
		t.Fatalf("%s: %d %s", body, status, answer)
	}
	return c
}

// get asks REST as the administrator.
func get(t *testing.T, sb *switchboard.Switchboard, path string) (status int, answer string) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(sb.Data(), "token"))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", sb.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// outcome waits until a command is over.
func outcome(t *testing.T, sb *switchboard.Switchboard, id string) (c device.Command) {
	t.Helper()
	status, answer := get(t, sb, "/api/v1/commands/"+id+"?wait=50s")
	if err := json.Unmarshal([]byte(answer), &c); err != nil || status != 200 || !c.State.Over() {
		t.Fatalf("command %s: %d %s, %v", id, status, answer, err)
	}
	return c
}

func TestACommandIsOnTheRecordOfItsDevice(t *testing.T) {
	sb := start(t, t.TempDir(), trackers())
	early := order(t, sb, `{"name":"car1","data":"early\n"}`)
	if status, answer := get(t, sb, "/api/v1/devices/trackers/car1"); status != 404 {
		t.Errorf("a device that never came: %d %s", status, answer)
	}
	c := tracker(t, sb, "trackers", "car1") // its registration is answered first
	expect(t, c, "early\n")
	got := outcome(t, sb, early.ID)
	if got.State != device.Done || got.Fleet != "trackers" || got.Session == "" {
		t.Errorf("it is %+v", got)
	}
	asked := order(t, sb, `{"name":"car1","data":"lock\n","ack":{"by":"pattern","pattern":"^locked$"}}`)
	expect(t, c, "lock\n")
	io.WriteString(c, "speed 0\nlocked\n")
	if got := outcome(t, sb, asked.ID); got.State != device.Acknowledged || string(got.Answer) != "locked" {
		t.Errorf("it is %+v", got)
	}
	c.Close()
	sessions(t, sb, session.Recorded, 1)
	order(t, sb, `{"name":"car1","data":"unlock\n"}`)
	for _, path := range []string{"/api/v1/devices/trackers/car1", "/api/v1/devices"} {
		if status, answer := get(t, sb, path); status != 200 || !strings.Contains(answer, `"waiting":1`) {
			t.Errorf("%s: %d %s; want 1 command that waits", path, status, answer)
		}
	}
	if sent := bytesOf(t, sb, got.Session, session.Sent); sent != "WELCOME\nearly\nlock\n" {
		t.Errorf("the record has %q as sent", sent)
	}
}

func TestARegistrationThatWaitsForTheDiskIsAnsweredBeforeTheFirstCommand(t *testing.T) {
	sb := start(t, t.TempDir(), trackers(func(l *switchboard.ListenerConfig) { l.Device.AckDevice = "after_stored" }))
	for i := range 10 {
		order(t, sb, fmt.Sprintf(`{"name":"car%d","data":"go\n"}`, i))
		expect(t, tracker(t, sb, "trackers", fmt.Sprint("car", i)), "go\n")
	}
}

func TestWhatAListenerSaysOfCommandsHoldsUntilOneSaysOtherwise(t *testing.T) {
	listen := trackers(func(l *switchboard.ListenerConfig) {
		l.Device.Command = switchboard.DeviceCommandConfig{TTL: "2m", Ack: device.AckRule{By: "any", Timeout: "40s"}}
	})
	sb := start(t, t.TempDir(), listen)
	c := order(t, sb, `{"name":"car1","data":"x"}`)
	if c.Expires-c.Created != (2*time.Minute).Microseconds() || c.Ack.By != "any" || c.Ack.Timeout != "40s" {
		t.Errorf("by the listener: %+v", c)
	}
	c = order(t, sb, `{"name":"car1","data":"x","ttl":"3m","ack":"none"}`)
	if c.Expires-c.Created != (3*time.Minute).Microseconds() || c.Ack.By != "none" {
		t.Errorf("by itself: %+v", c)
	}
}

func TestAFleetIsFoundByTheNameOfItsDevice(t *testing.T) {
	second := trackers(func(l *switchboard.ListenerConfig) { l.Name = "meters" })
	sb := start(t, t.TempDir(), trackers(), second)
	tracker(t, sb, "trackers", "car1")
	tracker(t, sb, "meters", "meter1")
	tracker(t, sb, "trackers", "both")
	tracker(t, sb, "meters", "both")
	if c := order(t, sb, `{"name":"meter1","data":"x"}`); c.Fleet != "meters" {
		t.Errorf("meter1 is of %s", c.Fleet)
	}
	for body, want := range map[string]string{
		`{"name":"both","data":"x"}`:                     "several fleets have a device",
		`{"name":"nobody","data":"x"}`:                   "no fleet knows a device",
		`{"name":"car1","data":"x","fleet":"ships"}`:     `there is no fleet \"ships\": there is meters, trackers`,
		`{"name":"unknown","data":"x","fleet":"meters"}`: "nothing can be told",
	} {
		if status, answer := post(t, sb, "/api/v1/commands", body); status != 400 || !strings.Contains(answer, want) {
			t.Errorf("%s: %d %s; want %q", body, status, answer, want)
		}
	}
	if status, answer := post(t, start(t, t.TempDir()), "/api/v1/commands", `{"name":"car1","data":"x"}`); status != 400 || !strings.Contains(answer, "service: device") {
		t.Errorf("without devices: %d %s", status, answer)
	}
}

func TestAnAnswerIsKnownByTheNumberOfItsProtocol(t *testing.T) {
	sb := start(t, t.TempDir(), trackers(func(l *switchboard.ListenerConfig) {
		l.Device = &switchboard.DeviceConfig{Frame: frame.FramerSpecs{{Preset: "modbus-tcp"}}, NameFrom: "address"}
	}))
	c := dial(t, "tcp", sb.Addr("trackers"))
	asked := order(t, sb, `{"name":"127.0.0.1","encoding":"hex","data":"0007 0000 0006 01 03 0000 0001","ack":"sequence"}`)
	expect(t, c, "\x00\x07\x00\x00\x00\x06\x01\x03\x00\x00\x00\x01")
	io.WriteString(c, "\x00\x06\x00\x00\x00\x05\x01\x03\x02\x00\x09") // another's
	io.WriteString(c, "\x00\x07\x00\x00\x00\x05\x01\x03\x02\x00\x2a")
	if got := outcome(t, sb, asked.ID); got.State != device.Acknowledged || !strings.HasSuffix(string(got.Answer), "\x2a") {
		t.Errorf("it is %+v", got)
	}
}

func TestADeviceOverUDPIsToldWhatFitsIntoADatagram(t *testing.T) {
	sb := start(t, t.TempDir(), trackers(func(l *switchboard.ListenerConfig) { l.Listen = "udp://127.0.0.1:0" }))
	c := dial(t, "udp", sb.Addr("trackers"))
	io.WriteString(c, "LOGIN car1\n")
	datagram := make([]byte, 1<<16)
	if n, err := c.Read(datagram); err != nil || string(datagram[:n]) != "WELCOME\n" {
		t.Fatalf("got %q, %v", datagram[:n], err)
	}
	data, _ := json.Marshal(strings.Repeat("x", 64<<10))
	long, short := order(t, sb, fmt.Sprintf(`{"name":"car1","data":%s}`, data)), order(t, sb, `{"name":"car1","data":"lock"}`)
	if got := outcome(t, sb, long.ID); got.State != device.Failed || !strings.Contains(got.Error, "a datagram has at most 65507 bytes") {
		t.Errorf("the long one is %+v", got)
	}
	if n, err := c.Read(datagram); err != nil || string(datagram[:n]) != "lock" {
		t.Errorf("got %d bytes, %v; want the short one", n, err)
	}
	if got := outcome(t, sb, short.ID); got.State != device.Done {
		t.Errorf("the short one is %+v", got)
	}
}

// webServer connects to a listener of devices as the web server does, from another address.
func webServer(t *testing.T, sb *switchboard.Switchboard) (net.Conn, *bufio.Reader) {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.2")}}
	c, err := d.DialContext(t.Context(), "tcp", sb.Addr("trackers").String())
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() { c.Close() })
	return c, bufio.NewReader(c)
}

func linked(l *switchboard.ListenerConfig) { l.Device.WebServer = []string{"127.0.0.2"} }

func TestTheWebServerTellsADeviceSomethingOnItsLink(t *testing.T) {
	sb := start(t, t.TempDir(), trackers(linked))
	link, lines := webServer(t, sb)
	next := func(want string) {
		t.Helper()
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("%v; want %s", err, want)
			}
			if strings.Contains(line, `"imei"`) {
				continue // a message of a device
			}
			if strings.TrimSuffix(line, "\n") != want {
				t.Errorf("got %s; want %s", line, want)
			}
			return
		}
	}
	io.WriteString(link, `{"name":"car1","data":[108,10],"encoding":"buffer","id":"1","ttl":"1m","ack":"any"}`+"\n")
	next(`{"id":"1","state":"queued"}`)
	io.WriteString(link, `{"name":"car1","dta":"x","id":"2"}`+"\r\n")
	next(`{"id":"2","error":"not a command: there is no key \"dta\": a command has fleet, name, data, encoding, id, ttl, when, ack"}`)
	c := tracker(t, sb, "trackers", "car1")
	expect(t, c, "l\n")
	io.WriteString(c, "done\n")
	next(`{"id":"1","state":"acknowledged","answer":"ZG9uZQ=="}`)
	io.WriteString(link, `{"name":"car1","data":"x","id":"1"}`+"\n")
	next(`{"id":"1","error":"the id is another command's: \"1\" of car1 was taken with other data: choose another id, or ask for the same"}`)
}

func TestAnswersAndMessagesOnTheLinkAreWholeLines(t *testing.T) {
	sb := start(t, t.TempDir(), trackers(linked))
	link, lines := webServer(t, sb)
	const devices, each = 100, 10
	var work sync.WaitGroup
	for i := range devices {
		c := tracker(t, sb, "trackers", fmt.Sprint("car", i))
		c.SetDeadline(time.Now().Add(2 * time.Minute))
		work.Go(func() {
			in := bufio.NewReader(c)
			for range each {
				line, err := in.ReadString('\n')
				if err != nil {
					t.Errorf("device %d: %v", i, err)
					return
				}
				io.WriteString(c, line)
			}
		})
	}
	work.Go(func() {
		for n := range devices * each {
			fmt.Fprintf(link, `{"name":"car%d","data":"command %d\n","id":"%d","ack":"echo"}`+"\n", n%devices, n, n)
		}
	})
	told := map[string]int{}
	link.SetDeadline(time.Now().Add(2 * time.Minute))
	for told["acknowledged"] < devices*each {
		text, err := lines.ReadString('\n')
		var line struct{ IMEI, State, ID, Error string }
		if err != nil || json.Unmarshal([]byte(text), &line) != nil || line.Error != "" {
			t.Fatalf("behind %v: %q, %v", told, text, err)
		}
		told[line.State]++
	}
	work.Wait()
	if told["queued"] != devices*each {
		t.Errorf("told %v; want each queued and acknowledged once", told)
	}
}

func TestADeviceThatReadsNothingKeepsNoOtherFromItsCommands(t *testing.T) {
	sb := start(t, t.TempDir(), trackers())
	stuck := tracker(t, sb, "trackers", "stuck")
	stuck.(*net.TCPConn).SetReadBuffer(4 << 10)
	data, _ := json.Marshal(strings.Repeat("x", 60<<10))
	for range 120 {
		order(t, sb, fmt.Sprintf(`{"name":"stuck","data":%s}`, data))
	}
	for i := range 20 {
		c := tracker(t, sb, "trackers", fmt.Sprint("car", i))
		asked := order(t, sb, fmt.Sprintf(`{"name":"car%d","data":"go\n"}`, i))
		expect(t, c, "go\n")
		if got := outcome(t, sb, asked.ID); got.State != device.Done {
			t.Errorf("it is %+v", got)
		}
	}
	stuck.Close()
}

func TestWhatADeviceIsToldOutlivesTheServer(t *testing.T) {
	dir := t.TempDir()
	sb := start(t, dir, trackers())
	c := tracker(t, sb, "trackers", "car1")
	done := order(t, sb, `{"name":"car1","data":"one\n"}`)
	expect(t, c, "one\n")
	outcome(t, sb, done.ID)
	waits := order(t, sb, `{"name":"car2","data":"two\n"}`)
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	sb = start(t, dir, trackers())
	expect(t, tracker(t, sb, "trackers", "car2"), "two\n")
	if got := outcome(t, sb, waits.ID); got.State != device.Done {
		t.Errorf("it is %+v", got)
	}
	c = tracker(t, sb, "trackers", "car1")
	order(t, sb, `{"name":"car1","data":"three\n"}`)
	expect(t, c, "three\n") // and not one again
}
