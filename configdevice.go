package switchboard

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/service/fleet"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// DeviceConfig is how the devices of a listener are treated. docs/devices.md describes it.
type DeviceConfig struct {
	Fleet string            `yaml:"fleet"` // within which a device's name is its own; default the listener's name
	Frame frame.FramerSpecs `yaml:"frame"` // how messages are cut: a preset, or a list of presets and framers; default raw

	Register   *frame.RegisterSpec   `yaml:"register"`   // how names are found in messages, besides what presets know
	Heartbeats []frame.HeartbeatSpec `yaml:"heartbeats"` // messages that say only that the device is there
	NameFrom   string                `yaml:"name_from"`  // message (default), port, address, or certificate: its common name

	RegisterTimeout string   `yaml:"register_timeout"` // for saying a name; default none, 1m where those without are held or rejected
	Unregistered    string   `yaml:"unregistered"`     // those who have not said one by then: allow (as "unknown"), hold or reject; default as unknown
	Known           []string `yaml:"known"`            // names that are known; * stands for anything; default all
	KnownFile       string   `yaml:"known_file"`       // and a file of them, one a line
	Unknown         string   `yaml:"unknown"`          // names that are not known: allow (default), hold or reject
	Duplicate       string   `yaml:"duplicate"`        // a name that is connected comes again: newest (default) wins, refuse, or many
	AckDevice       string   `yaml:"ack_device"`       // replies to devices: at_once (default), or after_stored: when what they answer is on disk

	DeadAfter    string `yaml:"dead_after"`    // a device that vanished without a word is gone by then; default 30s
	IdleReceived string `yaml:"idle_received"` // silence of the device that ends its session; default never
	IdleSent     string `yaml:"idle_sent"`     // and ours; default never

	WebServer []string `yaml:"web_server"` // addresses and networks of the web server, which is no device

	MaxDevices      int     `yaml:"max_devices"`                  // connected at once; default no limit
	MaxUnregistered int     `yaml:"max_unregistered_per_address"` // connections without a name of one address; default 100; -1: no limit
	ConnectRate     float64 `yaml:"connect_rate"`                 // new connections a second of one address; default 50; -1: no limit
	MessageRate     float64 `yaml:"message_rate"`                 // messages a second of one device, which is read slower beyond; default no limit
	ByteRate        string  `yaml:"byte_rate"`                    // and bytes, as in 64KiB

	Command DeviceCommandConfig `yaml:"command"` // defaults of what devices are told
}

// DeviceCommandConfig are the defaults of commands to a listener's devices.
type DeviceCommandConfig struct {
	TTL string         `yaml:"ttl"` // how long one may wait to be written; default 1h
	Ack device.AckRule `yaml:"ack"` // how a device acknowledges one; default not at all
}

const (
	defaultDeviceKeepAlive = 10 * time.Second
	defaultDeadAfter       = "30s"
	defaultRegisterTimeout = "1m"
	defaultCommandTTL      = "1h"
	defaultUnregistered    = 100
	defaultConnectRate     = 50

	// linkSuffix is behind a listener's name in that of its web server's connections.
	linkSuffix = "-web"
)

