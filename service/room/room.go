// Package room lets sessions meet: what one says, all members of the room get.
package room

import (
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
)

// Service is the chat line of the protocol document, section 3.
type Service struct {
	Room          *room.Room
	ExcludeSender bool // a member does not get back what it said
}

// Open makes the session a member.
func (svc *Service) Open(s *hub.Session) error {
	conf := svc.Room.Config()
	if conf.Welcome != "" {
		event := conf.Mapping.AppendEvent(nil, []byte(conf.Welcome))
		if _, err := s.Write(conf.Mapping.AppendBytes(nil, event, !s.Datagrams())); err != nil {
			return err
		}
	}
	if err := svc.Room.Join(s, svc.ExcludeSender); err != nil {
		return err
	}
	info := s.Info()
	return svc.Room.Enter(session.Present{ID: string(info.ID), Session: info.ID, Name: info.Name, Transport: info.Transport,
		Remote: info.Remote})
}

// Receive says one chunk, or one datagram, to the room; an empty datagram is one too, and reaches members of datagrams.
func (svc *Service) Receive(s *hub.Session, data []byte) error {
	if len(data) == 0 && !s.Datagrams() {
		return nil
	}
	return svc.Room.Say(s.ID(), data)
}

// Close ends the membership.
func (svc *Service) Close(s *hub.Session) {
	svc.Room.Leave(s)
	svc.Room.Exit(string(s.ID())) // it fails only if the room is closed
}
