package switchboard

import (
	"net"
	"os/exec"
	"strconv"
	"strings"

	"github.com/switchboard-relay/switchboard/service/shell"
	"github.com/switchboard-relay/switchboard/transport"
)

const (
	defaultTerminal = "80x24"
	defaultShellMax = 100
)

// shell checks what service: shell needs: whoever reaches it does what the server's user may do.
func (c *checker) shell(path string, l *ListenerConfig) {
	if l.Terminal == "" {
		l.Terminal = defaultTerminal
	}
	if l.Max == 0 {
		l.Max = defaultShellMax
	}
	c.oneOf(path+".telnet", l.Telnet, "true", "false", "auto")
	if len(l.Command) == 0 {
		c.wrong(path, "command is missing: the program and its arguments, as in [bash, -l]")
	} else if name := l.Command[0]; !strings.Contains(name, "/") {
		if _, err := exec.LookPath(name); err != nil {
			c.wrong(path+".command", "there is no program %q in the PATH: write its whole path", name)
		}
	}
	for _, pair := range l.Env {
		if name, _, found := strings.Cut(pair, "="); !found || name == "" {
			c.wrong(path+".env", "%q is not NAME=VALUE", pair)
		}
	}
	c.guarded(path, l, "a shell", "becomes the server's user")
}

// guarded has what asks nobody who he is listen only where not everybody comes.
func (c *checker) guarded(path string, l *ListenerConfig, what, may string) {
	a, err := transport.ParseListenAddress(l.Listen)
	if err != nil {
		return // told already
	}
	switch a.Transport {
	case "unix":
	case "tcp":
		if host, _, _ := net.SplitHostPort(a.Host); !isLoopback(host) && !l.Insecure {
			c.wrong(path+".listen", "%s can be reached from other machines, and whoever does %s: use tls:// "+
				"with tls.client_ca, or say insecure: true if something else protects it", l.Listen, may)
		}
	case "tls":
		if l.TLS != nil && l.TLS.ClientCA == "" && !l.Insecure {
			c.wrong(path+".tls", "client_ca is missing: without it, whoever reaches %s %s; or say "+
				"insecure: true if something else protects it", l.Listen, may)
		}
	default:
		c.wrong(path+".listen", "%s is offered over tcp://, tls:// or unix://", what)
	}
}

// shellService makes the service of service: shell.
func (l *ListenerConfig) shellService() *shell.Service {
	svc := &shell.Service{Command: l.Command, Dir: l.Dir, Env: l.Env}
	if cols, rows, found := strings.Cut(l.Terminal, "x"); found {
		svc.Cols, _ = strconv.Atoi(cols)
		svc.Rows, _ = strconv.Atoi(rows)
	}
	return svc
}

// isTelnetRelay reports whether telnet's commands pass, and are recorded as they are.
func (l *ListenerConfig) isTelnetRelay() bool { return l.Service == "relay" && l.Telnet == "true" }

// through is what stands between a listener's connections and its sessions.
func (l *ListenerConfig) through() func(transport.Conn) transport.Conn {
	if l.Service != "shell" || l.Telnet == "false" {
		return nil
	}
	return func(c transport.Conn) transport.Conn { return transport.NewTelnet(c, l.Telnet != "true") }
}
