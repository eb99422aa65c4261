// Package simulate is a fleet of devices that are not there: thousands of connections that register, say something, and
// do what real devices do to a server, on purpose and by accident. It counts exactly, so that what a server says can be
// compared with what was done to it.
package simulate

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Config says what a fleet does. Shares are of the devices, from 0 to 1.
type Config struct {
	Network string      // tcp, tls or udp
	Address string      // HOST:PORT
	TLS     *tls.Config `json:"-"` // of tls

	Protocol   string // one of Protocols; default etung
	Devices    int
	NamePrefix string // of their names; default by protocol
	First      int    // number of the first device's name
	Reply      string // what a registration is answered, of protocols that have no answer of their own; default: nothing is awaited

	Rate      float64       // messages a second of each device
	Together  int           // messages that are sent with one write, each time; default 1, UDP only 1
	Size      int           // bytes of a message on the wire; more, if its protocol needs more
	Heartbeat time.Duration // how often each device says that it is there; 0: never
	Commands  bool          // answer what the server tells a device to do

	From        []netip.Addr  // addresses to connect from, in turn; default: the system's choice
	ConnectRate float64       // connections a second; 0: as fast as it goes
	Dials       int           // connections that are being made at once; default 256
	Away        time.Duration // how long a device waits before it connects again; default 1s
	Lasts       time.Duration // from the first connection on; 0: until the context ends
	Held        bool          // begin as after Pause

	// What devices do, as the share of them that does so in a minute.
	Reconnects float64 // end their connection, and make another
	Duplicates float64 // make a second connection under their name, and leave the first one as it is
	Floods     float64 // send FloodSize messages at once
	BlackHoles float64 // stop reading and answering for as long as Black, then connect again
	Vanish     float64 // are gone without a word, and come again after Away: TCP on Linux, with CAP_NET_ADMIN
	// Drip is the share of the devices that send byte by byte, all the time.
	Drip float64

	FloodSize int           // messages; default 1000
	Black     time.Duration // default 20s
	Seed      uint64        // of what is left to chance

	// Registering is called with a device's name when it is about to register. It must not wait. Default: nobody is told.
	Registering func(name string) `json:"-"`
}

// Limits and defaults.
const (
	defaultDials     = 256
	defaultAway      = time.Second
	defaultBlack     = 20 * time.Second
	defaultFloodSize = 1000
	maxDevices       = 1_000_000
	maxSize          = 64 << 10         // bytes of a message
	dialLimit        = 10 * time.Second // for a connection to be made
	writeLimit       = 30 * time.Second // for a server to read what was sent
	leaveLimit       = 5 * time.Second  // for a server to close what a device has ended
	olderLimit       = 10 * time.Second // for a server to end the older of two connections, before its device does
	spareFiles       = 64               // open files besides connections
)

// prepared checks the configuration and fills in what it leaves out.
func (c Config) prepared() (Config, kind, error) {
	if c.Protocol == "" {
		c.Protocol = "etung"
	}
	k, ok := kinds[c.Protocol]
	if !ok {
		return c, k, fmt.Errorf("protocol %q: must be one of %s", c.Protocol, strings.Join(Protocols(), ", "))
	}
	if !slices.Contains([]string{"tcp", "tls", "udp"}, c.Network) {
		return c, k, fmt.Errorf("network %q: must be tcp, tls or udp", c.Network)
	}
	if c.Devices < 1 || c.Devices > maxDevices {
		return c, k, fmt.Errorf("%d devices: must be from 1 to %d", c.Devices, maxDevices)
	}
	for name, v := range map[string]float64{"reconnects": c.Reconnects, "duplicates": c.Duplicates, "floods": c.Floods,
		"black holes": c.BlackHoles, "vanish": c.Vanish, "drip": c.Drip} {
		if !(v >= 0 && v <= 1) {
			return c, k, fmt.Errorf("%s %v: must be a share from 0 to 1", name, v)
		}
	}
	switch {
	case !(c.Rate >= 0 && c.Rate <= 1e6):
		return c, k, fmt.Errorf("rate %v: must be from 0 to 1,000,000 messages a second", c.Rate)
	case !(c.ConnectRate >= 0 && c.ConnectRate <= 1e6):
		return c, k, fmt.Errorf("connect rate %v: must be from 0 to 1,000,000 a second", c.ConnectRate)
	case c.Size < 0 || c.Size > maxSize:
		return c, k, fmt.Errorf("size %d: must be from 0 to %d bytes", c.Size, maxSize)
	case c.Protocol == "jt808" && c.Size > jt808Most:
		return c, k, fmt.Errorf("size %d: a message of jt808 has at most %d bytes", c.Size, jt808Most)
	case c.Vanish > 0 && (c.Network == "udp" || !canVanish()):
		return c, k, fmt.Errorf("vanish: only TCP and TLS can, on Linux, for who has CAP_NET_ADMIN (root)")
	case c.Duplicates+c.BlackHoles > 0 && c.Network == "udp" && c.Protocol == "raw":
		return c, k, fmt.Errorf("duplicates and black holes need a protocol in which devices have names")
	case c.Together < 0 || c.Together > 1000 || c.Together > 1 && c.Network == "udp":
		return c, k, fmt.Errorf("together %d: must be from 1 to 1000, and 1 for UDP", c.Together)
	case c.Lasts < 0 || c.Away < 0 || c.Black < 0 || c.Heartbeat < 0 || c.FloodSize < 0 || c.Dials < 0:
		return c, k, fmt.Errorf("times and numbers must not be negative")
	}
	c.Together = orElse(c.Together, 1)
	c.Dials = orElse(c.Dials, defaultDials)
	c.Away = orElse(c.Away, defaultAway)
	c.Black = orElse(c.Black, defaultBlack)
	c.FloodSize = orElse(c.FloodSize, defaultFloodSize)
	return c, k, nil
}

func orElse[T comparable](v, other T) T {
	var zero T
	if v == zero {
		return other
	}
	return v
}
