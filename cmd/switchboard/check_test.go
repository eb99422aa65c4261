package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckSaysWhereMessagesOfDevicesGo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "fleet.yaml")
	writeFile(t, file, `listeners:
  - {name: cars, listen: "tcp://127.0.0.1:0", service: device}
forwards:
  - {name: hook, to: "https://example.org/in", fleets: [cars], from: beginning, retry: 2s..9s}
  - {name: bus, to: "nats:devices.{name}", timeout: 3s}
`)
	code, out, errs := runOnce(t, "check", file)
	if code != 0 {
		t.Fatalf("check exits with %d: %s", code, errs)
	}
	for _, want := range []string{
		"\nhook\n  forwards what devices of cars say to https://example.org/in\n  when it is new it begins with all that is on record; " +
			"a target that does not take a batch within 10s is tried again after 2s..9s\n",
		"\nbus\n  forwards what devices of every fleet say to nats:devices.{name}\n  this is the bus within the server, which no other program hears",
		"begins with what comes from then on; a target that does not take a batch within 3s is tried again after 1s..30s\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("check prints\n%s\nwant in it\n%s", out, want)
		}
	}
}

func TestCheckSaysWhatAKeyOfDevicesMustBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "fleet.yaml")
	for text, want := range map[string]string{
		"frame: {type: line, max: 64KiB}":     ":2:95: must be a whole number, as in 1024",
		"command: {ack: any}":                 ":2:85: must be an object, as in {key: value}",
		"command: {ack: {by: pattern}}":       ".command.ack: ack.pattern must be a regular expression",
		"message_rate: fast":                  ": must be a number",
		"known: {a: b}":                       ": must be a list, as in [a, b]",
		"frame: {preset: gt06, reply: maybe}": ": must be true or false",
		"known: [a1, b*]":                     ".device.unknown: allow takes every name, so known and known_file have no effect",
	} {
		writeFile(t, file, "listeners:\n  - {name: a, listen: \"tcp://127.0.0.1:0\", service: device, device: {"+text+"}}\n")
		if code, _, errs := runOnce(t, "check", file); code != 1 || !strings.Contains(errs, want) {
			t.Errorf("check of %s exits with %d and says %q, want %q", text, code, errs, want)
		}
	}
}
