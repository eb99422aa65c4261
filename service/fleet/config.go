package fleet

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/hub"
)

// Policy says what to do with who is not known.
type Policy string

// Policies.
const (
	Allow  Policy = "allow"
	Hold   Policy = "hold"   // recorded, but not counted, and nothing of it goes further until somebody admits it
	Reject Policy = "reject" // the session ends as refused
)

// Naming says where a device's name comes from.
type Naming string

// Where names come from.
const (
	FromMessage     Naming = "message"     // what it says
	FromPort        Naming = "port"        // the port that it came to
	FromAddress     Naming = "address"     // its IP address
	FromCertificate Naming = "certificate" // the common name of the certificate that it showed
)

// Duplicate says what becomes of two connections with the same name.
type Duplicate string

// What becomes of two connections with the same name.
const (
	Newest Duplicate = "newest" // the older ones end as replaced
	Refuse Duplicate = "refuse" // the newer one ends as refused
	Many   Duplicate = "many"
)

// Config is how the devices of a listener are treated. Empty words mean the first of theirs above, and limits of 0 none.
type Config struct {
	Listener string
	Fleet    string // within which a name is a device's own
	Dialect  *frame.Dialect
	NameFrom Naming

	RegisterTimeout time.Duration          // for saying its name
	Unregistered    Policy                 // with who has not said its name by then
	Known           func(name string) bool // nil: every name is known
	Unknown         Policy                 // with names that are not known
	Duplicate       Duplicate

	AckStored    bool          // replies wait until what they answer is on disk
	IdleReceived time.Duration // silence of the device that ends a session
	IdleSent     time.Duration // and ours

	MaxDevices      int     // connected at once
	MaxUnregistered int     // connections without a name at once, of one address
	ConnectRate     float64 // new connections a second of one address
	MessageRate     float64 // messages a second of one device, which is read slower beyond; not of datagrams
	ByteRate        float64 // and bytes

	WebServer []netip.Prefix // where the web server connects from
	Link      *hub.Listener  // to which those connections go
}

func (c *Config) check() error {
	if c.Fleet == "" || c.Dialect == nil {
		return errors.New("a listener of devices needs a fleet and a dialect")
	}
	defaultTo(&c.NameFrom, FromMessage)
	defaultTo(&c.Unregistered, Allow)
	defaultTo(&c.Unknown, Allow)
	defaultTo(&c.Duplicate, Newest)
	return nil
}

func defaultTo[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

// known reports whether the listener knows a name.
func (c *Config) known(name string) bool { return c.Known == nil || c.Known(name) }

// isWebServer reports whether an address is the web server's.
func (c *Config) isWebServer(a netip.Addr) bool {
	for _, p := range c.WebServer {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// ipOf is the IP address of a far end; that of a Unix socket is not valid.
func ipOf(addr net.Addr) netip.Addr {
	switch a := addr.(type) {
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap().WithZone("")
	case *net.UDPAddr:
		return a.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}
