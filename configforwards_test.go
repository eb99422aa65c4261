package switchboard_test

import (
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard"
)

func TestForwardsAreCheckedWithTheMend(t *testing.T) {
	const listeners = `listeners:
- {name: devices, listen: "tcp://127.0.0.1:0", service: device, device: {web_server: [127.0.0.2]}}
- {name: meters, listen: "tcp://127.0.0.1:0", service: device}
forwards:
`
	for _, c := range []struct{ forward, want string }{
		{`{name: a, to: "ftp://x"}`, `forwards[0].to: "ftp://x": write link, http://`},
		{`{name: a, to: link, fleets: [meters]}`, `forwards[0].to: fleet "meters" has no web server: set device.web_server`},
		{`{name: a, to: "http://x/", fleets: [device]}`, `forwards[0].fleets[0]: no listener has devices of a fleet "device"; did you mean "devices"?`},
		{`{name: devices-web, to: "http://x/"}`, `"devices-web" is what the forward to the web server of fleet "devices" is called`},
		{`{name: a, to: "http://x/", retry: 5s}`, `forwards[0].retry: "5s": write 1s..30s`},
		{`{name: a, to: "http://x/", headers: {Authorization: "env:NO_SUCH_SECRET"}}`, `forwards[0].headers.Authorization: the environment has no NO_SUCH_SECRET`},
		{`{name: a, to: "http://x/", template: "{{.nam}}"}`, `forwards[0].template`},
		{`{name: a, to: "http://me:secret@x/"}`, `forwards[0].to: a URL here has no password: use headers`},
		{`{name: a, to: "nats:devices.*"}`, `"devices.*" is no subject to publish to`},
		{`{name: a, to: "room:x", jetstream: true}`, `forwards[0].jetstream: goes with to: nats`},
		{`{name: a, to: "http://x/", from: then}`, `forwards[0].from: "then" is not one of now, beginning`},
		{`{name: "", to: "http://x/"}`, `forwards[0].name: "": 1 to 72 bytes`},
		{`{name: a, to: "http://x/", encoding: utf8}`, `forwards[0].encoding: "utf8" is not one of buffer, hex, base64, text`},
		{`{name: a, too: "http://x/"}`, `unknown key "too"; did you mean "to"?`},
	} {
		_, err := switchboard.ParseConfig("c.yaml", []byte(listeners+"- "+c.forward))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "c.yaml:") {
			t.Errorf("%s: got %v, want %s", c.forward, err, c.want)
		}
	}
	for _, good := range []string{`{name: a, to: link, ids: true}`, `{name: a, to: "http://x/", retry: 100ms..1m, on_refused: stop, batch: 1}`,
		`{name: a, to: "nats:devices.{fleet}.{name}", jetstream: true}`, `{name: a, to: "nats://h:4222/x", fleets: [meters]}`,
		`{name: a, to: "tcp://127.0.0.1:1", idle: 1m}`, `{name: a, to: "room:x", event: said, encoding: text}`} {
		if _, err := switchboard.ParseConfig("c.yaml", []byte(listeners+"- "+good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
}
