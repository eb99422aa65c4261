package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/frame"
)

// openDevices starts a server to which devices connect that say lines.
func openDevices(t *testing.T) *station {
	t.Helper()
	s := &station{t: t, conf: switchboard.Config{Data: t.TempDir(), HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"},
		Listeners: []switchboard.ListenerConfig{{Name: "cars", Listen: "tcp://127.0.0.1:0", Service: "device", Device: &switchboard.DeviceConfig{
			Frame: frame.FramerSpecs{{Type: "line"}}, Register: &frame.RegisterSpec{Pattern: `LOGIN (?P<name>\w+)`, Reply: "OK\n"}}}}}}
	s.start()
	return s
}

// car connects as a device.
func (s *station) car(name string) net.Conn {
	s.t.Helper()
	c := s.dial("cars", "")
	fmt.Fprintf(c, "LOGIN %s\n", name)
	s.expect(c, "OK\n")
	c.SetReadDeadline(time.Time{})
	return c
}

func TestADeviceIsToldSomethingFromTheCommandLine(t *testing.T) {
	s := openDevices(t)
	if out := s.do("command", "car1", "-e", `lock\n`, "--id", "1", "--ttl", "10m", "--ack", "pattern:^ok {{id}}$"); out != "1 queued\n" {
		t.Errorf("got %q", out)
	}
	if out := s.do("command", "car1", "-e", `lock\n`, "--id", "1", "--ack", "pattern:^ok {{id}}$"); out != "1 queued\n" {
		t.Errorf("the same again: got %q", out)
	}
	if out := s.do("commands"); !strings.HasPrefix(out, "ID  FLEET  NAME  STATE") || !strings.Contains(out, `admin  lock\n`) {
		t.Errorf("the list: %s", out)
	}
	c := s.car("car1")
	s.expect(c, "lock\n")
	waits := start(t, s.with("command", "car1", "--hex", "6f 70 65 6e 0A", "--wait", "--id", "2")...)
	io.WriteString(c, "ok 1\n")
	s.expect(c, "open\n")
	if text := waits.out.next(); text != "2 done\n" || waits.exit() != exitOK {
		t.Errorf("with --wait: %q, exit code %d", text, waits.exit())
	}
	var list []device.Command
	if err := json.Unmarshal([]byte(s.do("commands", "car1", "--json", "--state", "acknowledged")), &list); err != nil || len(list) != 1 ||
		list[0].ID != "1" || string(list[0].Answer) != "ok 1" || list[0].By != "admin" {
		t.Errorf("those that were acknowledged: %+v, %v", list, err)
	}
	again := s.do("command", "--resend", "2", "--wait")
	s.expect(c, "open\n")
	if !strings.HasSuffix(again, " done\n") || strings.HasPrefix(again, "2 ") {
		t.Errorf("again: %q", again)
	}
	if out := s.do("commands"); !strings.Contains(out, "  repeats 2\n") {
		t.Errorf("the list does not say what was sent again: %s", out)
	}
	if out := s.do("command", "car1", "--base64", "eA==", "--ack", "none"); !strings.Contains(out, " ") {
		t.Errorf("got %q", out)
	}
	s.expect(c, "x")
}

func TestACommandThatComesToNothingFails(t *testing.T) {
	s := openDevices(t)
	code, out, said := runOnce(t, s.with("command", "car1", "x", "--ttl", "50ms", "--wait", "--id", "1")...)
	if code != exitFailed || out != "1 expired\n" || said != "" {
		t.Errorf("expired: exit code %d, %q, %q", code, out, said)
	}
	c := s.car("car2")
	code, out, _ = runOnce(t, s.with("command", "car2", "x", "--ack", "echo", "--timeout", "50ms", "--wait", "--id", "2")...)
	if s.expect(c, "x"); code != exitFailed || out != "2 unanswered\n" {
		t.Errorf("unanswered: exit code %d, %q", code, out)
	}
	s.do("command", "car1", "x", "--id", "3", "--when", "uplink")
	if out := s.do("command", "--cancel", "3"); out != "3 cancelled\n" {
		t.Errorf("cancel: %q", out)
	}
	if said := s.refuses("command", "--cancel", "1"); !strings.Contains(said, "it is expired: only one that is queued") {
		t.Errorf("too late: %q", said)
	}
	if said := s.refuses("command", "--resend", "nobody"); !strings.Contains(said, "there is no such command") {
		t.Errorf("nobody's: %q", said)
	}
	if said := s.refuses("command", "car1", "x", "--fleet", "ships"); !strings.Contains(said, `there is no fleet "ships": there is cars`) {
		t.Errorf("no such fleet: %q", said)
	}
	if said := s.refuses("command", "car1", "x", "--ttl", "soon"); !strings.Contains(said, `ttl "soon": must be a time such as 30s`) {
		t.Errorf("no such time: %q", said)
	}
	if _, out, said := runOnce(t, s.with("commands", "--state", "queued")...); out != "" || said != "switchboard: there are no such commands\n" {
		t.Errorf("an empty list: %q, %q", out, said)
	}
}

func TestAWrongCommandToADeviceSaysWhatToDo(t *testing.T) {
	for _, c := range []struct {
		args []string
		said string
	}{
		{[]string{"command"}, "tell whom?"},
		{[]string{"command", "car1"}, "there is nothing to tell"},
		{[]string{"command", "car1", "--hex", "4g"}, "is not a hex digit"},
		{[]string{"command", "car1", "--base64", "="}, "--base64"},
		{[]string{"command", "car1", "x", "--hex", "--base64"}, "can't be used together"},
		{[]string{"command", "car1", "x", "--timeout", "5s"}, "say which with --ack"},
		{[]string{"command", "car1", "x", "--when", "never"}, "must be one of"},
		{[]string{"command", "car1", "x", "--cancel", "1"}, "take no DATA"},
		{[]string{"command", "--resend", "1", "--cancel", "1"}, "can't be used together"},
		{[]string{"commands", "--state", "sent"}, "the states are queued, writing"},
		{[]string{"commands", "--limit", "0"}, "from 1 to 1000"},
	} {
		code, out, said := runOnce(t, c.args...)
		if code != exitUsage || out != "" || !strings.HasPrefix(said, "switchboard: ") || strings.Count(said, "\n") != 1 || !strings.Contains(said, c.said) {
			t.Errorf("%q: got exit code %d, output %q, said %q; want %d and %q in one line", c.args, code, out, said, exitUsage, c.said)
		}
	}
}
