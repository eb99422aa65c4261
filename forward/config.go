package forward

import (
	"cmp"
	"fmt"
	"net/textproto"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/session"
)

// Config is one forward. Zero values mean the defaults.
type Config struct {
	Name   string
	Fleets []string // whose messages; empty: all
	// To is where they go: link, http:// or https:// and all behind it, nats:SUBJECT, nats://HOST:PORT/SUBJECT, tcp:// or
	// tls:// HOST:PORT, or room:NAME. In a subject, {fleet} and {name} are the device's.
	To string

	Encoding device.Encoding // of a message's bytes in JSON; default buffer for link, else base64
	Template string          // what is sent of each message instead: a text/template; see Fields

	Heartbeats      bool // forward them as well
	NoRegistrations bool // leave them out
	Junk            bool // forward it as well
	IDs             bool // link: say each message's id as well

	Batch    int           // messages that are delivered together; default 100 for http, else as many as fit
	Linger   time.Duration // how long a batch that is not full waits for more; default 0: not at all
	Timeout  time.Duration // for the target to take a batch; default 10s; link 10m
	RetryMin time.Duration // before the second attempt, doubled each time; default 1s
	RetryMax time.Duration // at most; default 30s
	Parallel int           // batches under way at once, each of other devices; default 4 for http, 64 for tcp, else 1

	Headers   map[string]string // http: "file:PATH" and "env:NAME" stand for what is there
	CA        string            // https, tls: a file of certificates, PEM; default the system's
	OnRefused string            // http: skip (default) what the target says that it will never take, or stop

	JetStream bool          // nats: acknowledged by the stream that stores it, instead of by the server
	Event     string        // room: the event's name; default device
	Idle      time.Duration // tcp: a connection without bytes is closed after it; default 5m

	Beginning bool // begin with what is on record; default: with what comes from now on
}

// Limits of a forward, and its defaults.
const (
	batchBytes = 1 << 20 // of one batch, as it is sent
	mostBatch  = 10_000  // messages of one batch
	httpBatch  = 100
	mostLinger = time.Minute
	mostHeader = 64

	linkTimeout = 10 * time.Minute

	httpParallel = 4
	tcpParallel  = 64
	mostParallel = 256

	// MaxForwards is how many there can be.
	MaxForwards = 64
	// MaxName is the longest name, in bytes.
	MaxName = 72
)

func (c Config) withDefaults() Config {
	kind := c.kind()
	batch, parallel := mostBatch, 1
	switch kind {
	case "http":
		batch, parallel = httpBatch, httpParallel
	case "tcp":
		parallel = tcpParallel
	}
	c.Batch, c.Parallel = cmp.Or(c.Batch, batch), cmp.Or(c.Parallel, parallel)
	timeout := 10 * time.Second
	if kind == "link" {
		timeout = linkTimeout // one that takes nothing is ended before by its fleet
	}
	c.Timeout = cmp.Or(c.Timeout, timeout)
	c.RetryMin, c.RetryMax = cmp.Or(c.RetryMin, time.Second), cmp.Or(c.RetryMax, 30*time.Second)
	c.OnRefused = cmp.Or(c.OnRefused, "skip")
	c.Event = cmp.Or(c.Event, "device")
	c.Idle = cmp.Or(c.Idle, 5*time.Minute)
	return c
}

// kind is what a forward goes to: link, http, nats, tcp or room; empty if it is none of these.
func (c *Config) kind() string {
	switch {
	case c.To == "link":
		return "link"
	case strings.HasPrefix(c.To, "http://"), strings.HasPrefix(c.To, "https://"):
		return "http"
	case strings.HasPrefix(c.To, "nats:"):
		return "nats"
	case strings.HasPrefix(c.To, "tcp://"), strings.HasPrefix(c.To, "tls://"):
		return "tcp"
	case strings.HasPrefix(c.To, "room:"):
		return "room"
	}
	return ""
}

func (c *Config) takes(fleet string) bool {
	return len(c.Fleets) == 0 || slices.Contains(c.Fleets, fleet)
}

// Problem is what is wrong with a key of a Config, and what would be right.
type Problem struct {
	Key  string // as in the configuration file; empty: the whole
	Text string
}

func (p Problem) Error() string {
	if p.Key == "" {
		return p.Text
	}
	return p.Key + ": " + p.Text
}

