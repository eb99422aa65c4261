// Package switchboard is the relay in the middle: every connection that it accepts is a session, registered, recorded,
// watched, kicked and played back. A Switchboard is made of a Config with New, and does its work in Run. Other
// programs make their own listeners and connections sessions with Listen and Wrap.
package switchboard

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/bus"
	"github.com/switchboard-relay/switchboard/command"
	"github.com/switchboard-relay/switchboard/forward"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/service/fleet"
	"github.com/switchboard-relay/switchboard/service/source"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/web"
)

// Switchboard is one running node: its listeners, its sessions and its recordings.
type Switchboard struct {
	conf    Config
	logger  *slog.Logger
	version string
	start   time.Time
	node    string

	store *recording.Store
	index *index.Index
	bus   *bus.Bus
	rooms *room.Rooms
	hub   *hub.Hub
	auth  *auth.Auth
	token string // the administrator's
	web   *web.Handler

	sources  *source.Sources
	opened   chan struct{} // closed once what is below is there
	fleets   *fleet.Fleets
	forwards *forward.Forwards

	commands        *command.Queue
	commandDefaults atomic.Pointer[map[string]command.Defaults] // by fleet

	retention hub.Retention

	mu       sync.Mutex
	lines    map[string]*line // by name
	wrapped  map[string]*hub.Listener
	links    map[string]*hub.Listener // of web servers, by the name of the listener of devices
	httpAddr net.Addr
	serving  sync.WaitGroup
	closed   bool

	frontsMu sync.Mutex        // taken behind mu
	fronts   map[string]*front // by where they listen, as configured
}

// Option changes how New makes a Switchboard.
type Option func(*Switchboard)

// WithLogger sets where it logs; the default is slog's.
func WithLogger(logger *slog.Logger) Option { return func(sb *Switchboard) { sb.logger = logger } }

// WithVersion sets the version that the API tells.
func WithVersion(version string) Option { return func(sb *Switchboard) { sb.version = version } }

// New makes a node: it opens the data folder and its recordings, and listens on every address of the configuration, so
// that what cannot work is told before anything begins. Run serves; Close ends it. Errors say what to do.
func New(conf Config, options ...Option) (_ *Switchboard, err error) {
	sb := &Switchboard{conf: conf, logger: slog.Default(), version: "devel", start: time.Now(),
		lines: map[string]*line{}, wrapped: map[string]*hub.Listener{},
		links: map[string]*hub.Listener{}, fronts: map[string]*front{},
		opened: make(chan struct{})}
	for _, option := range options {
		option(sb)
	}
	if err := sb.conf.Check(); err != nil {
		return nil, err
	}
	sb.conf.Data = cmp.Or(sb.conf.Data, DefaultData())
	defer func() {
		if err != nil {
			sb.Close()
		}
	}()
	if err := sb.openData(); err != nil {
		return nil, err
	}
	if err := sb.openHTTP(); err != nil {
		return nil, err
	}
	if err := sb.forwards.Configure(forwardConfigs(&sb.conf)); err != nil {
		return nil, err
	}
	if err := sb.openLines(sb.conf.Listeners); err != nil {
		return nil, err
	}
	if err := sb.sources.Configure(sourceConfigs(sb.conf.Sources)); err != nil {
		return nil, err
	}
	return sb, sb.writeServerFile()
}

