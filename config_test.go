package switchboard

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestTheDefaultConfigurationIsWhole(t *testing.T) {
	conf := DefaultConfig()
	var names []string
	for _, l := range conf.Listeners {
		names = append(names, l.Name)
	}
	if got := strings.Join(names, " "); got != "hello echo chat sensors" {
		t.Errorf("listeners %q; want hello echo chat sensors", got)
	}
	if !strings.Contains(DefaultConfigText, "service: relay") {
		t.Error("the default configuration shows no relay")
	}
}

func TestTheClassicExampleIsWhole(t *testing.T) {
	conf, err := LoadConfig("examples/classic.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"hello": "tcp://127.0.0.1:8080", "echo": "tcp://127.0.0.1:8000",
		"chat": "tcp://127.0.0.1:8800", "sensors": "udp://127.0.0.1:41234",
		"page": "socketio://127.0.0.1:8081/socket.io/", "page-ws": "ws://127.0.0.1:8081/ws",
		"page-tcp": "tcp://127.0.0.1:8801", "source-server": "tcp://127.0.0.1:7100", "devices": "tcp://127.0.0.1:9000"}
	for _, l := range conf.Listeners {
		if want[l.Name] != l.Listen {
			t.Errorf("%s listens on %s; want %s", l.Name, l.Listen, want[l.Name])
		}
		delete(want, l.Name)
	}
	if len(want) > 0 || conf.HTTP.Listen != "127.0.0.1:8081" {
		t.Errorf("lines missing: %v; http on %s", want, conf.HTTP.Listen)
	}
	kinds := map[string]string{"ssh": "127.0.0.1:7001", "telnet": "127.0.0.1:7002"}
	if len(conf.Sources) != 1 || !maps.Equal(conf.Sources[0].Kinds, kinds) {
		t.Errorf("the sources are %+v; want one of %v", conf.Sources, kinds)
	}
}

// item is a listener as a line of YAML; service may go on with more of its keys.
func item(name, listen, service string) string {
	return fmt.Sprintf("\n  - {name: %s, listen: '%s', service: %s}", name, listen, service)
}

// listing is a configuration of one listener.
func listing(name, listen, service string) string { return "listeners:" + item(name, listen, service) }