// Check tells all that is wrong.
func (c Config) Check() (wrong []Problem) {
	say := func(key, text string, args ...any) { wrong = append(wrong, Problem{key, fmt.Sprintf(text, args...)}) }
	if c.Name == "" || len(c.Name) > MaxName || strings.ContainsAny(c.Name, "/\x00\r\n") {
		say("name", "%q: 1 to %d bytes, without /", c.Name, MaxName)
	}
	kind := c.kind()
	c.checkTo(kind, say)
	switch c.Encoding {
	case "", device.Buffer, device.Hex, device.Base64, device.Text:
	default:
		say("encoding", "%q is not one of buffer, hex, base64, text", c.Encoding)
	}
	if c.Template != "" {
		if _, err := parseTemplate(c.Template); err != nil {
			say("template", "%v", err)
		}
		if c.Encoding != "" {
			say("encoding", "goes without a template, which has .hex, .base64 and .text")
		}
	}
	only := func(key string, set bool, of ...string) {
		if set && kind != "" && !slices.Contains(of, kind) {
			say(key, "goes with to: %s, not with %s", strings.Join(of, " or "), c.To)
		}
	}
	only("ids", c.IDs, "link")
	only("encoding", c.Encoding != "", "link", "http", "nats", "room")
	only("template", c.Template != "", "http", "nats", "room", "link")
	only("batch", c.Batch != 0, "link", "http", "nats", "room")
	only("headers", c.Headers != nil, "http")
	only("on_refused", c.OnRefused != "", "http")
	only("ca", c.CA != "", "http", "tcp")
	only("jetstream", c.JetStream, "nats")
	only("event", c.Event != "", "room")
	only("idle", c.Idle != 0, "tcp")
	only("parallel", c.Parallel != 0, "http", "tcp")
	if c.CA != "" {
		if _, err := loadCA(c.CA); err != nil {
			say("ca", "%v", err)
		}
	}
	if c.OnRefused != "" && c.OnRefused != "skip" && c.OnRefused != "stop" {
		say("on_refused", "%q is neither skip nor stop", c.OnRefused)
	}
	if c.Batch < 0 || c.Batch > mostBatch {
		say("batch", "must be between 1 and %d messages", mostBatch)
	}
	if c.Parallel < 0 || c.Parallel > mostParallel {
		say("parallel", "must be between 1 and %d", mostParallel)
	}
	if c.Linger < 0 || c.Linger > mostLinger {
		say("linger", "must be at most %v", mostLinger)
	}
	if c.RetryMax != 0 && c.RetryMax < c.RetryMin {
		say("retry", "the second must not be shorter than the first: write 1s..30s")
	}
	if len(c.Headers) > mostHeader {
		say("headers", "%d at most", mostHeader)
	}
	for name, value := range c.Headers {
		if name == "" || strings.ContainsAny(name, " :\r\n") || textproto.CanonicalMIMEHeaderKey(name) == "Content-Length" {
			say("headers", "%q is no name of a header that can be set", name)
		}
		if _, err := secret(value); err != nil {
			say("headers."+name, "%v", err)
		}
	}
	return wrong
}

func (c *Config) checkTo(kind string, say func(key, text string, args ...any)) {
	switch kind {
	case "":
		say("to", "%q: write link, http://…, https://…, nats:SUBJECT, nats://HOST:PORT/SUBJECT, tcp://HOST:PORT, tls://HOST:PORT or room:NAME", c.To)
	case "link":
		if len(c.Fleets) != 1 {
			say("fleets", "a link is one fleet's: name one")
		}
	case "http":
		u, err := url.Parse(c.To)
		if err != nil || u.Host == "" {
			say("to", "%q is no URL: write https://HOST/PATH", c.To)
		} else if u.User != nil {
			say("to", "a URL here has no password: use headers, as in headers: {Authorization: file:PATH}")
		}
	case "nats":
		if _, _, err := parseSubject(c.To); err != nil {
			say("to", "%v", err)
		}
	case "tcp":
		if _, err := parseTCP(c.To); err != nil {
			say("to", "%v", err)
		}
	case "room":
		if strings.TrimPrefix(c.To, "room:") == "" {
			say("to", "the room's name is missing: room:NAME")
		}
		if c.Event != "" {
			if err := session.CheckEventName(c.Event); err != nil {
				say("event", "%v", err)
			}
		}
	}
}

// secret is a header's value: that of a file or of the environment, where it says so.
func secret(value string) (string, error) {
	if path, is := strings.CutPrefix(value, "file:"); is {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		value = strings.TrimSpace(string(b))
	} else if name, is := strings.CutPrefix(value, "env:"); is {
		v, there := os.LookupEnv(name)
		if !there {
			return "", fmt.Errorf("the environment has no %s", name)
		}
		value = v
	}
	if strings.ContainsAny(value, "\r\n\x00") {
		return "", fmt.Errorf("a header's value is one line")
	}
	return value, nil
}