// openData opens what lies in the data folder, and the hub over it.
func (sb *Switchboard) openData() error {
	dir := sb.conf.Data
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data folder: %w: choose another with --data, or make it writable", err)
	}
	var err error
	if sb.node, err = nodeName(dir, sb.conf.Node); err != nil {
		return err
	}
	if sb.token, err = auth.LoadOrCreate(filepath.Join(dir, "token")); err != nil {
		return fmt.Errorf("administrator's token: %w", err)
	}
	if sb.auth, err = auth.New(allTokens(sb.token, sb.conf.HTTP.Tokens)); err != nil {
		return err
	}
	inbox := hub.NewInbox()
	if sb.store, err = recording.Open(sb.recordingOptions(inbox)); err != nil {
		return err
	}
	if sb.index, err = index.Open(filepath.Join(dir, "index.db")); err != nil {
		return err
	}
	if sb.bus, err = bus.Open(bus.Options{StoreDir: filepath.Join(dir, "bus"), Logger: sb.logger}); err != nil {
		return err
	}
	age, _ := ParseDuration(cmp.Or(sb.conf.Recording.Retention.MaxAge, "0s"))
	size, _ := ParseSize(cmp.Or(sb.conf.Recording.Retention.MaxSize, "0"))
	sb.retention = hub.Retention{MaxAge: age, MaxSize: size}
	sb.hub, err = hub.New(hub.Options{Node: sb.node, Store: sb.store, Index: sb.index, Inbox: inbox, Bus: sb.bus,
		Retention: sb.retention, MaxConnections: sb.conf.Limits.Connections, Logger: sb.logger, Holds: sb.holds})
	if err != nil {
		return err
	}
	sb.rooms, err = room.New(room.Options{Bus: sb.bus, Store: sb.store, Node: sb.node, Logger: sb.logger,
		Began: sb.hub.TrackRoom, Ended: sb.hub.ForgetRoom})
	if err != nil {
		return err
	}
	sb.sources = source.New(sb.hub, sb.logger)
	if err := sb.openCommands(); err != nil {
		return err
	}
	if err := sb.openForwards(dir); err != nil {
		return err
	}
	sb.fleets, err = fleet.New(fleet.Options{Hub: sb.hub, Path: filepath.Join(dir, "fleet.db"), Logger: sb.logger, Commander: sb.commands,
		Followers: []fleet.Follower{sb.forwards}})
	if err != nil {
		return err
	}
	close(sb.opened)
	return nil
}

// holds reports whether retention is to leave a recording: all of them until it is known what is to be forwarded.
func (sb *Switchboard) holds(id session.ID) bool {
	select {
	case <-sb.opened:
		return sb.forwards.Holds(id)
	default:
		return true
	}
}

func (sb *Switchboard) recordingOptions(inbox *hub.Inbox) recording.Options {
	r := sb.conf.Recording
	queue, _ := ParseSize(cmp.Or(r.Queue, "64MiB"))
	journal, _ := ParseSize(cmp.Or(r.Journal, "1GiB"))
	opt := recording.Options{Dir: sb.conf.Data, QueueLimit: queue, JournalLimit: journal, OnSealed: inbox.Add,
		Logger: sb.logger}
	if r.Sync == "none" {
		opt.Sync = recording.SyncNone
	}
	opt.OnFailed = func(err error) { sb.logger.Error("recordings cannot be written", "error", err) }
	opt.OnRecovered = func() { sb.logger.Info("recordings are written again") }
	return opt
}

// adminToken is the name of the token in the data folder.
const adminToken = "admin"

// allTokens are the administrator's and those of the configuration.
func allTokens(admin string, more []TokenConfig) []auth.Token {
	tokens := []auth.Token{{Name: adminToken, Role: auth.Admin, SHA256: auth.Hash(admin)}}
	for _, t := range more {
		tokens = append(tokens, auth.Token{Name: t.Name, Role: auth.Role(cmp.Or(t.Role, "viewer")), SHA256: t.SHA256})
	}
	return tokens
}