func TestEachMistakeIsToldWithItsPlaceAndItsMend(t *testing.T) {
	const block = "listeners:\n  - name: a\n"
	for text, want := range map[string]string{
		"lisseners: []": `x.yaml:1:1: unknown key "lisseners"; did you mean "listeners"?`,
		block + "    listen: tcp://127.0.0.1:1\n    service: ecko": `x.yaml:4:14: listeners[0].service: "ecko" is not one of`,
		block + "    listen: tcp://127.0.0.1:1\n    service: echo\n    idel: 5s": `x.yaml:5:5: unknown key "idel"; ` +
			`did you mean "idle"?`,
		block + "    listen: 127.0.0.1:1\n    service: echo":                     "must begin with tcp://",
		listing("a", "tcp://h:1", "sink, upstream: 'tcp://h:2'"):                 "only goes with service: relay",
		listing("a", "tcp://h:1", "relay"):                                       "upstream is missing",
		listing("a", "tls://h:1", "sink"):                                        "needs a certificate",
		listing("a", "tcp://127.0.0.1:1", "shell"):                               "command is missing",
		listing("a", "tcp://127.0.0.1:1", "shell, command: [no-such-1]"):         `no program "no-such-1"`,
		listing("a", "tcp://127.0.0.1:1", "shell, command: [sh], env: [A]"):      `"A" is not NAME=VALUE`,
		listing("a", "tcp://127.0.0.1:1", "shell, command: [sh], telnet: maybe"): `"maybe" is not one of`,
		listing("a", "tcp://0.0.0.0:1", "shell, command: [sh]"):                  "whoever does becomes the server's user",
		listing("a", "udp://127.0.0.1:1", "shell, command: [sh]"):                "a shell is offered over",
		listing("a", "tcp://127.0.0.1:1", "sink, command: [sh]"):                 "only goes with service: shell",
		listing("run", "tcp://127.0.0.1:1", "sink"):                              "choose another name",
		listing("a", "tcp://h:1", "sink, idle: soon"):                            `"soon" is no duration`,
		listing("a", "tcp://h:1", "sink") + item("a", "tcp://h:2", "sink"):       "two listeners are called",
		listing("a", "tcp://h:1", "sink") + item("b", "tcp://h:1", "sink"):       `is the address of listener "a" already`,
		listing("a", "tcp://h:1", "sink, max_sessions: many"):                    "x.yaml:2",
		"http: {listen: 0.0.0.0:80}":                                             "can be reached from other machines",
		"http: {tokens: [{name: x, role: king, sha256: abc}]}":                   `"king" is not one of viewer, operator, admin`,
		"http: {tokens: [{role: viewer}]}":                                       "name is missing",
		"http: {tokens: [{name: admin, role: viewer}]}":                          `"admin" is the token in the data folder`,
		"http: {tokens: [{name: x}, {name: x}]}":                                 `two tokens are called "x"`,
		"recording: {retention: {max_size: much}}":                               `"much" is no size`,
		"node: My Node": "only a-z and 0-9",
		listing("a", "tcp://h:1", "sink, terminal: big"):     `"big" is no size of a terminal: write columns and rows, as in 80x24`,
		listing("a", "tcp://h:1", "sink, terminal: 80x0"):    `"80x0" is no size of a terminal`,
		listing("a", "tcp://h:1", "sink, terminal: 1001x24"): "each from 1 to 1000",
		listing("a", "tcp://h:1", "sink, terminal: +80x24"):  `"+80x24" is no size of a terminal`,
		listing("a", "tcp://h:1", "sink, terminal: 80X24"):   `"80X24" is no size of a terminal`,
		"listeners: 5":              "x.yaml:1:12",
		"http: {proxies: [nginx]}":  `x.yaml:1:18: http.proxies[0]: "nginx" is no address and no network`,
		"http: {hosts: ['a.b:80']}": `x.yaml:1:16: http.hosts[0]: "a.b:80" is no name of a host`,
		"a: [":                      "x.yaml:",

		listing("a", "ws://h:1/x", "echo, origins: ['https://example.org/']"): `x.yaml:2:62: listeners[0].origins[0]: origin "https`,
		listing("a", "ws://h:1/x", "echo, origins: ['https://*example.org']"): `origin "https://*example.org": must be`,
		listing("a", "ws://h:1/x", "echo, origins: ['https://exam*ple.org']"): `origin "https://exam*ple.org": must be`,
		"http: {listen: 'h:1', insecure: true}\n" +
			listing("a", "ws://h:1/healthz", "echo"): "/healthz is a path of REST",
		"http: {listen: 'h:1', insecure: true}\n" +
			listing("a", "socketio://h:1/metrics/", "room"): "/metrics is a path of REST",
		"http: {listen: 'h:1', insecure: true}\n" +
			listing("a", "ws://h:1/api/v1/sessions", "echo"): "/api/v1/sessions is a path of REST",
		"http: {listen: 'h:1', insecure: true}\n" +
			listing("a", "ws://h:1", "echo"): "/ is a path of the console at http.listen: choose another path, as in /ws, " +
			"or another address; or say http.console: false",
		"http: {listen: 'h:1', insecure: true}\n" +
			listing("a", "ws://h:1/rooms/x", "echo"): "/rooms/x is a path of the console",
		"http: {console: maybe}": "x.yaml:1:",
		listing("a", "socketio://h:1", "room") + item("b", "socketio://h:1/socket.io/", "room"): `h:1/socket.io is where ` +
			`listener "a" is served`,
		listing("a", "ws://h:1/x", "echo") + item("b", "ws://h:1/x/", "echo"):         `h:1/x is where listener "a" is served`,
		listing("a", "ws://h:0/x", "echo") + item("b", "socketio://h:0/x", "room"):    `h:0/x is where listener "a" is served`,
		listing("a", "tcp://h:1#x", "echo"):                                           "take away #",
		listing("a", "ws://h:1/x#", "echo"):                                           "take away #",
		listing("a", "socketio://h:1", "room, socketio: {handshake_rate: -0.5}"):      "-0.5 is no limit",
		listing("a", "socketio://h:1", "room, socketio: {max_per_address: -7}"):       "-7 is no limit",
		listing("a", "socketio://h:1", "room, socketio: {message_rate: .nan}"):        "NaN is no limit",
		listing("a", "socketio://h:1", "room, max_message: 1MiB"):                     "1MiB is more than a room takes: at most 1000000 bytes",
		"http: {proxies: ['::ffff:0.0.0.0/90']}":                                      "neither a network of IPv4 nor one of IPv6",
		"rooms: [{name: a, event: disconnect}]\n" + listing("a", "tcp://h:1", "room"): `rooms[0].event: event "disconnect": Socket.IO keeps`,
		"rooms: [{name: a, events: {x: disconnect}}]\n" + listing("a", "tcp://h:1", "room"): `rooms[0].events: event ` +
			`"disconnect": Socket.IO keeps`,
		"rooms: [{name: a, history: {max_bytes: 500KiB}}]\n" + listing("a", "tcp://h:1", "room"): "500KiB is too little for one event",
		"rooms: [{name: clasic}]\n" + listing("a", "tcp://h:1", "room, room: classic"):           `did you mean "classic"?`,
		"rooms: [{name: other}]":     `no listener has the room "other": name it in a listener's room`,
		"---\nnode: a\n---\nnode: b": "more than one document",
	} {
		_, err := ParseConfig("x.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
		var one *ConfigError
		if err != nil && !errors.As(err, &one) {
			t.Errorf("%s: %T holds no *ConfigError", text, err)
		}
	}
}

func TestAllMistakesAreToldAtOnce(t *testing.T) {
	text := listing("a", "tcp://h:1", "sink, record: never, idle: x, keepalive: y")
	_, err := ParseConfig("x.yaml", []byte(text))
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v; want three errors", err)
	}
}