// device checks what service: device needs, and sets what was left out.
func (c *checker) device(path string, l *ListenerConfig) {
	if l.Device == nil {
		l.Device = &DeviceConfig{}
	}
	d := l.Device
	at := path + ".device"
	d.Fleet = cmp.Or(d.Fleet, l.Name)
	if strings.ContainsAny(d.Fleet, "/\x00\r\n") || len(d.Fleet) > 64 {
		c.wrong(at+".fleet", "%q: at most 64 bytes, without /", d.Fleet)
	}
	if len(d.Frame) == 0 {
		d.Frame = frame.FramerSpecs{{Type: "raw"}}
	}
	c.deviceFrame(at, d)
	c.oneOf(at+".name_from", d.NameFrom, "message", "port", "address", "certificate")
	c.oneOf(at+".unregistered", d.Unregistered, "allow", "hold", "reject")
	c.oneOf(at+".unknown", d.Unknown, "allow", "hold", "reject")
	c.oneOf(at+".duplicate", d.Duplicate, "newest", "refuse", "many")
	c.oneOf(at+".ack_device", d.AckDevice, "at_once", "after_stored")
	c.deviceNames(at, d)
	c.deviceTimes(path, l)
	c.deviceLimits(at, d)
	for i, text := range d.WebServer {
		if _, err := parseProxy(text); err != nil {
			c.wrong(fmt.Sprintf("%s.web_server[%d]", at, i), "%v", err)
		}
	}
	c.checkCommand(at+".command", &d.Command)
	c.deviceTransport(path, l)
	if d.AckDevice == "after_stored" {
		switch {
		case l.Record == "off":
			c.wrong(at+".ack_device", "after_stored needs a record: with record: off nothing is stored")
		case l.OnFailure == "continue":
			c.wrong(path+".on_failure", "continue would acknowledge what was not stored: say end, or ack_device: at_once")
		}
		l.OnFailure = string(session.OnFailureEnd)
	}
}

// deviceFrame checks how messages are cut.
func (c *checker) deviceFrame(at string, d *DeviceConfig) {
	_, err := frame.Compile(d.spec())
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	for _, err := range list {
		var wrong *frame.SpecError
		switch {
		case errors.As(err, &wrong):
			c.wrong(at+"."+strings.Replace(wrong.Key, "framers", "frame", 1), "%s", wrong.Problem)
		case err != nil:
			c.wrong(at+".frame", "%v", err)
		}
	}
}

// deviceNames checks which names are known.
func (c *checker) deviceNames(at string, d *DeviceConfig) {
	if d.Known != nil && len(d.Known) == 0 && d.KnownFile == "" {
		c.wrong(at+".known", "is empty, so no name would be known: name some, or leave it out")
	}
	if _, err := d.known(); err != nil {
		c.wrong(at+".known_file", "%v", err)
	}
	if d.Unknown == "reject" && d.Known == nil && d.KnownFile == "" {
		c.wrong(at+".unknown", "reject has no effect, since every name is known: set known or known_file")
	}
	if (d.Unknown == "" || d.Unknown == "allow") && (len(d.Known) > 0 || d.KnownFile != "") {
		c.wrong(at+".unknown", "allow takes every name, so known and known_file have no effect: say hold or reject")
	}
	if strict := d.Unknown == "hold" || d.Unknown == "reject"; strict && d.Unregistered == "allow" {
		c.wrong(at+".unregistered", "allow lets in whoever says something before a name, so that unknown: %s keeps nobody out: say %s, or leave it out", d.Unknown, d.Unknown)
	} else if strict {
		d.Unregistered = cmp.Or(d.Unregistered, d.Unknown)
	}
	if (d.Unregistered == "hold" || d.Unregistered == "reject") && d.RegisterTimeout == "" {
		d.RegisterTimeout = defaultRegisterTimeout
	}
}

// deviceTimes checks what silence means.
func (c *checker) deviceTimes(path string, l *ListenerConfig) {
	d, at := l.Device, path+".device"
	c.duration(at+".register_timeout", d.RegisterTimeout, "")
	c.duration(at+".idle_received", d.IdleReceived, "")
	c.duration(at+".idle_sent", d.IdleSent, "")
	if strings.HasPrefix(l.Listen, "udp:") {
		return
	}
	d.DeadAfter = cmp.Or(d.DeadAfter, defaultDeadAfter)
	dead := c.duration(at+".dead_after", d.DeadAfter, "")
	if l.KeepAlive == "" {
		l.KeepAlive = min(defaultDeviceKeepAlive, max(time.Second, (dead/3).Truncate(time.Second))).String()
	}
	probe, err := ParseDuration(l.KeepAlive)
	if err == nil && dead > 0 && dead < probe+2*time.Second {
		c.wrong(at+".dead_after", "%s is too soon behind keepalive, %s, when the first probe is sent: at least 2s more", d.DeadAfter, l.KeepAlive)
	}
}

