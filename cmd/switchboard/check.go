package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/switchboard-relay/switchboard"
)

// CheckCmd says what a configuration means, or what is wrong with it and where.
type CheckCmd struct {
	Config string `arg:"" optional:"" help:"Configuration file; without one, the default configuration." type:"path"`
}

// Run checks; nothing is listened on.
func (c *CheckCmd) Run(std *stdio) error {
	conf := switchboard.DefaultConfig()
	if c.Config != "" {
		var err error
		if conf, err = switchboard.LoadConfig(c.Config); err != nil {
			return err
		}
	}
	explain(std.out, conf)
	return nil
}

// explain writes what the configuration means, defaults included.
func explain(w io.Writer, conf switchboard.Config) {
	fmt.Fprintf(w, "Data folder  %s\n", cmp.Or(conf.Data, switchboard.DefaultData()))
	scheme := "http"
	if conf.HTTP.TLS != nil {
		scheme = "https"
	}
	console := scheme + "://" + conf.HTTP.Listen
	if !conf.HTTP.HasConsole() {
		console = "none"
	}
	fmt.Fprintf(w, "Console      %s\n", console)
	fmt.Fprintf(w, "REST         %s://%s, %d tokens besides the administrator's\n", scheme, conf.HTTP.Listen,
		len(conf.HTTP.Tokens))
	r := conf.Recording
	fmt.Fprintf(w, "Recording    sync %s, queue %s, journal %s\n", cmp.Or(r.Sync, "group"), cmp.Or(r.Queue, "64MiB"),
		cmp.Or(r.Journal, "1GiB"))
	fmt.Fprintf(w, "Retention    age %s, size %s\n", cmp.Or(r.Retention.MaxAge, "unlimited"),
		cmp.Or(r.Retention.MaxSize, "unlimited"))
	for _, s := range conf.Sources {
		explainSource(w, &s)
	}
	for _, l := range conf.Listeners {
		over, _, _ := strings.Cut(l.Listen, ":")
		fmt.Fprintf(w, "\n%s\n  listens on %s and runs %s\n", l.Name, l.Listen, describe(l.Service, over))
		if l.Service == "relay" {
			fmt.Fprintf(w, "  upstream %s, dialled for at most %s\n", l.Upstream, cmp.Or(l.DialTimeout, "5s"))
		}
		if l.Bastion != nil {
			explainBastion(w, l.Bastion)
		}
		if l.Device != nil {
			explainDevices(w, l.Device)
		}
		if l.Service == "room" {
			sender := map[bool]string{false: "included", true: "left out"}[l.ExcludeSender]
			fmt.Fprintf(w, "  room %s, the sender %s\n", l.Room, sender)
		}
		if l.Service == "shell" {
			fmt.Fprintf(w, "  command %q, in a terminal of %s; telnet %s\n", l.Command, l.Terminal, cmp.Or(l.Telnet, "auto"))
		}
		if l.Service == "source-server" {
			explainSourceServer(w, &l)
		}
		explainTerminal(w, &l)
		onFailure := cmp.Or(l.OnFailure, map[bool]string{true: "end", false: "continue"}[l.Record == "strict"])
		fmt.Fprintf(w, "  recording %s; if it fails: %s\n", cmp.Or(l.Record, "on"), onFailure)
		limit := "no limit of its own"
		if l.Max > 0 {
			limit = fmt.Sprint(l.Max)
		}
		fmt.Fprintf(w, "  silence ends a session after: %s; sessions at once: %s\n", cmp.Or(l.Idle, "never"), limit)
	}
	for i := range conf.Forwards {
		explainForward(w, &conf.Forwards[i])
	}
}

// explainForward writes whose messages go where, and from when on.
func explainForward(w io.Writer, f *switchboard.ForwardConfig) {
	whose := "every fleet"
	if len(f.Fleets) > 0 {
		whose = strings.Join(f.Fleets, ", ")
	}
	fmt.Fprintf(w, "\n%s\n  forwards what devices of %s say to %s\n", f.Name, whose, f.To)
	if strings.HasPrefix(f.To, "nats:") && !strings.HasPrefix(f.To, "nats://") {
		fmt.Fprintln(w, "  this is the bus within the server, which no other program hears: for those write nats://HOST:PORT/SUBJECT")
	}
	begin := map[bool]string{true: "with all that is on record", false: "with what comes from then on"}[f.From == "beginning"]
	fmt.Fprintf(w, "  when it is new it begins %s; a target that does not take a batch within %s is tried again after %s\n", begin,
		cmp.Or(f.Timeout, map[bool]string{true: "10m", false: "10s"}[f.To == "link"]), cmp.Or(f.Retry, "1s..30s"))
}

