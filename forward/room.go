package forward

import (
	"context"
	"errors"
	"strings"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
)

// party is a room in which each message is said as an event. Members that take bytes get those events that the room makes
// bytes of: see session.Mapping.
type party struct {
	conf Config
	name string
	form form
	open func(ctx context.Context, name string) (*room.Room, error)
}

func (f *Forwards) openRoom(c Config) (target, error) {
	fm, err := c.form(device.Base64)
	if err != nil {
		return nil, err
	}
	if f.opt.Room == nil {
		return nil, errors.New("there are no rooms")
	}
	return &party{conf: c, name: strings.TrimPrefix(c.To, "room:"), form: fm, open: f.opt.Room}, nil
}

func (p *party) add(b *batch, m *message) {
	b.data = append(b.data, '[')
	b.data = appendText(b.data, p.conf.Event)
	b.data = append(b.data, ',')
	if p.form.template != nil {
		b.data = appendText(b.data, appendShaped(nil, p.form.template, m))
	} else {
		b.data = appendObject(b.data, m, p.form.as)
	}
	b.data = append(b.data, ']')
	b.ends = append(b.ends, len(b.data))
	b.names = append(b.names, m.stream.id...)
	b.nameEnd = append(b.nameEnd, len(b.names))
}

// deliver says a batch to the room, which slows it down where the room cannot keep up.
func (p *party) deliver(ctx context.Context, b *batch) error {
	r, err := p.open(ctx, p.name)
	if err != nil {
		return err
	}
	at, name := 0, 0
	for i, end := range b.ends {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		from := session.ID(b.names[name:b.nameEnd[i]])
		event := b.data[at:end]
		at, name = end, b.nameEnd[i]
		if len(event) > room.MaxEvent {
			b.refused++
			b.why = errors.New("a message is longer than an event of a room can be")
			continue
		}
		if err := r.SayEvent(from, event); err != nil {
			return err
		}
	}
	return nil
}

func (p *party) single() bool { return false }
func (p *party) close()       {}
