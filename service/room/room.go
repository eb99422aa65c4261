// Package room lets sessions meet: what one says, all members of the room get.
package room

import (
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/room"
)

// Service is the chat line of the protocol document, section 3.
type Service struct {
	Room          *room.Room
	ExcludeSender bool // a member does not get back what it said
}

// Open makes the session a member.
func (svc *Service) Open(s *hub.Session) error { return svc.Room.Join(s, svc.ExcludeSender) }

// Receive says one chunk, or one datagram, to the room; an empty datagram is one too, and reaches members of datagrams.
func (svc *Service) Receive(s *hub.Session, data []byte) error {
	if len(data) == 0 && !s.Datagrams() {
		return nil
	}
	return svc.Room.Say(s.ID(), data)
}

// Close ends the membership.
func (svc *Service) Close(s *hub.Session) { svc.Room.Leave(s) }
