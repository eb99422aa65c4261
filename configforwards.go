package switchboard

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/forward"
	"github.com/switchboard-relay/switchboard/room"
)

// ForwardConfig is where messages of devices go. docs/devices.md describes it.
type ForwardConfig struct {
	Name   string   `yaml:"name"`   // 1 to 72 bytes, without /; unlike that of every other
	Fleets []string `yaml:"fleets"` // whose messages; default all. A link is one fleet's
	To     string   `yaml:"to"`     // link; http(s)://…; nats:SUBJECT or nats://HOST:PORT/SUBJECT, with {fleet} and {name}; tcp:// or tls:// HOST:PORT; room:NAME

	Encoding string `yaml:"encoding"` // of a message's bytes in JSON: buffer (default for link), base64 (default else), hex or text
	Template string `yaml:"template"` // what is sent of each message instead of JSON: {{.id}} {{.fleet}} {{.name}} {{.at}} {{.kind}} {{.flags}} {{.session}} {{.hex}} {{.base64}} {{.text}} {{.json}}

	Heartbeats    bool  `yaml:"heartbeats"`    // forward them as well
	Registrations *bool `yaml:"registrations"` // default true
	Junk          bool  `yaml:"junk"`          // forward bytes that belong to no message as well
	IDs           bool  `yaml:"ids"`           // link: each message's id as well; others always have it

	Batch    int    `yaml:"batch"`    // messages that are delivered together, at most; default 100 for http, else 10,000
	Linger   string `yaml:"linger"`   // how long a batch that is not full waits for more; default 0s
	Timeout  string `yaml:"timeout"`  // for the target to take a batch; default 10s; link 10m
	Retry    string `yaml:"retry"`    // between attempts, the first and the most; default 1s..30s
	Parallel int    `yaml:"parallel"` // http, tcp: batches of different devices under way at once; default 4, 64

	Headers   map[string]string `yaml:"headers"`    // http: file:PATH and env:NAME stand for what is there
	CA        string            `yaml:"ca"`         // https, tls: PEM; default the system's
	OnRefused string            `yaml:"on_refused"` // http: what the target answers 4xx to is passed over: skip (default), or stop
	JetStream bool              `yaml:"jetstream"`  // nats: a stream stores and acknowledges each message
	Event     string            `yaml:"event"`      // room: the event's name; default device
	Idle      string            `yaml:"idle"`       // tcp: a connection that is silent for so long is closed; default 5m

	From string `yaml:"from"` // a new forward begins now (default), or at the beginning: with all that is on record
}

// forwards checks the forwards, and fills in what is not said.
func (c *checker) forwards(conf *Config) {
	fleets, linked := map[string]bool{}, map[string]bool{}
	for i := range conf.Listeners {
		l := &conf.Listeners[i]
		if l.Device == nil {
			continue
		}
		fleets[l.Device.Fleet] = true
		if l.hasLink() {
			linked[l.Device.Fleet] = true
			if l.Record == "off" {
				c.wrong(fmt.Sprintf("listeners[%d].record", i), "off leaves nothing to forward to the web server: say on, or leave web_server out")
			}
		}
	}
	names := map[string]bool{}
	for i := range conf.Forwards {
		f := &conf.Forwards[i]
		path := fmt.Sprintf("forwards[%d]", i)
		if names[f.Name] {
			c.wrong(path+".name", "two forwards are called %q: choose another name for one", f.Name)
		}
		names[f.Name] = true
		if f.To == "link" && len(f.Fleets) == 0 && len(linked) == 1 {
			f.Fleets = slices.Collect(maps.Keys(linked))
		}
		for k, name := range f.Fleets {
			switch {
			case !fleets[name]:
				c.wrong(fmt.Sprintf("%s.fleets[%d]", path, k), "no listener has devices of a fleet %q%s", name, didYouMean(name, fleets))
			case f.To == "link" && !linked[name]:
				c.wrong(path+".to", "fleet %q has no web server: set device.web_server at its listener", name)
			}
		}
		c.forward(path, f)
	}
	for _, f := range linkForwards(conf) {
		if names[f.Name] {
			c.wrong("forwards", "%q is what the forward to the web server of fleet %q is called: choose another name", f.Name, f.Fleets[0])
		}
	}
	if n := len(conf.Forwards) + len(linkForwards(conf)); n > forward.MaxForwards {
		c.wrong("forwards", "are %d: there can be %d", n, forward.MaxForwards)
	}
}

