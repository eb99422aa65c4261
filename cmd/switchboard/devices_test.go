package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/device"
)

func TestADeviceIsAdmittedBeforeItComes(t *testing.T) {
	s := openDevices(t)
	if code, _, errs := runOnce(t, s.with("devices", "admit", "car9")...); code != exitFailed || !strings.Contains(errs, "say its --fleet") {
		t.Errorf("without a fleet: exit code %d, %q", code, errs)
	}
	if out := s.do("devices", "admit", "--fleet", "cars", "car9"); out != "car9 admitted, offline\n" {
		t.Errorf("got %q", out)
	}
	if out := s.do("device", "car9"); !strings.Contains(out, "State       offline, never connected\n") {
		t.Errorf("the device: %s", out)
	}
}

func TestDevicesAreListedShownReadAndForgotten(t *testing.T) {
	s := openDevices(t)
	one, two := s.car("car1"), s.car("car2")
	fmt.Fprintf(one, "where I am: \xff\n")
	s.until("the message is counted", func() bool {
		var list []device.Status
		return json.Unmarshal([]byte(s.do("devices", "car1", "--json")), &list) == nil && len(list) == 1 && list[0].Messages == 2
	})
	if out := s.do("devices", "--state", "online", "CAR*"); !strings.HasPrefix(out, "FLEET  NAME") || strings.Count(out, "online") != 2 {
		t.Errorf("the list: %s", out)
	}
	if out := s.do("device", "car1"); !strings.Contains(out, "State       online, since ") || !strings.Contains(out, `data          where I am: \xff`) ||
		!strings.Contains(out, "registration  is car1  LOGIN car1") {
		t.Errorf("the device: %s", out)
	}
	if out := s.do("messages", "car1", "-n", "1", "--hex"); !strings.Contains(out, "  data          13 bytes\n") || !strings.Contains(out, "20  61 6d 3a 20 ff") {
		t.Errorf("its newest message: %s", out)
	}
	follows := start(t, s.with("messages", "car1", "--follow", "--json", "-n", "2")...)
	read := func() (m device.Message) {
		t.Helper()
		if err := json.Unmarshal([]byte(follows.out.next()), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	if m := read(); m.Kind != "registration" || m.Name != "car1" || m.Framer != "line" {
		t.Errorf("the first message: %+v", m)
	}
	if m := read(); string(m.Data) != "where I am: \xff" {
		t.Errorf("the second message: %+v", m)
	}
	for i := range 5 {
		fmt.Fprintf(one, "more %d\n", i)
	}
	for i := range 5 {
		if m := read(); string(m.Data) != fmt.Sprint("more ", i) {
			t.Errorf("message %d that came: %+v", i, m)
		}
	}
	one.Close()
	if code := follows.exit(); code != exitOK {
		t.Errorf("behind the end: exit code %d", code)
	}
	two.Close()
	s.until("car2 is offline", func() bool { return strings.Contains(s.do("devices", "car2"), "offline") })
	if out := s.do("devices", "forget", "car2"); out != "car2 forgotten\n" {
		t.Errorf("got %q", out)
	}
	if out := s.do("devices", "admit", "car1"); out != "car1 admitted, offline\n" {
		t.Errorf("got %q", out)
	}
	if code, _, said := runOnce(t, s.with("device", "car2")...); code != exitFailed || !strings.Contains(said, `no device is called "car2"`) {
		t.Errorf("who is forgotten: exit code %d, %s", code, said)
	}
}

// until waits until something is so.
func (s *station) until(what string, is func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("not within a minute: %s", what)
		}
	}
}
