package switchboard

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"sync"

	"github.com/switchboard-relay/switchboard/announce"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/service/echo"
	"github.com/switchboard-relay/switchboard/service/fleet"
	"github.com/switchboard-relay/switchboard/service/relay"
	roomservice "github.com/switchboard-relay/switchboard/service/room"
	"github.com/switchboard-relay/switchboard/service/sink"
	"github.com/switchboard-relay/switchboard/service/sourceserver"
	sshservice "github.com/switchboard-relay/switchboard/service/ssh"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// line is one configured listener that runs.
type line struct {
	conf     ListenerConfig
	listener *hub.Listener
	addr     net.Addr
	serve    func() error
	web      *webLine            // of a path of HTTP
	bastion  *sshservice.Bastion // of ssh
}

// openLines listens on every address before any of them is served.
func (sb *Switchboard) openLines(confs []ListenerConfig) error {
	var opened []*line
	var errs []error
	for _, conf := range confs {
		l, err := sb.openLine(conf)
		if err != nil {
			errs = append(errs, fmt.Errorf("listener %q: %w", conf.Name, err))
			continue
		}
		opened = append(opened, l)
	}
	if len(errs) > 0 {
		for _, l := range opened {
			l.listener.Close()
		}
		return errors.Join(errs...)
	}
	for _, l := range opened {
		sb.lines[l.conf.Name] = l
		sb.serveLine(l)
	}
	return nil
}

func (sb *Switchboard) serveLine(l *line) {
	sb.serving.Go(func() {
		if err := l.serve(); !errors.Is(err, net.ErrClosed) {
			sb.logger.Error("a listener stopped", "listener", l.conf.Name, "error", err)
		}
	})
}

func (sb *Switchboard) openLine(conf ListenerConfig) (*line, error) {
	addr, err := transport.ParseListenAddress(conf.Listen)
	if err != nil {
		return nil, err
	}
	svc, err := sb.service(conf)
	if err != nil {
		return nil, err
	}
	l := &line{conf: conf}
	if l.listener, err = sb.hub.Listener(conf.forHub(addr, svc), svc); err != nil {
		sb.closeLink(conf.Name)
		return nil, err
	}
	switch {
	case addr.IsWeb():
		err = sb.mount(l, addr)
	case addr.Transport == "ssh":
		err = sb.listenSSH(l, addr)
	default:
		err = l.listen(addr)
	}
	if err != nil {
		l.listener.Close()
		sb.closeLink(conf.Name)
		return nil, err
	}
	return l, nil
}

func (l *line) listen(addr transport.Address) error {
	if addr.Transport == "udp" {
		p, err := transport.ListenPackets(context.Background(), addr)
		if err != nil {
			return err
		}
		l.addr, l.serve = p.Addr(), func() error { return l.listener.ServePackets(p) }
		l.listener.Attach(p)
		return nil
	}
	opt := transport.ListenOptions{}
	opt.KeepAlive, _ = ParseDuration(cmp.Or(l.conf.KeepAlive, "0s"))
	opt.DeadAfter = l.conf.deadAfter()
	if l.conf.TLS != nil {
		conf, err := l.conf.TLS.load()
		if err != nil {
			return err
		}
		opt.TLS = conf
	}
	ln, err := transport.Listen(context.Background(), addr, opt)
	if err != nil {
		return err
	}
	l.addr, l.serve = ln.Addr(), func() error { return l.listener.Serve(ln) }
	l.listener.Attach(ln)
	return nil
}

// forHub is the part of a listener's configuration that the hub acts on.
func (l *ListenerConfig) forHub(addr transport.Address, svc any) hub.ListenerConfig {
	idle, _ := ParseDuration(cmp.Or(l.Idle, "0s"))
	limit, _ := ParseSize(cmp.Or(l.WriteLimit, "0"))
	conf := hub.ListenerConfig{Name: l.Name, Address: l.Listen, Transport: addr.Transport, Service: l.Service,
		Record: l.record(), OnFailure: l.onFailure(), Idle: idle, Max: l.Max, WriteLimit: int(limit),
		Terminal: l.Terminal, Announce: announce.Way(l.Announce), AnnounceWatchers: l.AnnounceWatchers, Telnet: l.isTelnetRelay(), Through: l.through()}
	if svc, ok := svc.(*fleet.Service); ok {
		conf.Usher, conf.Fleet, conf.Frame = svc.Usher, l.Device.Fleet, string(session.JSON(l.Device.spec()))
	}
	return conf
}

// service makes what the listener does with its sessions.
func (sb *Switchboard) service(conf ListenerConfig) (any, error) {
	switch conf.Service {
	case "sink":
		return &sink.Service{Greeting: []byte(conf.Greeting)}, nil
	case "echo":
		return &echo.Service{Greeting: []byte(conf.Greeting), Plain: conf.Reply == "plain"}, nil
	case "shell":
		return conf.shellService(), nil
	case "room":
		return sb.roomService(conf)
	case sourceserver.Name:
		return conf.sourceServerService(sb.hub), nil
	case "bastion":
		return nil, nil // its connections are no sessions: see listenSSH
	case "device":
		return sb.deviceService(conf)
	case "relay":
		upstream, err := transport.ParseAddress(conf.Upstream)
		if err != nil {
			return nil, err
		}
		var tlsConf *tls.Config
		if upstream.Transport == "tls" {
			if tlsConf, err = conf.UpstreamTLS.load(); err != nil {
				return nil, err
			}
		}
		limit, _ := ParseDuration(cmp.Or(conf.DialTimeout, "0s"))
		return &relay.Service{Upstream: upstream, TLS: tlsConf, DialTimeout: limit, Telnet: conf.isTelnetRelay()}, nil
	}
	return nil, fmt.Errorf("no service is called %q", conf.Service)
}

