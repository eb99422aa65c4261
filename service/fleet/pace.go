package fleet

import (
	"time"

	"github.com/switchboard-relay/switchboard/hub"
)

// pace slows down the reading of a device that says too much: a second's worth may come at once.
type pace struct {
	messages, bytes float64 // a second; 0: no limit
	freeAt          [2]int64
}

func newPace(conf *Config) *pace { return &pace{messages: conf.MessageRate, bytes: conf.ByteRate} }

// wait waits until more may be read. It returns the session's end if that comes first.
func (p *pace) wait(s *hub.Session, messages uint64, bytes int) error {
	now := time.Now().UnixMicro()
	until := max(p.spend(0, now, float64(messages), p.messages), p.spend(1, now, float64(bytes), p.bytes))
	if until <= now {
		return nil
	}
	t := time.NewTimer(time.Duration(until-now) * time.Microsecond)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-s.Context().Done():
		return s.Ended()
	}
}

// spend is when what was spent is earned again, but for one second's worth.
func (p *pace) spend(i int, now int64, n, rate float64) int64 {
	if rate <= 0 {
		return 0
	}
	p.freeAt[i] = max(p.freeAt[i], now) + int64(n/rate*1e6)
	return p.freeAt[i] - 1e6
}
