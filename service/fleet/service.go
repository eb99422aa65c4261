package fleet

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// Service is a listener's: a hub.Receiver. An idle device has no goroutine of its own here.
type Service struct {
	conf  Config
	all   *Fleets
	fleet *fleet
}

var _ hub.Receiver = (*Service)(nil)

// Usher is for hub.ListenerConfig: it sends the web server's connections to its own listener, and refuses those of addresses that
// have too many.
func (svc *Service) Usher(remote net.Addr) (*hub.Listener, error) {
	ip := ipOf(remote)
	if svc.conf.Link != nil && svc.conf.isWebServer(ip) {
		return svc.conf.Link, nil
	}
	if err := svc.fleet.mayCome(&svc.conf, ip); err != nil {
		svc.fleet.refused.Add(1)
		return nil, err
	}
	return nil, nil
}

// Open takes a connection as a device that has not said its name.
func (svc *Service) Open(s *hub.Session) error {
	v := &visit{svc: svc, s: s, reader: svc.conf.Dialect.Reader(s.Datagrams()), start: time.Now().UnixMicro()}
	s.SetState(v)
	if (svc.conf.MessageRate > 0 || svc.conf.ByteRate > 0) && !s.Datagrams() { // one goroutine reads all flows
		v.pace = newPace(&svc.conf)
	}
	if err := svc.fleet.enter(v, ipOf(s.RemoteAddr())); err != nil {
		return v.refuse(err)
	}
	v.work.Lock()
	defer v.release()
	if err := v.nameItself(); err != nil {
		return err
	}
	v.arm()
	return nil
}

// Ends implements hub.Ending: the visit counts no more.
func (v *visit) Ends() {
	v.svc.fleet.leave(v)
	v.do(ended)
}

// nameItself gives the session the name that it has without saying it.
func (v *visit) nameItself() error {
	name := ""
	switch v.svc.conf.NameFrom {
	case FromPort:
		_, name, _ = net.SplitHostPort(v.s.LocalAddr().String())
	case FromAddress:
		name = ipOf(v.s.RemoteAddr()).String()
	case FromCertificate:
		if cert := transport.PeerCertificate(v.s.Under()); cert != nil {
			name = cert.Subject.CommonName
		}
		if name == "" {
			return v.refuse(errNoCertificate)
		}
	default:
		return nil
	}
	return v.register(name)
}

// Receive takes one piece of what a device sends.
func (svc *Service) Receive(s *hub.Session, data []byte) error {
	v := s.State().(*visit)
	before := v.messages.Load()
	if err := v.receive(data); err != nil {
		return err
	}
	if v.pace != nil {
		return v.pace.wait(s, v.messages.Load()-before, len(data))
	}
	return nil
}

// Close says that nothing more comes of a session.
func (svc *Service) Close(s *hub.Session) { s.State().(*visit).do(closed) }

// refuse counts a connection that is not to be a device, and is the end of its session.
func (v *visit) refuse(why error) error {
	r, ok := why.(*refusal)
	if !ok {
		return why // it has ended meanwhile
	}
	v.svc.fleet.refused.Add(1)
	v.s.Listener().Refused(r.reason)
	return &session.End{Cause: session.Refused, Detail: r.detail}
}

// refusal is why a connection is not to be a device: a word for the counts, and a sentence for its record.
type refusal struct{ reason, detail string }

func (r *refusal) Error() string { return r.reason }

var (
	errConnectRate  = &refusal{"connect rate", "its address connects too often: connect_rate"}
	errUnregistered = &refusal{"too many unregistered", "its address has too many connections that have not said a name: max_unregistered_per_address"}
	errMaxDevices   = &refusal{"too many devices", "as many devices as may be are connected: max_devices"}
	errNotKnown     = &refusal{"not known", "its name is not known"}
	errDuplicate    = &refusal{"duplicate name", "a device of its name is connected"}

	errNoCertificate = &refusal{"no certificate", "it showed no certificate with a common name"}
)

func errNameless(limit time.Duration) error {
	return &refusal{"no name", fmt.Sprintf("it did not say its name within %s", limit)}
}

// badName says why bytes cannot be a name, empty if they can. Names are shown, and are part of addresses.
func badName(name string) string {
	switch {
	case len(name) > maxName:
		return "a name of " + strconv.Itoa(len(name)) + " bytes, which is too long"
	case name == device.Unknown:
		return "the name unknown, which is that of devices without one"
	}
	return ""
}

const maxName = 256 // bytes
