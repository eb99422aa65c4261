package forward

import (
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

// errFull ends a reading: the batch takes no more.
var errFull = errors.New("the batch is full")

// mostName is the longest name that a device may say, bytes.
const mostName = 256

// Limits of one visit to a feed, behind which others have their turn.
const (
	visitEvents = 20_000
	visitBytes  = 4 << 20
	dripEvents  = 256 // without a message: then the feed rests for ten times as long as that took
	dripShare   = 10
)

// visit reads a feed from its place on into the batch, as far as there is anything and the batch has room.
func (w *worker) visit(fd *feed) visit {
	st := fd.stream
	w.feed, w.after = fd, fd.after
	w.visited = visit{feed: fd, to: place{fd.position(), fd.event, fd.within}}
	w.message.stream, w.message.person = st, st.person.Load()
	if w.target.single() {
		w.batch.stream = st
	}
	if w.r.f.opt.Online != nil && len(w.conf.Fleets) == 1 { // behind the stream's news: so its own device counts
		w.batch.online = w.r.f.opt.Online(w.conf.Fleets[0])
	}
	ended := st.live.Load() == nil // before it is read: nothing comes behind what is read then
	if err := w.read(fd, ended); err != nil {
		w.unreadable(err)
	}
	return w.visited
}

// unreadable gives a stream up whose recording cannot be read, or puts it off.
func (w *worker) unreadable(err error) {
	st := w.feed.stream
	if errors.Is(err, recording.ErrNotFound) {
		w.r.f.logger.Error("a recording is gone before all of it was forwarded", "forward", w.conf.Name, "session", st.id)
		w.visited.over = true
		return
	}
	w.r.mu.Lock()
	w.r.err, w.r.errAt = err, time.Now().UnixMicro()
	w.r.mu.Unlock()
	w.r.f.logger.Error("a recording cannot be read; it is tried again", "forward", w.conf.Name, "session", st.id, "error", err)
	w.visited.due = time.Now().Add(w.conf.RetryMax).UnixMicro()
}

func (w *worker) read(fd *feed, ended bool) error {
	st := fd.stream
	if err := w.events.Open(st.id, st.start, fd.event); err != nil {
		return err
	}
	dialect, err := w.r.f.dialectOf(st)
	if err != nil {
		return err
	}
	began := time.Now()
	w.cutter = dialect.ReaderAt(fd.position(), st.datagrams)
	w.base = fd.offset - int64(fd.within)
	w.trail, w.raw = w.trail[:0], w.raw[:0]
	w.number, w.length = max(fd.event, 1)-1, 0
	count, events, bytes := w.batch.count, 0, int64(0)
	for {
		now := time.Now().UnixMicro() // what comes behind the next reading came later than this
		batch, err := w.events.Next()
		if errors.Is(err, io.EOF) || err == nil && len(batch) == 0 && ended {
			return w.full(w.end())
		}
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			if err := w.silence(now); err != nil {
				return w.full(err)
			}
			break
		}
		for i := range batch {
			from := w.base
			if err := w.cut(&batch[i], fd); err != nil {
				return w.full(err)
			}
			bytes += w.base - from
		}
		if events += len(batch); events > visitEvents || bytes > visitBytes {
			if w.batch.count > count || w.visited.to.pos.Offset > fd.offset {
				w.visited.more = true
				return nil
			}
		}
	}
	if w.cutter.Buffered() == 0 && w.visited.to.pos.Offset == w.base {
		w.visited.to.event, w.visited.to.within = w.number+1, 0 // what was sent since need not be read again
	}
	if w.batch.count == count && events > dripEvents && w.cutter.Buffered() > 0 {
		w.visited.rest = dripShare * time.Since(began)
	}
	return nil
}

// full makes of errFull that there is more.
func (w *worker) full(err error) error {
	if errors.Is(err, errFull) {
		w.visited.more = true
		return nil
	}
	return err
}

