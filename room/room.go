package room

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// Member is one who reads a room.
type Member interface {
	ID() session.ID
	// Datagrams reports whether each message is delivered by itself; else those that wait are joined.
	Datagrams() bool
	// Deliver gets messages, borrowed, and what they are in the room's recording. It must not wait. After an error the
	// room forgets the member.
	Deliver(joined []byte, ref session.RoomRef) error
	// Joined and Left tell the member's own record. Messages delivered come after Joined. After Left the member refuses
	// them with an error, and has itself noted which was the last that it took.
	Joined(session.RoomRef)
	Left(session.RoomRef)
}

// Room is a log with an offset that many members read.
type Room struct {
	rooms   *Rooms
	name    string
	subject string
	conf    Config
	sub     *nats.Subscription
	shards  []*shard
	working sync.WaitGroup
	members atomic.Int64
	turn    atomic.Uint64 // spreads members over the shards
	closed  atomic.Bool
	done    chan struct{}
	window  window
	epoch   string // fixed after Open

	presence presence

	// owned by the follower once Open has returned; the pointer is for others to read
	current atomic.Pointer[roomRecording]
	offset  uint64
	number  uint64 // of the newest event in the current recording
	scratch []byte

	followers []*following // guarded by stopped
	stopped   sync.Mutex   // held by the follower while it works, and by those who join between two messages
}

// roomRecording is one of the recordings that a room makes, one after another.
type roomRecording struct {
	info  session.Info
	log   *recording.Log
	bytes int64
	since time.Time
}

// MaxMessage is the longest message, in bytes: it fits into one datagram, and any datagram fits.
const MaxMessage = transport.MaxDatagram

const (
	defaultMessages = 10_000
	defaultBytes    = 16 << 20
	recordingBytes  = 256 << 20      // a room's recording is completed, and a new one begun, at this size
	recordingAge    = 24 * time.Hour // or at this age
)

// follow makes the stream if there is none, and follows it from now on.
func (r *Rooms) follow(ctx context.Context, name string, conf Config) (*Room, error) {
	room := &Room{rooms: r, name: name, subject: "sb.room." + token(name), conf: conf, done: make(chan struct{})}
	room.window.init()
	stream, err := r.js.AddStream(&nats.StreamConfig{
		Name: "room-" + token(name), Subjects: []string{room.subject}, Storage: nats.MemoryStorage, Discard: nats.DiscardOld,
		MaxMsgs: orDefault(conf.MaxMessages, defaultMessages), MaxBytes: orDefault(conf.MaxBytes, defaultBytes),
		MaxAge: conf.MaxAge,
	}, nats.Context(ctx))
	if err != nil {
		return nil, err
	}
	if err := room.beginRecording(); err != nil {
		return nil, err
	}
	for range shardCount() {
		s := &shard{room: room, wake: make(chan struct{}, 1), at: map[Member]int{}}
		s.space.L = &s.mu
		room.shards = append(room.shards, s)
		room.working.Go(s.run)
	}
	room.offset = stream.State.LastSeq
	room.epoch = strconv.FormatInt(stream.Created.UnixMilli(), 36)
	room.sub, err = r.js.Subscribe(room.subject, room.receive, nats.OrderedConsumer(), nats.StartSequence(room.offset+1))
	if err != nil {
		room.close()
		return nil, err
	}
	room.sub.SetPendingLimits(-1, 64<<20)
	return room, nil
}

// Name is the room's.
func (r *Room) Name() string { return r.name }

// Members is how many members this node holds.
func (r *Room) Members() int { return int(r.members.Load()) }

// Info tells of the room's recording that is being made.
func (r *Room) Info() session.Info { return r.current.Load().info }