// explainSource writes where a source has its sessions, and how they are treated.
func explainSource(w io.Writer, s *switchboard.SourceConfig) {
	fmt.Fprintf(w, "\n%s\n  a source, asked for a session when somebody wants to see it\n", s.Name)
	for _, kind := range slices.Sorted(maps.Keys(s.Kinds)) {
		fmt.Fprintf(w, "  %s:ID at %s\n", kind, s.Kinds[kind])
	}
	fmt.Fprintf(w, "  answers within %s; a connection outlives its last viewer by %s\n", s.AnswerTimeout, s.Linger)
	fmt.Fprintf(w, "  sessions at once: %d; connections being made at once: %d\n", s.MaxSessions, s.MaxDials)
	retry := "not tried until somebody asks for a session"
	if d, _ := switchboard.ParseDuration(s.Retry); d > 0 {
		retry = "tried after 1s, then less and less often, to every " + s.Retry
	}
	fmt.Fprintf(w, "  an address that cannot be reached is %s\n", retry)
	onFailure := cmp.Or(s.OnFailure, map[bool]string{true: "end", false: "continue"}[s.Record == "strict"])
	fmt.Fprintf(w, "  recording %s; if it fails: %s; a terminal of %s until it says otherwise\n", cmp.Or(s.Record, "on"), onFailure, s.Terminal)
}

// explainTerminal writes how sessions with a terminal are shown, and who is at one told of company.
func explainTerminal(w io.Writer, l *switchboard.ListenerConfig) {
	if l.Service == "relay" && l.Terminal != "" {
		commands := ""
		if l.Telnet == "true" {
			commands = "; telnet's commands pass, and are not shown"
		}
		fmt.Fprintf(w, "  shown as a terminal of %s%s\n", l.Terminal, commands)
	}
	if l.Terminal == "" && l.Service != "bastion" {
		return
	}
	way := map[string]string{"": "by the window's title", "title": "by the window's title", "line": "by a line",
		"off": "nothing"}[l.Announce]
	whom := "somebody types along"
	if l.AnnounceWatchers {
		whom = "somebody types along or looks on"
	}
	fmt.Fprintf(w, "  when %s, who is at the terminal is told %s\n", whom, way)
}

// explainSourceServer writes whose sessions are offered, and to whom.
func explainSourceServer(w io.Writer, l *switchboard.ListenerConfig) {
	from, may := "all listeners that are no source-servers", "see and kick"
	if len(l.Listeners) > 0 {
		from = strings.Join(l.Listeners, ", ")
	}
	if l.Role == "viewer" {
		may = "see"
	}
	who := "whoever reaches it"
	if len(l.Allow) > 0 {
		who = strings.Join(l.Allow, ", ")
	}
	fmt.Fprintf(w, "  offers the sessions of %s; %s may %s them\n", from, who, may)
}

// explainBastion writes who may come in, and where they may go.
func explainBastion(w io.Writer, b *switchboard.BastionConfig) {
	for _, u := range b.Users {
		var ways []string
		for way, set := range map[string]bool{"public key": len(u.AuthorizedKeys) > 0, "password": u.Password != "",
			"certificate": len(u.CA) > 0} {
			if set {
				ways = append(ways, way)
			}
		}
		slices.Sort(ways)
		forwarding := ""
		if u.Forwarding {
			forwarding = ", and may forward ports"
		}
		to := strings.Join(u.Targets, ", ")
		switch {
		case slices.Contains(u.Targets, "*"):
			to = "every target"
		case to == "":
			to = "no target"
		}
		fmt.Fprintf(w, "  %s comes in by %s, goes to %s%s\n", u.Name, strings.Join(ways, " or "), to, forwarding)
	}
	for _, t := range b.Targets {
		fmt.Fprintf(w, "  target %s is %s, entered as %s with %s\n", t.Name, t.Address, cmp.Or(t.User, "who comes in"),
			map[string]string{"": "a key", "key": "a key", "agent": "the agent that is forwarded", "password": "a password that is typed"}[t.Enter])
	}
}

// ConfigCmd prints the configuration that runs without a file.
type ConfigCmd struct{}

// Run prints it, with its comments.
func (c *ConfigCmd) Run(std *stdio) error {
	_, err := io.WriteString(std.out, switchboard.DefaultConfigText)
	return err
}

// explainDevices says how devices are told apart, and which of them are let in.
func explainDevices(w io.Writer, d *switchboard.DeviceConfig) {
	var framers []string
	for _, f := range d.Frame {
		framers = append(framers, cmp.Or(f.Preset, f.Type))
	}
	fmt.Fprintf(w, "  fleet %s; messages are cut by %s; names from: %s\n", d.Fleet, strings.Join(framers, ", "), cmp.Or(d.NameFrom, "message"))
	fmt.Fprintf(w, "  without a name: %s; with one that is not known: %s; with one that is connected: %s\n",
		cmp.Or(d.Unregistered, "allow"), cmp.Or(d.Unknown, "allow"), cmp.Or(d.Duplicate, "newest"))
	if len(d.WebServer) > 0 {
		fmt.Fprintf(w, "  the web server connects from %s\n", strings.Join(d.WebServer, ", "))
	}
}
