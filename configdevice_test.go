package switchboard

import (
	"errors"
	"strings"
	"testing"
)

func TestWhatIsWrongWithAListenerOfDevicesIsToldWithItsKeyAndTheMend(t *testing.T) {
	for text, want := range map[string][2]string{
		"frame: etnug":                                      {"device.frame[0]", "etnug"},
		"frame: [{type: length, offset: 1}]":                {"device.frame[0].width", "write 1, 2, 3, 4 or 8"},
		"register: {pattern: '('}":                          {"device.register", ""},
		"unknown: rejct":                                    {"device.unknown", `did you mean "reject"?`},
		"unknown: reject":                                   {"device.unknown", "set known or known_file"},
		"duplicate: oldest":                                 {"device.duplicate", "newest, refuse, many"},
		"name_from: certificate":                            {"device.name_from", "tls.client_ca"},
		"dead_after: 5s, max_devices: -1":                   {"device.max_devices", "0 is no limit"},
		"connect_rate: -3":                                  {"device.connect_rate", "-1 is no limit"},
		"max_unregistered_per_address: -2":                  {"device.max_unregistered_per_address", "-1 is no limit"},
		"web_server: [here]":                                {"device.web_server[0]", "write 127.0.0.1 or 10.0.0.0/8"},
		"known: []":                                         {"device.known", "leave it out"},
		"known: [a], unknown: hold, unregistered: allow":    {"device.unregistered", "say hold, or leave it out"}, // and was forwarded as unknown
		"known: [a]":                                        {"device.unknown", "allow takes every name"},         // and let everybody in without a word
		"known_file: /nowhere/names":                        {"device.known_file", "no such file"},
		"idle_received: soon":                               {"device.idle_received", "write 500ms"},
		"byte_rate: much":                                   {"device.byte_rate", "write 4096"},
		"ack_device: later":                                 {"device.ack_device", "at_once, after_stored"},
		"command: {ttl: x}":                                 {"device.command.ttl", "write 500ms"},
		"dead_after: 1s":                                    {"device.dead_after", "at least 2s more"},
		"ack_device: after_stored}\n    record: off\n    #": {"device.ack_device", "record: off"},
	} {
		file := "listeners:\n  - name: devices\n    listen: tcp://127.0.0.1:9000\n    service: device\n    device: {" + text + "}\n"
		_, err := ParseConfig("c.yaml", []byte(file))
		found := false
		for _, part := range partsOf(err) {
			var wrong *ConfigError
			if errors.As(part, &wrong) && strings.HasPrefix(wrong.Path, "listeners[0]."+want[0]) && strings.Contains(wrong.Problem, want[1]) && wrong.Line > 0 {
				found = true
			}
		}
		if !found {
			t.Errorf("%s: got %v; want %s: … %s", text, err, want[0], want[1])
		}
	}
	for text, want := range map[string]string{
		"device: {frame: etung}\n    service: sink": "only goes with service: device",
		"service: device\n    device: {web_server: [127.0.0.2]}\n  - {name: devices-web, listen: 'tcp://h:2', service: sink}": "choose another name",
		"service: device\n    on_failure: continue\n    device: {ack_device: after_stored}":                                   "say end",
	} {
		_, err := ParseConfig("c.yaml", []byte("listeners:\n  - name: devices\n    listen: tcp://127.0.0.1:9000\n    "+text+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v; want %s", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"dead_after: 10s":         "goes over tcp",
		"message_rate: 5":         "goes over tcp",
		"web_server: [127.0.0.2]": "goes over tcp",
	} {
		_, err := ParseConfig("c.yaml", []byte("listeners:\n  - {name: d, listen: 'udp://127.0.0.1:9', service: device, device: {"+text+"}}\n"))
		if err == nil || !strings.Contains(err.Error(), "over tcp://") {
			t.Errorf("udp, %s: got %v; want %s", text, err, want)
		}
	}
}

func partsOf(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

func TestTheDefaultsOfDevicesRun(t *testing.T) {
	conf, err := ParseConfig("c.yaml", []byte("listeners:\n  - {name: devices, listen: 'tcp://127.0.0.1:9000', service: device}\n"))
	if err != nil {
		t.Fatal(err)
	}
	l := conf.Listeners[0]
	if l.KeepAlive != "10s" || l.Device.DeadAfter != "30s" || l.Device.Fleet != "devices" || l.Device.Frame[0].Type != "raw" {
		t.Errorf("got keepalive %s, dead_after %s, fleet %s, frame %+v", l.KeepAlive, l.Device.DeadAfter, l.Device.Fleet, l.Device.Frame)
	}
	for _, file := range []string{"examples/classic.yaml", "examples/devices.yaml"} {
		if _, err := LoadConfig(file); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}
