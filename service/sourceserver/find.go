package sourceserver

import (
	"fmt"
	"slices"
	"strings"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
)

// find is the live session that an id of the protocol means: a session's id, else the newest session of the name, else the
// one whose id begins so.
func (svc *Service) find(id string) (*hub.Session, error) {
	if s := svc.exactly(id); s != nil {
		return s, nil
	}
	svc.finding.Lock()
	defer svc.finding.Unlock()
	var named *hub.Session
	var begun []*hub.Session
	newest := int64(0)
	svc.Hub.EachLive(func(s *hub.Session) bool {
		isNamed, begins := s.Name() == id, strings.HasPrefix(string(s.ID()), id)
		if !isNamed && !begins || !svc.offers(s) {
			return true
		}
		if start := s.Info().Start; isNamed && start >= newest {
			named, newest = s, start
		}
		if begins && len(begun) < 2 {
			begun = append(begun, s)
		}
		return true
	})
	switch {
	case named != nil:
		return named, nil
	case len(begun) == 1:
		return begun[0], nil
	case len(begun) > 1:
		return nil, fmt.Errorf("several sessions have an id that begins %q: give more characters", id)
	}
	return nil, fmt.Errorf("no live session is called %q", id)
}

// exactly is the live session of an id, nil if none is offered.
func (svc *Service) exactly(id string) *hub.Session {
	if s := svc.Hub.Session(session.ID(id)); s != nil && svc.offers(s) {
		return s
	}
	return nil
}

// offers reports whether a session is live, and one of those that may be seen.
func (svc *Service) offers(s *hub.Session) bool {
	if s.Ended() != nil {
		return false
	}
	info := s.Info()
	return info.Service != Name && (len(svc.Listeners) == 0 || slices.Contains(svc.Listeners, info.Listener))
}