func TestWhatIsNoMistakePasses(t *testing.T) {
	for _, text := range []string{
		listing("a", "ws://h:1/x", "echo, origins: ['https://*.example.org', 'http://127.0.0.1:*', '*']"),
		listing("a", "ws://h:1/healthz", "echo"),
		listing("a", "ws://h:1/x", "echo") + item("b", "socketio://h:1", "room"),
		listing("a", "socketio://h:1", "room, socketio: {max_per_address: -1, handshake_rate: -1, message_rate: 0.5}"),
		listing("a", "socketio://h:1", "room, max_message: 1MB"),
		listing("a", "tcp://h:1", "sink, terminal: 80x24"),
		listing("a", "tcp://h:1", "sink, terminal: 1000x1"),
		listing("a", "tcp://127.0.0.1:1", "shell, command: [sh, -l], telnet: true, env: ['A=b c', B=]"),
		listing("a", "tcp://0.0.0.0:1", "shell, command: [sh], telnet: false, insecure: true"),
		listing("a", "unix:///run/x", "shell, command: [/bin/sh], telnet: auto, terminal: 132x43"),
		"rooms: [{name: a, events: {'*': '*'}, history: {max_bytes: 1MiB}}]\n" + listing("a", "tcp://h:1", "room"),
	} {
		if _, err := ParseConfig("x.yaml", []byte(text)); err != nil {
			t.Errorf("%s\n%v", text, err)
		}
	}
}

func TestAProxyOfIPv4IsKnownHoweverItIsWritten(t *testing.T) {
	for _, text := range []string{"::ffff:10.0.0.0/104", "10.1.2.3", "::ffff:10.1.2.3", "10.0.0.0/8", "::ffff:10.9.9.9/104"} {
		for _, at := range []string{"10.1.2.3", "::ffff:10.1.2.3"} {
			if !newProxies(HTTPConfig{Proxies: []string{text}}).have(netip.MustParseAddr(at)) {
				t.Errorf("proxies: [%s] do not have %s", text, at)
			}
		}
	}
}

func TestDurationsAndSizes(t *testing.T) {
	for text, want := range map[string]time.Duration{"500ms": 500 * time.Millisecond, "1h30m": 90 * time.Minute,
		"30d": 720 * time.Hour, "0": 0} {
		if got, err := ParseDuration(text); got != want || err != nil {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]int64{"4096": 4096, "64KiB": 65536, "1.5MiB": 3 << 19, "10MB": 10_000_000,
		"20GiB": 20 << 30} {
		if got, err := ParseSize(text); got != want || err != nil {
			t.Errorf("ParseSize(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, bad := range []string{"", "x", "-1s", "1e30d", "NaNd"} {
		if d, err := ParseDuration(bad); err == nil {
			t.Errorf("ParseDuration(%q) = %v; want an error", bad, d)
		}
	}
	for _, bad := range []string{"", "MiB", "-1", "1e30", "NaN", "1 PB"} {
		if n, err := ParseSize(bad); err == nil {
			t.Errorf("ParseSize(%q) = %v; want an error", bad, n)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(DefaultConfigText))
	f.Add([]byte("listeners:\n  - &a {name: a, listen: 'tcp://h:1', service: sink}\n  - *a"))
	f.Add([]byte("http: {tokens: [{}]}\nrecording: !!x {queue: 1}"))
	f.Add([]byte("a: [\n- b: {"))
	f.Fuzz(func(t *testing.T, text []byte) {
		conf, err := ParseConfig("fuzz.yaml", text)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error that says nothing")
			}
			return
		}
		if err := conf.Check(); err != nil {
			t.Errorf("accepted, and then wrong: %v", err)
		}
	})
}
