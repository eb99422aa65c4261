// Package echo answers what the far end sends with the same bytes.
package echo

import (
	"strconv"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
)

// Service is the echo line of the protocol document, section 2.
type Service struct {
	Greeting []byte // sent once, when the session begins
	Plain    bool   // answer with the bytes alone, without the time before and the line's end behind them
}

// Open sends the greeting.
func (svc *Service) Open(s *hub.Session) error {
	if len(svc.Greeting) == 0 {
		return nil
	}
	_, err := s.Write(svc.Greeting)
	return err
}

var replies = sync.Pool{New: func() any { return new([]byte) }}

// Receive answers one chunk: "H:M:S - server reply: <chunk>\n", the local time not padded with zeros.
func (svc *Service) Receive(s *hub.Session, data []byte) error {
	if svc.Plain {
		_, err := s.Write(data)
		return err
	}
	reply := replies.Get().(*[]byte)
	defer replies.Put(reply)
	*reply = appendReply((*reply)[:0], time.Now(), data)
	_, err := s.Write(*reply)
	return err
}

func appendReply(b []byte, at time.Time, data []byte) []byte {
	hour, minute, second := at.Clock()
	b = append(strconv.AppendInt(b, int64(hour), 10), ':')
	b = append(strconv.AppendInt(b, int64(minute), 10), ':')
	b = strconv.AppendInt(b, int64(second), 10)
	b = append(b, " - server reply: "...)
	return append(append(b, data...), '\n')
}

// Close does nothing.
func (svc *Service) Close(*hub.Session) {}
