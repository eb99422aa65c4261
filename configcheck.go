package switchboard

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/switchboard-relay/switchboard/service/sourceserver"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
	"github.com/switchboard-relay/switchboard/web"
)

var services = []string{"sink", "echo", "room", "relay", "shell", "bastion", "device", sourceserver.Name}

func (c *checker) config(conf *Config) {
	if conf.Node != "" {
		if err := session.CheckNode(conf.Node); err != nil {
			c.wrong("node", "%v", err)
		}
	}
	c.http(&conf.HTTP)
	r := &conf.Recording
	c.oneOf("recording.sync", r.Sync, "group", "none")
	if n := c.size("recording.queue", r.Queue, "64MiB"); n < 1<<20 {
		c.wrong("recording.queue", "%s is too little: at least 1MiB", r.Queue)
	}
	if n := c.size("recording.journal", r.Journal, "1GiB"); n < 128<<20 {
		c.wrong("recording.journal", "%s is too little: at least 128MiB", r.Journal)
	}
	c.duration("recording.retention.max_age", r.Retention.MaxAge, "")
	c.size("recording.retention.max_size", r.Retention.MaxSize, "")
	if conf.Limits.Connections < 0 {
		c.wrong("limits.connections", "must not be negative")
	}
	c.rooms(conf.Rooms)
	names, addresses := map[string]bool{}, map[string]string{}
	for i := range conf.Listeners {
		l := &conf.Listeners[i]
		path := fmt.Sprintf("listeners[%d]", i)
		c.listener(path, l)
		if names[l.Name] {
			c.wrong(path+".name", "two listeners are called %q: choose another name for one", l.Name)
		}
		names[l.Name] = true
		if other, taken := addresses[l.Listen]; taken && l.Listen != "" && !isShared(l.Listen) {
			c.wrong(path+".listen", "%s is the address of listener %q already", l.Listen, other)
		}
		addresses[l.Listen] = l.Name
	}
	c.offered(conf)
	c.deviceLinks(conf, names)
	c.webAddresses(conf)
	c.roomsAreUsed(conf)
	c.sources(conf)
	c.forwards(conf)
}

// isShared reports whether more than one listener may have an address: those of a free port, and those of HTTP, whose
// paths webAddresses looks after.
func isShared(listen string) bool {
	a, err := transport.ParseListenAddress(listen)
	return err == nil && a.IsWeb() || strings.HasSuffix(listen, ":0")
}

