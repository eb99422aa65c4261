// Package engine serves Engine.IO, revisions 3 and 4, as described at https://github.com/socketio/engine.io-protocol:
// connections over HTTP long-polling and WebSocket, the upgrade from one to the other, heartbeats and limits. It is the
// floor on which package socketio stands, and of use by itself. It compresses nothing and knows no JSONP.
package engine

import (
	"net/http"
	"time"
)

// Options are how a Server treats its connections. The zero value of each field means its default.
type Options struct {
	PingInterval   time.Duration // between two pings; 25 s
	PingTimeout    time.Duration // within which a ping is to be answered; 20 s
	UpgradeTimeout time.Duration // within which an upgrade is to be finished; 10 s
	MaxPayload     int           // bytes of one message and of one polling request; 1,000,000
	WriteLimit     int           // bytes that may wait for a client; 1 MiB. One message goes out however large

	NoPolling   bool // refuse long-polling
	NoWebSocket bool // refuse WebSocket, and offer no upgrade
	NoEIO3      bool // refuse clients of revision 3 (socket.io 1 and 2)

	// Origins are the origins whose pages may connect besides the server's own: "https://example.org",
	// "http://127.0.0.1:*" for any port, "https://*.example.org" for any name below, or "*". A request without an
	// Origin header is no page's. See CheckOrigin.
	Origins []string
	// Credentials lets pages of Origins send cookies, but not those of "*" alone.
	Credentials bool

	// Limits of what outsiders can take. A negative one is none. An IPv6 address counts as its network of 64 bits.
	MaxConnections int     // at once; 10,000
	MaxPerAddress  int     // at once from one address; 1,000
	HandshakeRate  float64 // new connections a second from one address; 100, with a burst of ten times that
	MessageRate    float64 // packets a second of one client, read slower beyond; 1,000, with a burst of twice that

	// OnRefused is told of each request that is refused, by the names of Stats.Refused. It must not wait.
	OnRefused func(reason string)

	// Address is where a request comes from, for the limits and Conn.Remote: "HOST:PORT" or "HOST"; default is the
	// request's RemoteAddr. Behind a proxy it would read the header that the proxy sets.
	Address func(*http.Request) string
}

// Handler is told what happens on the connections of a Server.
type Handler interface {
	// Open is called for a new connection, before anything else. An error refuses it: a *Refusal says how.
	Open(c *Conn, r *http.Request) error
	// Message is called for each message, one after the other and in order. The bytes are borrowed. It may block, which
	// holds up this client alone. An error closes the connection as ParseError, behind what was sent before.
	Message(c *Conn, p []byte, binary bool) error
	// Upgraded is called when a connection that began by polling goes on over WebSocket.
	Upgraded(c *Conn)
	// Closed is called once, after the last Message has returned. Err has more, and may be nil.
	Closed(c *Conn, reason Reason, err error)
}

// Reason is why a connection closed, in the words of the reference implementation, and one of our own.
type Reason string

const (
	TransportClose Reason = "transport close"      // the client went away
	TransportError Reason = "transport error"      // the connection or the transport's protocol broke
	PingTimeout    Reason = "ping timeout"         // the client did not answer a ping, or sent none
	ParseError     Reason = "parse error"          // what the client sent makes no sense
	ForcedClose    Reason = "forced close"         // Conn.Close was called
	ServerShutdown Reason = "server shutting down" // Server.Close was called
	Slow           Reason = "slow"                 // more waited than WriteLimit, or what waited was not read
)

// Refusal is an error of Open that says how the request is answered.
type Refusal struct {
	Status  int    // of HTTP; 0: 403
	Message string // for the client
}

func (r *Refusal) Error() string { return r.Message }

func (o Options) withDefaults() Options {
	setDefault(&o.PingInterval, 25*time.Second)
	setDefault(&o.PingTimeout, 20*time.Second)
	setDefault(&o.UpgradeTimeout, 10*time.Second)
	setDefault(&o.MaxPayload, 1_000_000)
	setDefault(&o.WriteLimit, 1<<20)
	setDefault(&o.MaxConnections, 10_000)
	setDefault(&o.MaxPerAddress, 1_000)
	setDefault(&o.HandshakeRate, 100)
	setDefault(&o.MessageRate, 1_000)
	return o
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}
