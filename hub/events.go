package hub

import (
	"context"
	"errors"
	"io"

	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

// Events reads a session's events in order, each once: first what is recorded, then, while the session lives, what
// comes. Where the record refers to a room's messages, it gives them as Sent, under the number of the reference.
type Events struct {
	hub    *Hub
	id     session.ID
	cursor *recording.Cursor
	close  func()
	queue  []session.Event // read from the cursor, not yet returned
	room   *roomRange      // being resolved
	last   int64           // time of the newest event returned
	telnet bool            // its commands are in what passed
	bare   *bare           // nil: and are to stay there

	again func(from uint64) *recording.Cursor // another cursor, which is no watcher
}

// Events opens a session's events from a number on; 0 and 1 mean the first.
func (h *Hub) Events(ctx context.Context, id session.ID, from uint64) (*Events, error) {
	from = max(from, 1)
	if log := h.liveLog(id); log != nil {
		return &Events{hub: h, id: id, cursor: log.Cursor(from), close: func() {}, telnet: h.isTelnet(id), again: log.Reader}, nil
	}
	sum, err := h.Find(ctx, string(id))
	if err != nil {
		return nil, err
	}
	r, err := h.store.Recording(sum.ID, sum.Start)
	if err != nil {
		return nil, err
	}
	return &Events{hub: h, id: id, cursor: r.Cursor(from), close: func() { r.Close() }, telnet: r.Summary().Telnet, again: r.Cursor}, nil
}

// isTelnet reports whether telnet's commands are in what passes in a live session.
func (h *Hub) isTelnet(id session.ID) bool {
	s := h.live.get(id)
	return s != nil && s.conf.Telnet
}

// liveLog is the recording of a session or a room that is live now, nil if there is none.
func (h *Hub) liveLog(id session.ID) *recording.Log {
	if s := h.live.get(id); s != nil {
		s.flushDelivery()
		return s.log
	}
	l, _ := h.rooms.get(id)
	return l.log
}

// Close ends the reading.
func (e *Events) Close() {
	if e.room != nil {
		e.room.close()
	}
	e.cursor.Close()
	e.close()
}

// Position is the number of the event with which the reading begins: that of a session that is not recorded begins now. It
// is known until the first event is read.
func (e *Events) Position() uint64 { return e.cursor.Position() }

// Next returns the next events, at least one, valid until the next call. It waits for them while the session lives and
// returns io.EOF after its last.
func (e *Events) Next(ctx context.Context) ([]session.Event, error) {
	for {
		batch, err := e.next(func() ([]session.Event, error) { return e.cursor.Next(ctx) })
		if len(batch) > 0 || err != nil {
			return e.stripped(batch), err
		}
	}
}

// TryNext is Next for those who must not wait: nil, nil where Next would.
func (e *Events) TryNext() ([]session.Event, error) {
	for {
		waits := false
		batch, err := e.next(func() ([]session.Event, error) {
			b, err := e.cursor.TryNext()
			waits = len(b) == 0 && err == nil
			return b, err
		})
		if len(batch) > 0 || err != nil || waits {
			return e.stripped(batch), err
		}
	}
}

func (e *Events) stripped(batch []session.Event) []session.Event {
	if e.bare == nil || len(batch) == 0 {
		return batch
	}
	return e.bare.take(batch)
}

func (e *Events) next(read func() ([]session.Event, error)) ([]session.Event, error) {
	if e.room != nil && e.room.over {
		e.room.close()
		e.room = nil
	}
	if e.room != nil {
		return e.nextOfRoom()
	}
	if len(e.queue) == 0 {
		batch, err := read()
		if err != nil || len(batch) == 0 {
			return nil, err
		}
		e.queue = batch
	}
	for i, ev := range e.queue {
		if ev.Kind == session.Delivered {
			if i > 0 {
				return e.take(i), nil
			}
			e.queue = e.queue[1:]
			e.room = e.hub.openRoomRange(e.id, ev)
			return nil, nil
		}
	}
	return e.take(len(e.queue)), nil
}

func (e *Events) take(n int) []session.Event {
	batch := e.queue[:n]
	e.queue = e.queue[n:]
	e.last = batch[n-1].Time
	return batch
}

func (e *Events) nextOfRoom() ([]session.Event, error) {
	batch, err := e.room.next()
	if err != nil {
		e.room.over = true // closed with the next call: what is returned lies in what its cursor holds
		if !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	for i := range batch {
		batch[i].Time = max(batch[i].Time, e.last)
		e.last = batch[i].Time
	}
	return batch, nil
}

// roomRange gives the messages that one Delivered event refers to, as Sent events.
type roomRange struct {
	event  session.Event
	ref    session.RoomRef
	member session.ID
	cursor *recording.Cursor
	done   func()
	out    []session.Event
	over   bool // nothing follows

	mapping *session.Mapping // the room's
}

func (h *Hub) openRoomRange(member session.ID, ev session.Event) *roomRange {
	r := &roomRange{event: ev, member: member, done: func() {}}
	if err := unmarshal(ev.Data, &r.ref); err != nil {
		return r
	}
	if l, open := h.rooms.get(r.ref.Session); open {
		r.cursor, r.mapping = l.log.Cursor(r.ref.First), l.info.Mapping
		return r
	}
	for _, start := range h.startOf(r.ref.Session) {
		rec, err := h.store.Recording(r.ref.Session, start)
		if err != nil {
			continue
		}
		r.cursor, r.done = rec.Cursor(r.ref.First), func() { rec.Close() }
		r.mapping = rec.Summary().Mapping
		return r
	}
	return r
}

// startOf finds when an ended session began, which says where its recording lies.
func (h *Hub) startOf(id session.ID) []int64 {
	sum, err := h.Find(context.Background(), string(id))
	if err != nil {
		return nil
	}
	return []int64{sum.Start}
}

func (r *roomRange) close() {
	if r.cursor != nil {
		r.cursor.Close()
	}
	r.done()
}

// next returns the next messages, and io.EOF with or after the last ones.
func (r *roomRange) next() ([]session.Event, error) {
	if r.cursor == nil {
		return []session.Event{r.gap()}, io.EOF
	}
	events, err := r.cursor.TryNext()
	if err != nil || len(events) == 0 {
		return nil, io.EOF
	}
	r.out = r.out[:0]
	for _, ev := range events {
		if ev.Number > r.ref.Last {
			return r.out, io.EOF
		}
		if ev.Kind == session.Gap {
			r.out = append(r.out, session.Event{Number: r.event.Number, Time: ev.Time, Kind: session.Gap, Data: ev.Data})
			continue
		}
		if ev.Kind == session.Joined || ev.Kind == session.Left {
			if data, sent := r.sentPresence(ev); sent {
				r.out = append(r.out, session.Event{Number: r.event.Number, Time: ev.Time, Kind: session.Sent, Data: data})
			}
			continue
		}
		if ev.Kind != session.Message {
			continue
		}
		m, err := session.ParseRoomMessage(ev.Data)
		if err != nil || (r.ref.Exclude || m.Others) && m.From == r.member {
			continue
		}
		if data, sent := r.sent(m); sent {
			r.out = append(r.out, session.Event{Number: r.event.Number, Time: ev.Time, Kind: session.Sent, Data: data})
		}
	}
	if events[len(events)-1].Number == r.ref.Last {
		return r.out, io.EOF
	}
	return r.out, nil
}

// sentPresence is the event that tells a member of another who came or left, if it did: members of packets alone are told.
func (r *roomRange) sentPresence(ev session.Event) (_ []byte, sent bool) {
	var who session.Present
	if r.ref.As != session.AsPacket || unmarshal(ev.Data, &who) != nil || r.ref.Exclude && who.Session == r.member {
		return nil, false
	}
	return session.AppendPacket(nil, session.AppendEvent(nil, ev.Kind.String(), ev.Data)), true
}

// sent is a message in the form in which the member got it, if it did: an event that is no bytes reaches packets alone.
func (r *roomRange) sent(m session.RoomMessage) (_ []byte, sent bool) {
	switch {
	case r.ref.As == session.AsPacket && m.Kind == session.SaidEvent:
		return session.AppendPacket(nil, m.Bytes), true
	case r.ref.As == session.AsPacket:
		return r.mapping.AppendEvent([]byte{'2'}, m.Bytes), true
	case m.Kind != session.SaidEvent:
		return m.Bytes, true
	}
	data := r.mapping.AppendBytes([]byte{}, m.Bytes, true)
	if r.ref.As == session.AsDatagram && len(data) > 0 {
		return r.mapping.AppendBytes([]byte{}, m.Bytes, false), true
	}
	return data, len(data) > 0
}

func (r *roomRange) gap() session.Event {
	return session.Event{Number: r.event.Number, Time: r.event.Time, Kind: session.Gap,
		Data: session.JSON(session.Missing{Events: r.ref.Messages, Bytes: r.ref.Bytes, Reason: "the room's recording is gone"})}
}