func didYouMean(name string, of map[string]bool) string {
	if near := nearest(name, slices.Sorted(maps.Keys(of))); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

func (c *checker) forward(path string, f *ForwardConfig) {
	c.oneOf(path+".from", f.From, "now", "beginning")
	for key, text := range map[string]string{"linger": f.Linger, "timeout": f.Timeout, "idle": f.Idle} {
		c.duration(path+"."+key, text, "")
	}
	if _, _, err := parseRetry(f.Retry); err != nil {
		c.wrong(path+".retry", "%v", err)
		return
	}
	for _, p := range f.forForward().Check() {
		at := path
		if p.Key != "" {
			at += "." + p.Key
		}
		c.wrong(at, "%s", p.Text)
	}
}

// parseRetry reads 1s..30s: how long to wait before the second attempt, and at most.
func parseRetry(s string) (least, most time.Duration, err error) {
	if s == "" {
		return 0, 0, nil
	}
	from, to, found := strings.Cut(s, "..")
	if !found {
		return 0, 0, fmt.Errorf("%q: write 1s..30s: the wait before the second attempt, and the longest", s)
	}
	if least, err = ParseDuration(from); err == nil {
		most, err = ParseDuration(to)
	}
	if err == nil && (least < 10*time.Millisecond || most < least) {
		err = fmt.Errorf("%q: from 10ms on, and the second not shorter than the first", s)
	}
	return least, most, err
}

// forForward is the forward as its package knows it.
func (f *ForwardConfig) forForward() forward.Config {
	c := forward.Config{Name: f.Name, Fleets: f.Fleets, To: f.To, Encoding: device.Encoding(f.Encoding), Template: f.Template,
		Heartbeats: f.Heartbeats, NoRegistrations: f.Registrations != nil && !*f.Registrations, Junk: f.Junk, IDs: f.IDs, Batch: f.Batch,
		Parallel: f.Parallel, Headers: f.Headers, CA: f.CA, OnRefused: f.OnRefused, JetStream: f.JetStream, Event: f.Event,
		Beginning: f.From == "beginning"}
	c.Linger, _ = ParseDuration(cmp.Or(f.Linger, "0s"))
	c.Timeout, _ = ParseDuration(cmp.Or(f.Timeout, "0s"))
	c.Idle, _ = ParseDuration(cmp.Or(f.Idle, "0s"))
	c.RetryMin, c.RetryMax, _ = parseRetry(f.Retry)
	return c
}

// linkForwards are those of fleets that have a web server, and no forward to it.
func linkForwards(conf *Config) (list []ForwardConfig) {
	has := map[string]bool{}
	for _, f := range conf.Forwards {
		for _, fleet := range f.Fleets {
			has[fleet] = has[fleet] || f.To == "link"
		}
	}
	for i := range conf.Listeners {
		if l := &conf.Listeners[i]; l.hasLink() && !has[l.Device.Fleet] {
			has[l.Device.Fleet] = true
			list = append(list, ForwardConfig{Name: l.Device.Fleet + linkSuffix, Fleets: []string{l.Device.Fleet}, To: "link"})
		}
	}
	return list
}

// forwardConfigs are all forwards of a configuration.
func forwardConfigs(conf *Config) []forward.Config {
	var confs []forward.Config
	for _, f := range slices.Concat(conf.Forwards, linkForwards(conf)) {
		confs = append(confs, f.forForward())
	}
	return confs
}

// openForwards opens the file of places. The forwards themselves come with their configuration.
func (sb *Switchboard) openForwards(dir string) (err error) {
	opt := forward.Options{Hub: sb.hub, Path: filepath.Join(dir, "forward.db"), Logger: sb.logger}
	opt.Link = func(fleet string) forward.Link { return sb.fleets.Link(fleet) }
	opt.Online = func(fleet string) int { return sb.fleets.Online(fleet) }
	opt.NATS = func() (*nats.Conn, error) { return sb.bus.Forwards() }
	opt.Room = func(_ context.Context, name string) (*room.Room, error) {
		return sb.openRoom(ListenerConfig{Room: name})
	}
	sb.forwards, err = forward.New(opt)
	return err
}

// Forwards are where messages of devices go, and how far that is.
func (sb *Switchboard) Forwards() []device.ForwardStatus { return sb.forwards.Status() }

// Devices is how many devices of a fleet are connected now.
func (sb *Switchboard) Devices(fleet string) int { return sb.fleets.Online(fleet) }