// nodeName is the configured name, else the one that the data folder keeps, made the first time.
func nodeName(dir, configured string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	file := filepath.Join(dir, "node")
	if b, err := os.ReadFile(file); err == nil {
		name := strings.TrimSpace(string(b))
		if err := session.CheckNode(name); err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
		return name, nil
	}
	name := string(session.NewID("x"))[:4]
	if err := os.WriteFile(file, []byte(name+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("data folder: %w", err)
	}
	return name, nil
}

// openHTTP listens where the console and REST are served.
func (sb *Switchboard) openHTTP() error {
	most, _ := ParseSize(cmp.Or(sb.conf.HTTP.MaxImport, defaultMaxImport))
	opt := web.Options{Hub: sb.hub, MaxImport: most, Rooms: sb.rooms, Auth: sb.auth, Version: sb.version, Node: sb.node,
		Data: sb.conf.Data, Start: sb.start, Hosts: httpHosts(sb.conf.HTTP), Logger: sb.logger, Retention: sb.retention,
		Seal: sb.token, Sources: sb.sources, Devices: sb.fleets,
		Commands: deviceCommands{sb.commands, sb}, Forwards: sb.forwards}
	if sb.conf.HTTP.HasConsole() {
		opt.Secret = sb.token
	}
	sb.web = web.New(opt)
	f, err := sb.openFront(sb.conf.HTTP, sb.web)
	if err != nil {
		return err
	}
	sb.httpAddr = f.addr
	return nil
}

// httpHosts are the names under which REST may be asked for on a loopback address: the configured one, if it is a name.
func httpHosts(conf HTTPConfig) []string {
	host, _, err := net.SplitHostPort(conf.Listen)
	if err != nil || host == "" || net.ParseIP(host) != nil {
		return conf.Hosts
	}
	return append([]string{host}, conf.Hosts...)
}

// URL is where the console and REST are served.
func (sb *Switchboard) URL() string {
	scheme := "http"
	if sb.conf.HTTP.TLS != nil {
		scheme = "https"
	}
	host, port, _ := net.SplitHostPort(sb.httpAddr.String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// ConsoleLink makes a link to the console that signs in once as the administrator: whoever has it may do everything. It is
// good until it is used, or the node is closed; empty if there is no console.
func (sb *Switchboard) ConsoleLink() string {
	code := sb.web.Code(adminToken)
	if code == "" {
		return ""
	}
	return sb.URL() + web.LinkPath(code)
}

// Data is the data folder.
func (sb *Switchboard) Data() string { return sb.conf.Data }

// Hub is the live sessions of this node, for programs that do more than listen.
func (sb *Switchboard) Hub() *hub.Hub { return sb.hub }

// Rooms are the open rooms, by name.
func (sb *Switchboard) Rooms() []*room.Room { return sb.rooms.List() }

func (sb *Switchboard) serverFile() string { return filepath.Join(sb.conf.Data, "server.json") }

// writeServerFile tells the command line where this server is.
func (sb *Switchboard) writeServerFile() error {
	b, err := json.Marshal(map[string]any{"url": sb.URL(), "pid": os.Getpid()})
	if err != nil {
		return err
	}
	if err := os.WriteFile(sb.serverFile(), append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return nil
}

// Run serves until the context ends, then stops as Close does.
func (sb *Switchboard) Run(ctx context.Context) error {
	<-ctx.Done()
	return sb.Close()
}

// stopLimit bounds how long a stop may take before it is given up.
const stopLimit = 30 * time.Second

// indexLimit bounds how long a stop waits for the index: what it lacks is added at the next start.
const indexLimit = 5 * time.Second

// Close stops: doors shut, every session is ended as "shutdown", everything is sealed. It may be called more than once.
func (sb *Switchboard) Close() error {
	sb.mu.Lock()
	if sb.closed {
		sb.mu.Unlock()
		return nil
	}
	sb.closed = true
	sb.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	var errs []error
	try := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	if sb.sources != nil {
		sb.sources.Close()
	}
	if sb.hub != nil {
		try(sb.hub.Shutdown(ctx))
	}
	try(sb.forwards.Close())
	try(sb.fleets.Close())
	if sb.rooms != nil {
		try(sb.rooms.Close())
	}
	if sb.web != nil {
		try(sb.web.Close())
	}
	for _, f := range sb.fronts {
		try(f.server.Close())
	}
	if sb.commands != nil {
		try(sb.commands.Close())
	}
	sb.serving.Wait()
	if sb.store != nil {
		try(sb.store.Close())
	}
	if sb.hub != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), indexLimit)
		try(sb.hub.FinishIndex(last))
		cancel()
		if len(errs) == 0 && sb.hub.IsComplete() {
			try(sb.index.SetComplete(ctx))
		}
	}
	if sb.bus != nil {
		try(sb.bus.Close())
	}
	if sb.index != nil {
		try(sb.index.Close())
	}
	if sb.httpAddr != nil {
		os.Remove(sb.serverFile())
	}
	return errors.Join(errs...)
}