func (r *Room) beginRecording() error {
	now := time.Now()
	rec := &roomRecording{since: now, info: session.Info{ID: session.NewID(r.rooms.opt.Node), Listener: r.name,
		Service: "room", Transport: "room", Name: r.name, Start: now.UnixMicro(), Record: r.conf.Record,
		Mapping: r.mapping()}}
	info := rec.info
	policy := recording.Policy{Record: r.conf.Record, OnFailure: session.OnFailureContinue}
	if policy.Record == session.RecordStrict {
		policy.Record = session.RecordOn // its members' own records are strict; the room itself does not wait
	}
	log, err := r.rooms.opt.Store.Begin(&info, policy)
	if err != nil {
		return err
	}
	rec.log = log
	r.number = log.Events()
	previous := r.current.Swap(rec)
	if r.rooms.opt.Began != nil {
		r.rooms.opt.Began(rec.info, log)
	}
	if previous != nil {
		r.endRecording(previous, session.End{Cause: session.Done, Detail: "goes on in " + string(rec.info.ID)})
	}
	return nil
}

func (r *Room) endRecording(rec *roomRecording, e session.End) {
	e.Time = time.Now().UnixMicro()
	rec.log.End(e)
	if r.rooms.opt.Ended != nil {
		r.rooms.opt.Ended(rec.info.ID)
	}
}

// Say publishes a message to the room; the bytes are copied. It waits while too much of what this node has said has not
// come back, and returns when the message is on its way. Messages said one after the other come in that order. One that
// is longer than MaxMessage is said as several.
func (r *Room) Say(from session.ID, data []byte) error {
	for len(data) > MaxMessage {
		if err := r.say(session.RoomMessage{From: from, Bytes: data[:MaxMessage]}); err != nil {
			return err
		}
		data = data[MaxMessage:]
	}
	return r.say(session.RoomMessage{From: from, Bytes: data})
}

// MaxEvent is the longest event, in bytes of JSON.
const MaxEvent = 1_000_000

// SayEvent is Say of an event: a JSON array of its name and its arguments. An event is not taken apart: see MaxEvent.
func (r *Room) SayEvent(from session.ID, event []byte) error {
	if len(event) > MaxEvent {
		return fmt.Errorf("room %q: an event of %d bytes: %d at most", r.name, len(event), MaxEvent)
	}
	if err := session.CheckEvent(event); err != nil {
		return fmt.Errorf("room %q: %w", r.name, err)
	}
	return r.say(session.RoomMessage{From: from, Kind: session.SaidEvent, Bytes: event})
}

func (r *Room) say(m session.RoomMessage) error {
	b := make([]byte, 0, len(m.Bytes)+session.MaxIDLen+12)
	err := r.window.send(len(m.Bytes), func(number uint64) error {
		m.Offset = number
		b = m.Append(b)
		return r.rooms.opt.Bus.Rooms().Publish(r.subject, b)
	})
	if err != nil {
		return fmt.Errorf("room %q: %w", r.name, err)
	}
	return nil
}

// receive is the follower: it records each message once and hands it to every shard.
func (r *Room) receive(m *nats.Msg) {
	r.stopped.Lock()
	defer r.stopped.Unlock()
	if r.closed.Load() {
		return
	}
	meta, err := m.Metadata()
	if err != nil {
		r.rooms.opt.Logger.Error("a room's log gave a message without its number", "room", r.name, "error", err)
		return
	}
	msg, err := session.ParseRoomMessage(m.Data)
	if err != nil {
		r.rooms.opt.Logger.Warn("a room's log holds a message that nobody here wrote", "room", r.name, "error", err)
		return
	}
	if meta.Sequence.Stream <= r.offset {
		return // the consumer was made anew and began too early
	}
	defer r.acknowledge(msg.Offset)
	rec := r.current.Load()
	if rec.bytes > recordingBytes || time.Since(rec.since) > recordingAge {
		if err := r.beginRecording(); err == nil {
			rec = r.current.Load()
		}
	}
	msg.Offset = meta.Sequence.Stream
	r.noteGap(rec, msg.Offset)
	number := r.record(rec, &msg)
	comesOrGoes := msg.Kind == session.SaidJoined || msg.Kind == session.SaidLeft
	if comesOrGoes {
		r.note(msg)
	}
	for _, f := range r.followers {
		f.Said(Message{RoomMessage: msg, Number: number, Recording: rec.info.ID})
	}
	if comesOrGoes || r.members.Load() == 0 {
		return
	}
	p := publication{from: msg.From, data: msg.Bytes, number: number, session: rec.info.ID, others: msg.Others}
	if msg.Kind == session.SaidEvent {
		p.data = r.conf.Mapping.AppendBytes(nil, msg.Bytes, true)
		if len(p.data) == 0 {
			return // it is no bytes
		}
		p.datagram = r.conf.Mapping.AppendBytes([]byte{}, msg.Bytes, false)
	}
	for _, s := range r.shards {
		s.add(p)
	}
}

