package switchboard

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// ListenOptions are the rules of a listener that another program made. The zero value records, and ends nothing.
type ListenOptions struct {
	Record    session.Record    // "" means on
	OnFailure session.OnFailure // "" means continue
	Max       int               // sessions at once; 0: no limit
}

// Listen is net.Listen whose connections are sessions: seen, recorded, kicked and played back under the listener's
// name. The program uses them as it would without: closing one ends its session, and a kick closes it.
func (sb *Switchboard) Listen(network, address, name string, opt ListenOptions) (net.Listener, error) {
	ln, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	wrapped, err := sb.WrapListener(ln, name, opt)
	if err != nil {
		ln.Close()
	}
	return wrapped, err
}

// WrapListener makes the connections of a listener sessions. Closing it closes ln.
func (sb *Switchboard) WrapListener(ln net.Listener, name string, opt ListenOptions) (net.Listener, error) {
	l, err := sb.wrapping(name, ln.Addr(), opt)
	if err != nil {
		return nil, err
	}
	l.Attach(ln)
	return &sessionListener{Listener: ln, sessions: l, hub: sb.hub}, nil
}

// Wrap makes one connection a session of the listener of the name, which is made if there is none. The session ends
// when the connection that is returned is closed.
func (sb *Switchboard) Wrap(conn net.Conn, name string, opt ListenOptions) (*hub.Session, error) {
	l, err := sb.wrappedListener(name, conn, opt)
	if err != nil {
		return nil, err
	}
	return sb.hub.Wrap(l, conn)
}

func (sb *Switchboard) wrappedListener(name string, conn net.Conn, opt ListenOptions) (*hub.Listener, error) {
	sb.mu.Lock()
	defer sb.mu.Unlock()
	if l := sb.wrapped[name]; l != nil {
		return l, nil
	}
	l, err := sb.wrapping(name, conn.LocalAddr(), opt)
	if err == nil {
		sb.wrapped[name] = l
	}
	return l, err
}

func (sb *Switchboard) wrapping(name string, addr net.Addr, opt ListenOptions) (*hub.Listener, error) {
	conf := ListenerConfig{Record: string(opt.Record), OnFailure: string(opt.OnFailure)}
	return sb.hub.Listener(hub.ListenerConfig{Name: name, Address: addr.String(), Transport: addr.Network(),
		Record: conf.record(), OnFailure: conf.onFailure(), Max: opt.Max}, nil)
}

// sessionListener is a net.Listener whose connections are sessions.
type sessionListener struct {
	net.Listener
	sessions *hub.Listener
	hub      *hub.Hub
}

// Accept waits for the next connection that becomes a session; those that a limit refuses are closed and counted.
func (l *sessionListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		s, err := l.hub.Wrap(l.sessions, conn)
		if err == nil {
			return s, nil
		}
		conn.Close()
	}
}

// Close stops listening; open sessions go on.
func (l *sessionListener) Close() error {
	l.sessions.Close() // closes the socket
	return nil
}

// listenHTTP opens the socket of the API.
func listenHTTP(conf HTTPConfig) (net.Listener, error) {
	addr := transport.Address{Transport: "tcp", Host: conf.Listen}
	opt := transport.ListenOptions{}
	if conf.TLS != nil {
		tlsConf, err := conf.TLS.load()
		if err != nil {
			return nil, err
		}
		addr.Transport, opt.TLS = "tls", tlsConf
	}
	ln, err := transport.Listen(context.Background(), addr, opt)
	if err != nil {
		return nil, err
	}
	if opt.TLS != nil {
		return tls.NewListener(ln.Listener, opt.TLS), nil
	}
	return ln.Listener, nil
}