func (c *checker) deviceLimits(at string, d *DeviceConfig) {
	if d.MaxDevices < 0 {
		c.wrong(at+".max_devices", "must not be negative; 0 is no limit")
	}
	if d.MaxUnregistered < -1 {
		c.wrong(at+".max_unregistered_per_address", "must not be negative; -1 is no limit")
	}
	if d.ConnectRate < 0 && d.ConnectRate != -1 {
		c.wrong(at+".connect_rate", "must not be negative; -1 is no limit")
	}
	if d.MessageRate < 0 {
		c.wrong(at+".message_rate", "must not be negative; 0 is no limit")
	}
	c.size(at+".byte_rate", d.ByteRate, "")
}

// deviceTransport refuses settings that a transport would ignore.
func (c *checker) deviceTransport(path string, l *ListenerConfig) {
	a, err := transport.ParseListenAddress(l.Listen)
	if err != nil {
		return // which was told
	}
	d, at := l.Device, path+".device"
	if !slices.Contains([]string{"tcp", "tls", "udp", "unix"}, a.Transport) {
		c.wrong(path+".service", "device goes over tcp://, tls://, udp:// or unix://, not over %s", a.Transport)
	}
	if d.NameFrom == "certificate" && (a.Transport != "tls" || l.TLS == nil || l.TLS.ClientCA == "") {
		c.wrong(at+".name_from", "certificate goes with tls:// and tls.client_ca: only then does a device show one")
	}
	if (d.NameFrom == "port" || d.NameFrom == "address") && a.Transport == "unix" {
		c.wrong(at+".name_from", "%s: a Unix socket has none", d.NameFrom)
	}
	if a.Transport != "udp" {
		return
	}
	if d.WebServer != nil {
		c.wrong(at+".web_server", "goes over tcp:// and tls://: the web server connects to those of the same fleet")
	}
	if d.DeadAfter != "" {
		c.wrong(at+".dead_after", "goes over tcp:// and tls://; over udp:// idle or idle_received tells who is gone")
	}
	if d.MessageRate > 0 || d.ByteRate != "" {
		c.wrong(at, "message_rate and byte_rate go over tcp:// and tls://, where a device can be read slower")
	}
}

// deviceLinks looks that the listeners of web servers have names of their own.
func (c *checker) deviceLinks(conf *Config, names map[string]bool) {
	for i := range conf.Listeners {
		l := &conf.Listeners[i]
		if l.hasLink() && names[l.Name+linkSuffix] {
			c.wrong(fmt.Sprintf("listeners[%d].name", i), "%q is the listener of its web server's connections: choose another name for the other", l.Name+linkSuffix)
		}
	}
}

func (l *ListenerConfig) hasLink() bool { return l.Device != nil && len(l.Device.WebServer) > 0 }

// readsNames reports whether the listener has names in a file, which may have changed.
func (l *ListenerConfig) readsNames() bool { return l.Device != nil && l.Device.KnownFile != "" }

// spec is how messages are cut.
func (d *DeviceConfig) spec() frame.Spec {
	return frame.Spec{Framers: d.Frame, Register: d.Register, Heartbeats: d.Heartbeats}
}

// maxKnown is the largest file of names that is read, in bytes.
const maxKnown = 64 << 20

// known tells which names are known, nil if all are.
func (d *DeviceConfig) known() (func(name string) bool, error) {
	if d.Known == nil && d.KnownFile == "" {
		if d.Unknown == "hold" {
			return func(string) bool { return false }, nil // each name waits until somebody admits it
		}
		return nil, nil
	}
	patterns, names := []string(nil), map[string]bool{}
	add := func(name string) {
		if strings.Contains(name, "*") {
			patterns = append(patterns, name)
		} else {
			names[name] = true
		}
	}
	for _, name := range d.Known {
		add(name)
	}
	if d.KnownFile != "" {
		more, err := readNames(d.KnownFile)
		if err != nil {
			return nil, err
		}
		for name := range maps.Keys(more) {
			add(name)
		}
	}
	return func(name string) bool {
		return names[name] || slices.ContainsFunc(patterns, func(p string) bool { return fleet.Matches(p, name) })
	}, nil
}

