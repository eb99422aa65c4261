package hub

import (
	"slices"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/telnet"
)

// bare takes telnet's commands out of what passed, where a relay has them recorded as they are. It goes on from event to event:
// a command may begin in one and end in another.
type bare struct {
	received, sent, errs telnet.Decoder
	batch                []session.Event
}

// Bare leaves telnet's commands out of what was received and sent, of sessions that have some. Events of nothing else stay, without
// data. It comes before the first event.
func (e *Events) Bare() *Events {
	if e.telnet {
		e.bare = &bare{}
		e.hearBefore(e.Position())
	}
	return e
}

// bareBefore is how many events are read before the first, in which a command may have begun that ends behind it.
const bareBefore = 16

// hearBefore has the decoders know what passed right before an event.
func (e *Events) hearBefore(first uint64) {
	if first <= 1 {
		return
	}
	c := e.again(max(first, bareBefore+1) - bareBefore)
	defer c.Close()
	for {
		events, err := c.TryNext()
		for i := range events {
			if events[i].Number >= first {
				return
			}
			e.bare.take(events[i : i+1])
		}
		if len(events) == 0 || err != nil {
			return
		}
	}
}

// take gives a batch without commands, valid until the next call.
func (b *bare) take(events []session.Event) []session.Event {
	size := 0
	for i := range events {
		size += len(events[i].Data)
	}
	data := make([]byte, 0, size+len(events)) // events share it, and must not move
	b.batch = append(b.batch[:0], events...)
	for i := range b.batch {
		e := &b.batch[i]
		var d *telnet.Decoder
		switch e.Kind {
		case session.Received:
			d = &b.received
		case session.Sent:
			d = &b.sent
		case session.SentErr:
			d = &b.errs
		case session.Gap:
			b.received, b.sent, b.errs = telnet.Decoder{}, telnet.Decoder{}, telnet.Decoder{}
		}
		if d != nil {
			from := len(data)
			data = d.Append(data, e.Data, nil)
			e.Data = slices.Clip(data[from:])
		}
	}
	return b.batch
}
