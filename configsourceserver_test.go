package switchboard

import (
	"strings"
	"testing"
)

func TestASourceServerIsCheckedAndHasItsDefaults(t *testing.T) {
	shell := item("door", "tcp://127.0.0.1:2", "sink")
	conf, err := ParseConfig("x.yaml", []byte("listeners:"+shell+item("ours", "tcp://127.0.0.1:1", "source-server, listeners: [door, run, asciinema, plant]")+
		"\nsources: [{name: plant, kinds: {ssh: '192.0.2.10:7001'}}]"))
	if err != nil {
		t.Fatal(err)
	}
	if l := conf.Listeners[1]; l.Record != "off" || l.Max != 1000 {
		t.Errorf("got record %q, %d sessions; want off, 1000", l.Record, l.Max)
	}
	for service, want := range map[string]string{
		"source-server, listeners: [dor]":            `no listener that has sessions to offer is called "dor"; did you mean "door"?`,
		"source-server, listeners: [ours]":           `no listener that has sessions to offer is called "ours"`,
		"source-server, role: admin":                 `"admin" is not one of viewer, operator`,
		"source-server, allow: [localhost]":          "write 127.0.0.1 or 10.0.0.0/8",
		"source-server, allow: []":                   "nobody could ask",
		"source-server, terminal: 80x24":             "source-server would ignore it",
		"sink, role: viewer":                         "only goes with service: source-server",
		"sink, listeners: [door]":                    "only goes with service: source-server",
		"sink, allow: ['::1']":                       "only goes with service: source-server",
		"source-server, listen: 'udp://127.0.0.1:1'": "a source-server is offered over tcp://, tls:// or unix://",
		"source-server, listen: 'tcp://0.0.0.0:1'":   "whoever does sees and ends sessions",
		"source-server, role: viewer, allow: ['10.0.0.0/8'], listen: 'tcp://[::]:1'": "whoever does sees sessions: use tls://",
	} {
		listen := "tcp://127.0.0.1:1"
		if head, rest, found := strings.Cut(service, ", listen: "); found {
			service, listen = head, strings.Trim(rest, "'")
		}
		_, err := ParseConfig("x.yaml", []byte("listeners:"+shell+item("ours", listen, service)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s at %s: got %v, want %q", service, listen, err, want)
		}
	}
	for _, good := range []string{item("ours", "tcp://0.0.0.0:1", "source-server, insecure: true, allow: [10.0.0.0/8, 192.0.2.1]"),
		item("ours", "unix:///run/x", "source-server, role: viewer, record: on")} {
		if _, err := ParseConfig("x.yaml", []byte("listeners:"+shell+good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
}
