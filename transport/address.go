package transport

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// ParseListenAddress is ParseAddress for those who listen, who may also serve a path of HTTP: ws://HOST:PORT/PATH takes
// WebSockets there, socketio://HOST:PORT/PATH clients of Socket.IO, whose path is /socket.io if none is given; and
// ssh://HOST:PORT clients of SSH.
func ParseListenAddress(s string) (Address, error) {
	u, err := url.Parse(s)
	if err != nil {
		return ParseAddress(s)
	}
	switch u.Scheme {
	case "ws", "socketio":
	case "ssh":
		return parseHostPort(u, s)
	case "wss", "http", "https", "socketios":
		return Address{}, fmt.Errorf("address %q: write ws:// or socketio://, and set tls for encryption", s)
	default:
		return ParseAddress(s)
	}
	if strings.Contains(s, "#") {
		return Address{}, fmt.Errorf("address %q: take away # and what follows", s)
	}
	if _, port, err := net.SplitHostPort(u.Host); err != nil || port == "" || u.RawQuery != "" || u.User != nil {
		return Address{}, fmt.Errorf("address %q: must be %s://HOST:PORT/PATH", s, u.Scheme)
	}
	path := "/" + strings.Trim(u.Path, "/")
	if path == "/" && u.Scheme == "socketio" {
		path = "/socket.io"
	}
	return Address{Transport: u.Scheme, Host: u.Host, Path: path}, nil
}

// IsWeb reports whether the address is a path of HTTP.
func (a Address) IsWeb() bool { return a.Path != "" }