// cut cuts one event.
func (w *worker) cut(ev *session.Event, fd *feed) error {
	w.number, w.length = ev.Number, 0
	switch ev.Kind {
	case session.Received:
		data, within := ev.Data, 0
		if ev.Number == fd.event {
			within = min(int(fd.within), len(data))
		} else if len(w.trail) == 0 && fd.within > 0 && ev.Number > fd.event {
			w.base = fd.offset // the event of the place is lost
		}
		w.length = len(data)
		w.trail = append(w.trail, step{ev.Number, w.base})
		w.message.at = ev.Time
		if w.target.single() {
			w.raw = append(w.raw, data[within:]...)
		}
		err := w.cutter.Feed(data[within:], ev.Time, w.took)
		w.base += int64(len(data))
		return err
	case session.Gap:
		return w.skip(ev)
	}
	return nil
}

// skip goes on behind what is missing in a recording: what is there of a message is one by itself.
func (w *worker) skip(ev *session.Event) error {
	var missing session.Missing
	if json.Unmarshal(ev.Data, &missing) != nil {
		return nil
	}
	w.message.at = ev.Time
	if err := w.cutter.Close(w.took); err != nil {
		return err
	}
	dialect, err := w.r.f.dialectOf(w.feed.stream)
	if err != nil {
		return err
	}
	pos := w.cutter.Position()
	w.base += int64(missing.Bytes)
	pos.Offset = w.base
	w.cutter = dialect.ReaderAt(pos, w.feed.stream.datagrams)
	w.trail, w.raw = w.trail[:0], w.raw[:0]
	w.visited.to = place{pos: pos, event: ev.Number + 1}
	return nil
}

// silence ends a message that silence has ended by now.
func (w *worker) silence(now int64) error {
	due := w.cutter.Due()
	if due == 0 {
		return nil
	}
	if due > now {
		w.visited.due = due
		return nil
	}
	w.message.at = due
	return w.cutter.Expire(now, w.took)
}

// end is what is there of a message when nothing more comes.
func (w *worker) end() error {
	if w.message.at == 0 {
		w.message.at = w.feed.stream.start
	}
	if err := w.cutter.Close(w.took); err != nil {
		return err
	}
	w.visited.over = true
	return nil
}

// take gets each message that was cut.
func (w *worker) take(m *frame.Message) error {
	pos := w.cutter.Position()
	if w.target.single() {
		w.message.from = w.visited.to.pos.Offset
		n := min(max(pos.Offset-w.message.from, 0), int64(len(w.raw)))
		w.message.raw, w.raw = w.raw[:n], w.raw[n:]
	}
	w.visited.to = w.place(pos)
	if p := w.message.person; p.name == device.Unknown && pos.Name != "" && len(pos.Name) <= mostName {
		w.message.person = &person{fleet: p.fleet, name: pos.Name} // it said so just now, and soon is
	}
	if !w.target.single() && !w.isWanted(m) || w.message.at < w.after {
		return nil
	}
	w.message.Message = m
	w.target.add(&w.batch, &w.message)
	w.batch.count++
	w.visited.since = w.message.at
	if w.isFull() {
		return errFull
	}
	return nil
}

func (w *worker) isWanted(m *frame.Message) bool {
	switch m.Kind {
	case frame.Heartbeat:
		return w.conf.Heartbeats
	case frame.Registration:
		return !w.conf.NoRegistrations
	case frame.Junk:
		return w.conf.Junk
	}
	return true
}

// place is where the next message begins.
func (w *worker) place(pos frame.Position) place {
	i := len(w.trail) - 1
	for i > 0 && w.trail[i].base > pos.Offset {
		i--
	}
	if i < 0 {
		return place{pos: pos, event: w.number + 1}
	}
	p := place{pos, w.trail[i].number, uint32(pos.Offset - w.trail[i].base)}
	if p.event == w.number && int(p.within) >= w.length {
		p.event, p.within = w.number+1, 0
	}
	if i > 0 {
		w.trail = append(w.trail[:0], w.trail[i:]...)
	}
	return p
}