// record puts a message on the room's record, and returns the number of its event.
func (r *Room) record(rec *roomRecording, msg *session.RoomMessage) uint64 {
	kind := session.Message
	r.scratch = r.scratch[:0]
	switch msg.Kind {
	case session.SaidJoined:
		kind, r.scratch = session.Joined, append(r.scratch, msg.Bytes...)
	case session.SaidLeft:
		kind, r.scratch = session.Left, append(r.scratch, msg.Bytes...)
	default:
		r.scratch = msg.Append(r.scratch)
	}
	number, err := rec.log.Append(kind, r.scratch)
	if err != nil {
		r.rooms.opt.Logger.Error("a room's message cannot be recorded", "room", r.name, "error", err)
	}
	r.number = max(r.number, number)
	rec.bytes += int64(len(r.scratch))
	if number == 0 { // not recorded: the gap that will say so gets this number, and stands where the message would
		number = r.number + 1
	}
	return number
}

// acknowledge lets this node's senders go on.
func (r *Room) acknowledge(number uint64) {
	if lost := r.window.seen(number); lost > 0 {
		r.rooms.opt.Logger.Error("a room's log did not take messages", "room", r.name, "messages", lost)
	}
}

// noteGap records messages that this node never got: the log had let go of them when it came to read.
func (r *Room) noteGap(rec *roomRecording, offset uint64) {
	if offset > r.offset+1 {
		missing := session.Missing{Events: offset - r.offset - 1, Reason: "lagged"}
		rec.log.Append(session.Gap, session.JSON(missing))
		r.rooms.opt.Logger.Warn("a room's messages were lost: too many came at once", "room", r.name,
			"messages", missing.Events)
	}
	r.offset = offset
}

// Join makes m a member: it gets every message behind the one that Joined is told as the last, each once, in order.
// exclude leaves its own out.
func (r *Room) Join(m Member, exclude bool) error {
	r.stopped.Lock()
	defer r.stopped.Unlock()
	if r.closed.Load() {
		return ErrClosed
	}
	m.Joined(r.ref(exclude))
	s := r.shards[r.turn.Add(1)%uint64(len(r.shards))]
	r.members.Add(1)
	s.add(publication{member: m, joins: true, exclude: exclude})
	return nil
}

// ref is where the room's recording is; stopped is held.
func (r *Room) ref(exclude bool) session.RoomRef {
	return session.RoomRef{Room: r.name, Session: r.Info().ID, Last: r.number, Exclude: exclude}
}

// Leave ends a membership: when it returns, the member takes nothing more, and its record says which message was the
// last. It does not wait; Members counts the member until its shard has heard. One that has left does not join again.
func (r *Room) Leave(m Member) {
	m.Left(session.RoomRef{Room: r.name, Session: r.Info().ID})
	for _, s := range r.shards { // only one of them knows it
		s.add(publication{member: m})
	}
}

func (r *Room) close() {
	if r.closed.Swap(true) {
		return
	}
	r.window.close()
	if r.sub != nil {
		r.sub.Unsubscribe() // it fails only if the connection is gone, which is as good
	}
	close(r.done)
	for _, s := range r.shards {
		s.stop()
	}
	r.stopped.Lock()
	defer r.stopped.Unlock()
	r.working.Wait()
	if rec := r.current.Load(); rec != nil {
		r.endRecording(rec, session.End{Cause: session.Shutdown})
	}
}