// readNames reads a file with a name on each line; # begins a comment.
func readNames(file string) (map[string]bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() > maxKnown {
		return nil, fmt.Errorf("%s: must be a file of at most %d MiB, with a name on each line", file, maxKnown>>20)
	}
	names := map[string]bool{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, _, _ := strings.Cut(lines.Text(), "#")
		if name = strings.TrimSpace(name); name != "" {
			names[name] = true
		}
	}
	return names, lines.Err()
}

// deadAfter is when a peer that vanished is given up; 0: by keepalive alone.
func (l *ListenerConfig) deadAfter() time.Duration {
	if l.Device == nil {
		return 0
	}
	d, _ := ParseDuration(cmp.Or(l.Device.DeadAfter, "0s"))
	return d
}

// unlimited makes a limit of a number whose 0 is a default, and -1 none.
func unlimited[T int | float64](n, byDefault T) T {
	switch {
	case n < 0:
		return 0
	case n == 0:
		return byDefault
	}
	return n
}

// deviceService makes what the listener does with its devices, and sees to the listener of its web server.
func (sb *Switchboard) deviceService(conf ListenerConfig) (*fleet.Service, error) {
	d := conf.Device
	dialect, err := frame.Compile(d.spec())
	if err != nil {
		return nil, err
	}
	known, err := d.known()
	if err != nil {
		return nil, err
	}
	f := fleet.Config{Listener: conf.Name, Fleet: d.Fleet, Dialect: dialect, NameFrom: fleet.Naming(d.NameFrom),
		Unregistered: fleet.Policy(d.Unregistered), Known: known, Unknown: fleet.Policy(d.Unknown),
		Duplicate: fleet.Duplicate(d.Duplicate), AckStored: d.AckDevice == "after_stored", MaxDevices: d.MaxDevices,
		MaxUnregistered: unlimited(d.MaxUnregistered, defaultUnregistered),
		ConnectRate:     unlimited(d.ConnectRate, defaultConnectRate), MessageRate: d.MessageRate}
	f.RegisterTimeout, _ = ParseDuration(cmp.Or(d.RegisterTimeout, "0s"))
	f.IdleReceived, _ = ParseDuration(cmp.Or(d.IdleReceived, "0s"))
	f.IdleSent, _ = ParseDuration(cmp.Or(d.IdleSent, "0s"))
	bytes, _ := ParseSize(cmp.Or(d.ByteRate, "0"))
	f.ByteRate = float64(bytes)
	for _, text := range d.WebServer {
		if p, err := parseProxy(text); err == nil { // which was checked
			f.WebServer = append(f.WebServer, p)
		}
	}
	if f.Link, err = sb.linkListener(conf, f.WebServer); err != nil {
		return nil, err
	}
	return sb.fleets.Service(f)
}

// linkListener is the listener of a web server's connections, nil if there is to be none.
func (sb *Switchboard) linkListener(conf ListenerConfig, from []netip.Prefix) (*hub.Listener, error) {
	if len(from) == 0 {
		sb.closeLink(conf.Name)
		return nil, nil
	}
	addr, err := transport.ParseListenAddress(conf.Listen)
	if err != nil {
		return nil, err
	}
	hc := hub.ListenerConfig{Name: conf.Name + linkSuffix, Address: conf.Listen, Transport: addr.Transport, Service: "link",
		Record: session.RecordOff, OnFailure: session.OnFailureContinue}
	svc := sb.fleets.LinkService(conf.Device.Fleet)
	if l := sb.links[conf.Name]; l != nil {
		return l, l.Configure(hc, svc)
	}
	l, err := sb.hub.Listener(hc, svc)
	if err == nil {
		sb.links[conf.Name] = l
	}
	return l, err
}

// closeLink ends the web server's connections of a listener.
func (sb *Switchboard) closeLink(name string) {
	l := sb.links[name]
	if l == nil {
		return
	}
	delete(sb.links, name)
	l.Close()
	l.EndAll(session.Shutdown, "its listener was taken out of the configuration")
}
