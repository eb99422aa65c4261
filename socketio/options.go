package socketio

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/switchboard-relay/switchboard/socketio/engine"
)

// Options are how a Server treats its clients. The zero value of each field means its default.
type Options struct {
	engine.Options // transports, heartbeat, origins and the limits of a connection

	ConnectTimeout time.Duration // within which a client is to connect to a namespace, and to send attachments; 45 s
	MaxAttachments int           // of one packet; 10
	MaxNamespaces  int           // that one client may connect to; 64
	MaxQueue       int           // bytes of packets that may wait for a client's handlers, until it is not read; 1 MiB
	MaxAcks        int           // acknowledgements that the client of one socket may owe at once; 10,000

	Recovery Recovery

	// Observe is called for each connection that is opened. What it returns is told what passes; nil is told nothing. An
	// error refuses the connection: an *engine.Refusal says how.
	Observe func(c *Client, r *http.Request) (Observer, error)

	Logger *slog.Logger // for panics of handlers; default is slog's
}

// Recovery is connection state recovery: a client that lost its connection and comes back in time has its socket's id, rooms
// and data again, and is sent what it missed.
type Recovery struct {
	Window   time.Duration // for how long a lost connection can be recovered; 0: there is no recovery
	Messages int           // that each namespace keeps; 10,000
	Bytes    int           // that they take, together; 16 MiB
	// RunMiddleware has the namespace's middleware called for recovered sockets as well.
	RunMiddleware bool
}

func (o Options) withDefaults() Options {
	setDefault(&o.WriteLimit, 1<<20)
	setDefault(&o.PingInterval, 25*time.Second)
	setDefault(&o.PingTimeout, 20*time.Second)
	setDefault(&o.ConnectTimeout, 45*time.Second)
	setDefault(&o.MaxAttachments, 10)
	setDefault(&o.MaxNamespaces, 64)
	setDefault(&o.MaxQueue, 1<<20)
	setDefault(&o.MaxAcks, 10_000)
	setDefault(&o.Recovery.Messages, 10_000)
	setDefault(&o.Recovery.Bytes, 16<<20)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// Observer is told what passes on one connection, for whoever keeps a record of it. Its methods are called in the order in
// which things happened, and must not call back into the server. In packets that carry one, asterisks stand for the secret
// with which a lost connection is recovered.
type Observer interface {
	// Received gets each packet, and each attachment by itself, before anything is done with it. The bytes are borrowed.
	// It may wait; an error closes the connection.
	Received(p []byte, binary bool) error
	// Sent gets each packet and attachment that is sent, other than what Delivered tells of. It must not wait.
	Sent(p []byte, binary bool)
	// Delivered tells of broadcasts with a Place that were sent. It must not wait.
	Delivered(d Delivery)
	// Left tells that no more events are sent to a socket. Closed says that of all that are left then.
	Left(s *Socket)
	// Upgraded is called when the connection goes on over another transport.
	Upgraded(transport string)
	// Closed is called last, once.
	Closed(reason Reason, err error)
}

// Delivery is broadcasts of one namespace that followed each other and were sent to one socket.
type Delivery struct {
	Socket      *Socket
	First, Last Place  // of the first and the last of them; between them, only what the socket sent may be missing
	Messages    uint64 // how many
	Bytes       uint64 // of their packets, without the offsets that recovery puts at their ends
}

// Place is where the owner of a namespace's log keeps a broadcast; see Broadcast.
type Place struct {
	Log    string
	Number uint64
}

// Reason is why a socket or its connection ended, in the words of the reference implementation; see package engine for
// those of connections.
type Reason = engine.Reason

// Reasons of sockets, besides those of connections.
const (
	ServerDisconnect Reason = "server namespace disconnect" // Socket.Disconnect was called
	ClientDisconnect Reason = "client namespace disconnect" // the client's socket.disconnect() was
)