func (sb *Switchboard) roomService(conf ListenerConfig) (any, error) {
	r, err := sb.openRoom(conf)
	if err != nil {
		return nil, err
	}
	return &roomservice.Service{Room: r, ExcludeSender: conf.ExcludeSender}, nil
}

// Addr is where the listener of a name listens, nil if there is none.
func (sb *Switchboard) Addr(name string) net.Addr {
	sb.mu.Lock()
	defer sb.mu.Unlock()
	if of, found := strings.CutSuffix(name, linkSuffix); found && sb.links[of] != nil {
		name = of
	}
	if l := sb.lines[name]; l != nil {
		return l.addr
	}
	return nil
}

// Reload makes the listeners, the sources, the forwards and the tokens those of conf. Listeners whose address stays keep their connections; other
// changes hold for sessions to come. Sessions of listeners that are gone end as "shutdown". If a new address cannot be
// listened on, that is told and everything else is done. Other settings need a restart; if any changed, the error says so.
func (sb *Switchboard) Reload(conf Config) error {
	if err := conf.Check(); err != nil {
		return err
	}
	sb.mu.Lock()
	defer sb.mu.Unlock()
	if sb.closed {
		return errors.New("switchboard is stopping")
	}
	if err := sb.auth.Replace(allTokens(sb.token, conf.HTTP.Tokens)); err != nil {
		return err
	}
	sb.web.TokensChanged()
	sb.conf.Listeners, sb.conf.HTTP.Tokens = conf.Listeners, conf.HTTP.Tokens
	sb.setCommandDefaults(conf.Listeners)
	var errs []error
	var closing sync.WaitGroup // each may wait until its clients have been told
	keep := map[string]bool{}
	for _, c := range conf.Listeners {
		if l := sb.lines[c.Name]; l != nil && l.sameSocket(c) {
			keep[c.Name] = true
			if err := sb.reconfigure(l, c, &closing); err != nil {
				errs = append(errs, fmt.Errorf("listener %q: %w", c.Name, err))
			}
		}
	}
	for name, l := range sb.lines {
		if !keep[name] {
			delete(sb.lines, name)
			sb.closeLink(name)
			closing.Go(func() {
				l.listener.Close()
				l.listener.EndAll(session.Shutdown, "its listener was taken out of the configuration")
			})
		}
	}
	closing.Wait()
	sb.conf.Sources = conf.Sources
	if err := sb.sources.Configure(sourceConfigs(conf.Sources)); err != nil {
		errs = append(errs, err)
	}
	sb.conf.Forwards = conf.Forwards
	if err := sb.forwards.Configure(forwardConfigs(&conf)); err != nil {
		errs = append(errs, err)
	}
	for _, c := range conf.Listeners {
		if keep[c.Name] {
			continue
		}
		l, err := sb.openLine(c)
		if err != nil {
			errs = append(errs, fmt.Errorf("listener %q: %w", c.Name, err))
			continue
		}
		sb.lines[c.Name] = l
		sb.serveLine(l)
	}
	if sb.needsRestart(conf) {
		errs = append(errs, errors.New("settings outside of listeners, sources, forwards and http.tokens changed: they hold after a restart"))
	}
	return errors.Join(errs...)
}

// sameSocket reports whether a configuration listens in the same way.
func (l *line) sameSocket(c ListenerConfig) bool {
	return l.conf.Listen == c.Listen && l.conf.KeepAlive == c.KeepAlive && l.conf.deadAfter() == c.deadAfter() && reflect.DeepEqual(l.conf.TLS, c.TLS)
}

// reconfigure makes a line one of the configuration. What it does no more is closed by closing's goroutines.
func (sb *Switchboard) reconfigure(l *line, c ListenerConfig, closing *sync.WaitGroup) error {
	if reflect.DeepEqual(l.conf, c) && !c.readsNames() {
		return nil
	}
	addr, err := transport.ParseListenAddress(c.Listen)
	if err != nil {
		return err
	}
	svc, err := sb.service(c)
	if err != nil {
		return err
	}
	if l.web != nil && !sameWeb(l.conf, c) {
		h, err := sb.webHandler(c, addr, l.listener)
		if err != nil {
			return err
		}
		closing.Go(l.web.exchange(h).close)
	}
	if l.bastion != nil {
		l.bastion.Configure(c.Bastion.forService(&c, sb.conf.Data))
	}
	l.conf = c
	return l.listener.Configure(c.forHub(addr, svc), svc)
}

func (sb *Switchboard) needsRestart(conf Config) bool {
	conf.Data = cmp.Or(conf.Data, DefaultData())
	before, after := sb.conf, conf
	before.Listeners, after.Listeners, before.Sources, after.Sources = nil, nil, nil, nil
	before.Forwards, after.Forwards = nil, nil
	return !reflect.DeepEqual(before, after)
}
