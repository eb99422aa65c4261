// Package room lets sessions meet: what one says, all members of the room get.
package room

import (
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
)

// Service is the chat line of the protocol document, section 3. In a room whose format is text by configuration, not by
// default, a character that a stream brings in pieces is said whole.
type Service struct {
	Room          *room.Room
	ExcludeSender bool // a member does not get back what it said

	begun beginnings
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
	err := svc.Room.Enter(session.Present{ID: string(info.ID), Session: info.ID, Name: info.Name,
		Transport: info.Transport, Remote: info.Remote})
	if err != nil {
		svc.leave(s)
	}
	return err
}

// Receive says one chunk, or one datagram, to the room; an empty datagram is one too, and reaches members of datagrams.
func (svc *Service) Receive(s *hub.Session, data []byte) error {
	switch {
	case s.Datagrams():
		return svc.Room.Say(s.ID(), data)
	case svc.Room.Mapping().Format == session.FormatText:
		return svc.begun.say(svc.Room, s.ID(), data)
	case len(data) == 0:
		return nil
	}
	return svc.Room.Say(s.ID(), data)
}

// Close ends the membership.
func (svc *Service) Close(s *hub.Session) {
	if rest := svc.begun.release(s.ID()); len(rest) > 0 {
		svc.Room.Say(s.ID(), rest) // it fails only if the room stands still or is closed
	}
	svc.leave(s)
}

func (svc *Service) leave(s *hub.Session) {
	svc.Room.Leave(s)
	svc.Room.Exit(string(s.ID()))
}
