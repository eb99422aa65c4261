// Package sink receives what the far end sends and answers nothing, after an optional greeting.
package sink

import "github.com/switchboard-relay/switchboard/hub"

// Service is the hello line of the protocol document, section 1, and the sensors' line, section 4.
type Service struct {
	Greeting []byte // sent once, when the session begins
}

// Open sends the greeting.
func (svc *Service) Open(s *hub.Session) error {
	if len(svc.Greeting) == 0 {
		return nil
	}
	_, err := s.Write(svc.Greeting)
	return err
}

// Receive does nothing: the session has the bytes on its record.
func (svc *Service) Receive(*hub.Session, []byte) error { return nil }

// Close does nothing.
func (svc *Service) Close(*hub.Session) {}