func (c *checker) http(h *HTTPConfig) {
	if h.Listen == "" {
		h.Listen = defaultHTTP
	}
	host, _, err := net.SplitHostPort(h.Listen)
	switch {
	case err != nil:
		c.wrong("http.listen", "%q must be HOST:PORT, as in %s", h.Listen, defaultHTTP)
	case !isLoopback(host) && h.TLS == nil && !h.Insecure:
		c.wrong("http.listen", "%s can be reached from other machines: set http.tls, or say insecure: true if something "+
			"else protects it", h.Listen)
	}
	c.tlsFiles("http.tls", h.TLS)
	if n := c.size("http.max_import", h.MaxImport, defaultMaxImport); n < 1<<20 {
		c.wrong("http.max_import", "%s is too little: at least 1MiB", h.MaxImport)
	}
	for i, name := range h.Hosts {
		if name == "" || strings.ContainsAny(name, ":/*@ ") {
			c.wrong(fmt.Sprintf("http.hosts[%d]", i), "%q is no name of a host: write chat.example.org, without a port", name)
		}
	}
	for i, text := range h.Proxies {
		if _, err := parseProxy(text); err != nil {
			c.wrong(fmt.Sprintf("http.proxies[%d]", i), "%v", err)
		}
	}
	names := map[string]bool{}
	for i, t := range h.Tokens {
		path := fmt.Sprintf("http.tokens[%d]", i)
		switch {
		case t.Name == "":
			c.wrong(path, "name is missing: it is shown as who did something")
		case t.Name == adminToken:
			c.wrong(path+".name", "%q is the token in the data folder: choose another name", t.Name)
		case names[t.Name]:
			c.wrong(path+".name", "two tokens are called %q: choose another name for one", t.Name)
		}
		names[t.Name] = true
		c.oneOf(path+".role", t.Role, "viewer", "operator", "admin")
		if sum, err := hex.DecodeString(t.SHA256); err != nil || len(sum) != 32 {
			c.wrong(path+".sha256", "must be 64 hexadecimal digits: printf %%s TOKEN | sha256sum")
		}
	}
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func (c *checker) listener(path string, l *ListenerConfig) {
	if l.Name == "" {
		c.wrong(path, "name is missing")
	} else if strings.Trim(l.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" ||
		len(l.Name) > 64 {
		c.wrong(path+".name", "%q: only letters, digits, - and _ are allowed, 64 at most", l.Name)
	} else if l.Name == web.RunListener {
		c.wrong(path+".name", "%q is the listener of what \"switchboard run\" runs: choose another name", l.Name)
	} else if l.Name == web.StreamListener {
		c.wrong(path+".name", "%q is the listener of what asciinema's program streams: choose another name", l.Name)
	}
	if l.Listen == "" {
		c.wrong(path, "listen is missing: tcp://, tls://, udp:// or ssh:// HOST:PORT, unix:///PATH, ws:// or socketio:// HOST:PORT/PATH")
	} else if a, err := transport.ParseListenAddress(l.Listen); err != nil {
		c.wrong(path+".listen", "%v", err)
	} else {
		c.byTransport(path, l, a)
	}
	if l.Service == "" {
		c.wrong(path, "service is missing: %s", strings.Join(services, ", "))
	} else {
		c.oneOf(path+".service", l.Service, services...)
		c.byService(path, l)
	}
	c.oneOf(path+".record", l.Record, "on", "strict", "off")
	c.oneOf(path+".on_failure", l.OnFailure, "end", "continue")
	c.duration(path+".idle", l.Idle, "")
	c.duration(path+".keepalive", l.KeepAlive, "")
	c.duration(path+".dial_timeout", l.DialTimeout, "")
	c.oneOf(path+".announce", l.Announce, "title", "line", "off")
	if n := c.size(path+".write_limit", l.WriteLimit, "1MiB"); n < 4096 || n > 1<<30 {
		c.wrong(path+".write_limit", "must be between 4KiB and 1GiB")
	}
	if l.Max < 0 {
		c.wrong(path+".max_sessions", "must not be negative")
	}
	if _, ok := session.ParseSize(l.Terminal); l.Terminal != "" && !ok {
		c.wrong(path+".terminal", "%q is no size of a terminal: write columns and rows, as in 80x24, each from 1 to %d",
			l.Terminal, session.MaxTerminal)
	}
}

func (c *checker) byTransport(path string, l *ListenerConfig, a transport.Address) {
	switch a.Transport {
	case "udp":
		if l.Idle == "" {
			l.Idle = defaultUDPIdle
		}
		if l.Max == 0 {
			l.Max = defaultUDPMax
		}
	case "tls":
		if l.TLS == nil {
			c.wrong(path, "%s needs a certificate: tls: {cert: FILE, key: FILE}", l.Listen)
		}
	}
	if l.TLS != nil && a.Transport != "tls" && !a.IsWeb() {
		c.wrong(path+".tls", "only goes with tls://, ws:// or socketio://; %s would ignore it", l.Listen)
	}
	c.web(path, l, a)
	c.bastionTransport(path, l, a)
	c.tlsFiles(path+".tls", l.TLS)
}

// byService refuses settings that the service would ignore.
func (c *checker) byService(path string, l *ListenerConfig) {
	only := func(key string, set bool, of ...string) {
		if set && slices.Contains(services, l.Service) && !slices.Contains(of, l.Service) {
			c.wrong(path+"."+key, "only goes with service: %s; %s would ignore it", strings.Join(of, " or "), l.Service)
		}
	}
	only("greeting", l.Greeting != "", "sink", "echo")
	only("reply", l.Reply != "", "echo")
	only("room", l.Room != "", "room")
	only("exclude_sender", l.ExcludeSender, "room")
	only("upstream", l.Upstream != "", "relay")
	only("dial_timeout", l.DialTimeout != "", "relay", "bastion")
	only("upstream_tls", l.UpstreamTLS != nil, "relay")
	only("command", l.Command != nil, "shell")
	only("dir", l.Dir != "", "shell")
	only("env", l.Env != nil, "shell")
	only("telnet", l.Telnet != "", "shell", "relay")
	only("insecure", l.Insecure, "shell", sourceserver.Name)
	only("listeners", l.Listeners != nil, sourceserver.Name)
	only("role", l.Role != "", sourceserver.Name)
	only("allow", l.Allow != nil, sourceserver.Name)
	only("bastion", l.Bastion != nil, "bastion")
	only("device", l.Device != nil, "device")
	only("terminal", l.Terminal != "", "sink", "echo", "room", "relay", "shell")
	only("write_limit", l.WriteLimit != "", "sink", "echo", "room", "relay", "shell", "device")
	switch l.Service {
	case "shell":
		c.shell(path, l)
	case "echo":
		c.oneOf(path+".reply", l.Reply, "time", "plain")
	case "room":
		if l.Room == "" {
			l.Room = l.Name
		}
	case "bastion":
		c.bastion(path, l)
	case "device":
		c.device(path, l)
	case sourceserver.Name:
		c.sourceServer(path, l)
	case "relay":
		c.telnetRelay(path, l)
		if l.Upstream == "" {
			c.wrong(path, "upstream is missing: where a relay goes, as in tcp://127.0.0.1:22")
			return
		}
		a, err := transport.ParseAddress(l.Upstream)
		if err != nil {
			c.wrong(path+".upstream", "%v", err)
		}
		if _, err := l.UpstreamTLS.load(); err != nil {
			c.wrong(path+".upstream_tls", "%v", err)
		}
		if l.UpstreamTLS != nil && a.Transport != "tls" {
			c.wrong(path+".upstream_tls", "only goes with a tls:// upstream")
		}
	}
}

// telnetRelay checks what a relay says of telnet.
func (c *checker) telnetRelay(path string, l *ListenerConfig) {
	c.oneOf(path+".telnet", l.Telnet, "true", "false")
	if l.isTelnetRelay() && strings.HasPrefix(l.Upstream, "udp:") {
		c.wrong(path+".telnet", "goes over tcp://, tls:// or unix://, not to %s", l.Upstream)
	}
	if l.isTelnetRelay() && l.Terminal == "" {
		l.Terminal = defaultTerminal
	}
}

func (c *checker) oneOf(path, value string, of ...string) {
	if value == "" || slices.Contains(of, value) {
		return
	}
	hint := ""
	if near := nearest(value, of); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	c.wrong(path, "%q is not one of %s%s", value, strings.Join(of, ", "), hint)
}

func (c *checker) tlsFiles(path string, t *TLSConfig) {
	if t == nil {
		return
	}
	if _, err := t.load(); err != nil {
		c.wrong(path, "%v", err)
	}
}

// load reads the files.
func (t *TLSConfig) load() (*tls.Config, error) {
	if t.Cert == "" || t.Key == "" {
		return nil, fmt.Errorf("cert and key are both needed: the names of PEM files")
	}
	cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	conf := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if t.ClientCA != "" {
		pool, err := loadCA(t.ClientCA)
		if err != nil {
			return nil, err
		}
		conf.ClientCAs, conf.ClientAuth = pool, tls.RequireAndVerifyClientCert
	}
	return conf, nil
}

func (t *UpstreamTLS) load() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if t == nil {
		return conf, nil
	}
	conf.ServerName, conf.InsecureSkipVerify = t.ServerName, t.Insecure
	if t.CA == "" {
		return conf, nil
	}
	pool, err := loadCA(t.CA)
	conf.RootCAs = pool
	return conf, err
}

func loadCA(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("certificate authority %s: holds no PEM certificate", file)
	}
	return pool, nil
}
