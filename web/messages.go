package web

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/session"
)

var messageRoutes = []route{
	{"GET /api/v1/sessions/{id}/messages", auth.Viewer, (*server).messages},
}

const (
	defaultMessageLimit = 100
	maxMessageLimit     = 1000
	maxMessageData      = 4 << 10 // bytes of a message that an answer has
)

var messageKeys = map[string]bool{"after": true, "before": true, "limit": true, "frame": true}

// bookmark is where the reading of a session's messages goes on: Position, and the event in which its next byte lies.
type bookmark struct {
	Event    uint64         `json:"e"`
	Skip     int            `json:"s,omitempty"` // bytes of that event that lie before it
	Position frame.Position `json:"p"`
}

func (b bookmark) String() string { return base64.RawURLEncoding.EncodeToString(session.JSON(b)) }

func parseBookmark(text string) (b bookmark, err error) {
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(data, &b)
	}
	if err != nil || b.Event == 0 || b.Skip < 0 || b.Position.Offset < 0 {
		return b, bad("after %.60q is not what an answer before said as next", text)
	}
	return b, nil
}

// messages answers with a session's messages: those behind a bookmark, or the newest ones, before an offset if that is given.
func (s *server) messages(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.find(r)
	if err != nil {
		return err
	}
	if sum.Record == session.RecordOff {
		return errNotRecorded
	}
	rd, err := parseMessages(r.URL.Query())
	if err != nil {
		return err
	}
	if rd.dialect == nil {
		if rd.dialect, err = s.dialectOf(r.Context(), &sum); err != nil {
			return err
		}
	}
	if err := s.readMessages(r.Context(), &sum, rd); err != nil {
		return err
	}
	answer := messageList{Messages: rd.list(), Framers: rd.dialect.Framers()}
	if rd.before == 0 {
		answer.Next = rd.mark().String()
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

type messageList struct {
	Messages []device.Message `json:"messages"` // the oldest first
	Next     string           `json:"next,omitempty"`
	Framers  []string         `json:"framers"` // that were tried, in order
}

func parseMessages(q url.Values) (rd *messageReading, err error) {
	rd = &messageReading{limit: defaultMessageLimit, at: bookmark{Event: 1}}
	for key := range q {
		if !messageKeys[key] {
			return nil, bad("no parameter is called %q: use after, before, limit, frame", key)
		}
	}
	if text := q.Get("limit"); text != "" {
		if rd.limit, err = strconv.Atoi(text); err != nil || rd.limit < 1 || rd.limit > maxMessageLimit {
			return nil, bad("limit %q: must be a number from 1 to %d", text, maxMessageLimit)
		}
	}
	if text := q.Get("before"); text != "" {
		if rd.before, err = strconv.ParseInt(text, 10, 64); err != nil || rd.before < 1 {
			return nil, bad("before %q: must be the start of a message, a number of bytes from 1", text)
		}
	}
	if text := q.Get("after"); text != "" {
		if rd.before != 0 {
			return nil, bad("after and before both say where: give one of them")
		}
		if rd.at, err = parseBookmark(text); err != nil {
			return nil, err
		}
		rd.forward = true
	}
	if name := q.Get("frame"); name != "" {
		if rd.dialect, err = frame.Compile(frame.Spec{Framers: frame.FramerSpecs{frame.Named(name)}}); err != nil {
			return nil, bad("frame %q: %w", name, err)
		}
	}
	return rd, nil
}

// dialectOf is how a device's session is cut, which its record says.
func (s *server) dialectOf(ctx context.Context, sum *session.Summary) (*frame.Dialect, error) {
	text := sum.Frame
	if text == "" {
		info, err := s.opened(ctx, sum.ID)
		if err != nil {
			return nil, err
		}
		text = info.Frame
	}
	if text == "" {
		return nil, bad("the session is no device's: say how to cut what it received, as in frame=line")
	}
	var spec frame.Spec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		return nil, err
	}
	return frame.Compile(spec)
}

// opened is what a session's first event says of it; empty if that is missing.
func (s *server) opened(ctx context.Context, id session.ID) (info session.Info, err error) {
	events, err := s.Hub.Events(ctx, id, 1)
	if err != nil {
		return info, err
	}
	defer events.Close()
	batch, err := events.TryNext()
	if err != nil && !errors.Is(err, io.EOF) {
		return info, err
	}
	if len(batch) == 0 || batch[0].Kind != session.Opened || json.Unmarshal(batch[0].Data, &info) != nil {
		return session.Info{}, nil
	}
	return info, nil
}

// messageReading reads messages: forward from a bookmark, as many as may be, or all, of which it keeps the newest.
type messageReading struct {
	dialect *frame.Dialect
	limit   int
	before  int64 // 0: none
	forward bool

	at     bookmark // where it began
	reader frame.Reader
	found  []device.Message // a ring unless forward
	begin  int              // of the ring

	received int64 // bytes by now
	pieces   []piece
	next     uint64 // number behind the newest event
}

// piece is a Received event which holds what is not behind the reader yet.
type piece struct {
	number     uint64
	at         int64 // Unix µs
	start, end int64 // in all that was received
}

// errEnough ends a reading.
var errEnough = errors.New("that is enough")

func (s *server) readMessages(ctx context.Context, sum *session.Summary, rd *messageReading) error {
	events, err := s.Hub.Events(ctx, sum.ID, rd.at.Event)
	if err != nil {
		return err
	}
	defer events.Close()
	rd.reader = rd.dialect.ReaderAt(rd.at.Position, sum.Datagrams())
	rd.received = rd.at.Position.Offset - int64(rd.at.Skip)
	rd.next = rd.at.Event
	for ctx.Err() == nil {
		batch, err := events.TryNext()
		for i := range batch {
			if err := rd.take(&batch[i]); err != nil {
				return enough(err)
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case len(batch) == 0:
			return enough(rd.rest())
		}
	}
	return context.Cause(ctx)
}

func enough(err error) error {
	if err == errEnough {
		return nil
	}
	return err
}

// take reads one event.
func (rd *messageReading) take(e *session.Event) error {
	rd.next = e.Number + 1
	switch e.Kind {
	case session.Received:
		start := rd.received
		rd.received += int64(len(e.Data))
		data := e.Data
		if e.Number == rd.at.Event {
			data = data[min(len(data), rd.at.Skip):]
		}
		rd.pieces = append(rd.pieces, piece{e.Number, e.Time, start, rd.received})
		if err := rd.reader.Feed(data, e.Time, rd.each); err != nil {
			return err
		}
		rd.drop()
	case session.ReceivedEnd, session.Closed:
		return rd.reader.Close(rd.each)
	}
	return nil
}

// restAfter is how long ago silence must have ended a message of a live session for that to be said: what came meanwhile is then
// on record.
const restAfter = time.Second

// rest has messages that silence has ended.
func (rd *messageReading) rest() error {
	now := time.Now().Add(-restAfter).UnixMicro()
	if due := rd.reader.Due(); due == 0 || due > now {
		return nil
	}
	defer rd.drop()
	return rd.reader.Expire(now, rd.each)
}

// drop forgets pieces that lie behind the reader.
func (rd *messageReading) drop() {
	at := rd.reader.Position().Offset
	n := 0
	for n < len(rd.pieces) && rd.pieces[n].end <= at {
		n++
	}
	rd.pieces = append(rd.pieces[:0], rd.pieces[n:]...)
}

// mark is where the reading goes on.
func (rd *messageReading) mark() bookmark {
	rd.drop()
	b := bookmark{Event: rd.next, Position: rd.reader.Position()}
	if len(rd.pieces) > 0 {
		b.Event = rd.pieces[0].number
		b.Skip = int(max(0, b.Position.Offset-rd.pieces[0].start))
	}
	return b
}

// each keeps a message.
func (rd *messageReading) each(m *frame.Message) error {
	if rd.before != 0 && m.Start >= rd.before {
		return errEnough
	}
	msg := device.Message{Start: m.Start, End: m.End, Kind: device.KindName(m.Kind), Name: m.Name, Flags: device.FlagNames(m.Flags), Framer: rd.reader.Framer(),
		Length: len(m.Data), Data: bytes.Clone(m.Data[:min(len(m.Data), maxMessageData)])}
	for _, p := range rd.pieces {
		if msg.Number, msg.At = p.number, p.at; p.end >= m.End {
			break
		}
	}
	if msg.Data == nil {
		msg.Data = []byte{}
	}
	if rd.forward {
		rd.found = append(rd.found, msg)
		if len(rd.found) == rd.limit {
			return errEnough
		}
		return nil
	}
	if len(rd.found) < rd.limit {
		rd.found = append(rd.found, msg)
		return nil
	}
	rd.found[rd.begin] = msg
	rd.begin = (rd.begin + 1) % rd.limit
	return nil
}

// list is what was found, the oldest first.
func (rd *messageReading) list() []device.Message {
	list := make([]device.Message, 0, len(rd.found))
	return append(append(list, rd.found[rd.begin:]...), rd.found[:rd.begin]...)
}
