// Package recording keeps what happens in sessions. All sessions write into one journal, whose rounds are made durable
// together; a session that has ended gets a file of its own. Cursors read a recording in order while it grows and
// afterwards. docs/recording-format.md describes the files.
package recording

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// SyncMode says when written chunks count as durable.
type SyncMode int

const (
	SyncGroup SyncMode = iota // one fdatasync for all that waits
	SyncNone                  // when the system has taken them: survives the end of the process, not of the machine
)

// Options of a Store. Zero values mean the defaults.
type Options struct {
	Dir          string        // holds journal/ and recordings/
	SegmentSize  int64         // of the journal's segments, bytes; 64 MiB
	ChunkSize    int           // a chunk with as much raw data closes, bytes; 64 KiB
	ChunkAge     time.Duration // a chunk closes so long after its first event; 200 ms
	QueueLimit   int64         // memory that may wait for the disk, all sessions together, bytes; 64 MiB
	JournalLimit int64         // beyond it live sessions move to files of their own, bytes; 1 GiB
	Sync         SyncMode
	OnSealed     func(session.Summary) // a session's file is complete and durable; called from one goroutine, and by Import
	OnFailed     func(err error)       // the journal cannot write; called once at each change
	OnRecovered  func()                // it can again
	Logger       *slog.Logger

	mostPlaces int64 // see hasManyPlaces
}

// Store is a data folder's recordings: the journal of live sessions, and the sealed files of ended ones.
type Store struct {
	opt  Options
	lock *os.File

	qmu     sync.Mutex
	queue   []*chunk
	arrived chan struct{}
	queued  atomic.Int64 // memory of chunks that are not durable, bytes
	places  atomic.Int64 // of chunks of unsealed sessions in the journal's segments, all in memory

	spaceMu sync.Mutex
	space   chan struct{}

	// owned by the journal's commit
	current *segment
	serial  int
	vec     [][]byte
	checked time.Time

	smu      sync.Mutex
	segments []*segment

	fmu     sync.Mutex
	failure error
	failing atomic.Bool

	mu          sync.Mutex
	live        map[*Log]struct{}
	ending      map[session.ID]*Log // ended, not sealed
	toDo        []*Log              // ready to be sealed
	sealIt      chan struct{}
	check       atomic.Bool // a checkpoint is due
	found       []string    // complete files that a crash left unreported
	sealTrouble bool        // owned by the sealer
	joiner      joiner      // as well
	idle        sync.Cond   // signalled when live or ending shrinks

	pmu sync.Mutex // held while a recording is pinned, unpinned or removed, and while its notes change

	dmu   sync.Mutex
	dirty []*Log
	nmu   sync.Mutex
	news  []*Log
	tell  chan struct{}

	closing chan struct{} // no new sessions; the journal ends when its queue is empty
	abort   chan struct{} // give up what cannot be written
	stop    chan struct{} // everything else ends
	journal sync.WaitGroup
	others  sync.WaitGroup
	imports sync.WaitGroup // added to under mu, and not once closing is closed

	commits, chunks, written, unrecorded, failures, stalls, sealedCount atomic.Uint64
}

// Stats are a store's counts since it was opened.
type Stats struct {
	QueuedBytes  int64  `json:"queued_bytes"`  // memory that waits for the disk
	Commits      uint64 `json:"commits"`       // rounds made durable
	Chunks       uint64 `json:"chunks"`        // in them
	WrittenBytes uint64 `json:"written_bytes"` // to the journal
	Unrecorded   uint64 `json:"unrecorded"`    // events that could not be recorded
	Failures     uint64 `json:"failures"`      // of writing
	Stalls       uint64 `json:"stalls"`        // how often a session waited for the disk
	Sealed       uint64 `json:"sealed"`        // recordings completed
	Unsealed     int    `json:"unsealed"`      // ended, not complete yet
	Segments     int    `json:"segments"`      // of the journal, on disk
}

// Open opens or makes the recordings of a folder. What a crash left open is sealed behind, as "interrupted", and is
// listed by Pending and readable at once. One process at a time may have a folder open.
func Open(opt Options) (*Store, error) {
	opt.SegmentSize = cmp.Or(opt.SegmentSize, 64<<20)
	opt.ChunkSize = cmp.Or(opt.ChunkSize, 64<<10)
	opt.ChunkAge = cmp.Or(opt.ChunkAge, 200*time.Millisecond)
	opt.QueueLimit = cmp.Or(opt.QueueLimit, 64<<20)
	opt.JournalLimit = cmp.Or(opt.JournalLimit, 1<<30)
	opt.mostPlaces = cmp.Or(opt.mostPlaces, mostPlaces)
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	s := &Store{opt: opt, arrived: make(chan struct{}, 1), live: map[*Log]struct{}{}, ending: map[session.ID]*Log{},
		sealIt: make(chan struct{}, 1), tell: make(chan struct{}, 1), closing: make(chan struct{}),
		abort: make(chan struct{}), stop: make(chan struct{})}
	s.idle.L = &s.mu
	for _, dir := range []string{s.journalDir(), s.sealedDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("recordings: %w: %s", err, mend(err))
		}
	}
	lock, err := lockFile(filepath.Join(s.journalDir(), "lock"))
	if err != nil {
		return nil, fmt.Errorf("recordings in %s: %w", opt.Dir, err)
	}
	s.lock = lock
	if err := s.recover(); err != nil {
		lock.Close()
		return nil, fmt.Errorf("recordings in %s: recovery: %w", opt.Dir, err)
	}
	s.journal.Go(s.encode)
	s.others.Go(s.sealer)
	s.others.Go(s.sweep)
	s.others.Go(s.herald)
	return s, nil
}

func (s *Store) journalDir() string { return filepath.Join(s.opt.Dir, "journal") }
func (s *Store) sealedDir() string  { return filepath.Join(s.opt.Dir, "recordings") }

// sealedPath is where an ended session's file lies: by the hour of its start, UTC.
func (s *Store) sealedPath(id session.ID, start int64) string {
	return filepath.Join(s.sealedDir(), time.UnixMicro(start).UTC().Format(hourLayout), string(id)+".sbr")
}

// Begin begins the recording of a session with its Opened event, whose data is what about tells. While recordings fail
// it returns the error if the policy is to end.
func (s *Store) Begin(about Describer, p Policy) (*Log, error) {
	info := about.Describe()
	if _, err := session.ParseID(string(info.ID)); err != nil {
		return nil, err
	}
	if s.isClosing() {
		return nil, ErrClosed
	}
	off := p.Record == session.RecordOff
	if err := s.Err(); err != nil && !off {
		if p.OnFailure != session.OnFailureContinue {
			return nil, err
		}
		off = s.queued.Load() >= s.opt.QueueLimit // nothing more can wait for the disk: the session goes on unrecorded
	}
	l := &Log{store: s, id: info.ID, about: about, off: off,
		strict: p.Record == session.RecordStrict, endFails: p.OnFailure != session.OnFailureContinue, yields: p.Yields, next: 1}
	if off {
		return l, nil
	}
	s.mu.Lock()
	s.live[l] = struct{}{}
	s.mu.Unlock()
	if err := s.Err(); err != nil && l.endFails { // it came since, and perhaps too early for the log to be told
		s.mu.Lock()
		delete(s.live, l)
		s.mu.Unlock()
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.fresh(0)
	data := info.AppendJSON(c.buf[eventHeader:eventHeader])
	if need := eventHeader + len(data); need > len(c.buf) {
		l.open = nil
		c.release()
		c = l.fresh(need)
		copy(c.buf[eventHeader:], data)
	}
	l.commitEvent(c, session.Opened, len(data), time.UnixMicro(info.Start))
	l.submit()
	return l, nil
}

// ErrClosed says that the store is closing.
var ErrClosed = errors.New("the recordings are being closed")

// ErrNotFound says that there is no such recording.
var ErrNotFound = errors.New("no such recording")

// ended moves a log from the live ones to those that wait to be sealed. The log's lock is held.
func (s *Store) ended(l *Log) {
	s.mu.Lock()
	delete(s.live, l)
	s.ending[l.id] = l
	s.mu.Unlock()
}

// Pending are the sessions that have ended and are not sealed yet. They can be read.
func (s *Store) Pending() []session.Summary {
	s.mu.Lock()
	logs := make([]*Log, 0, len(s.ending))
	for _, l := range s.ending {
		logs = append(logs, l)
	}
	s.mu.Unlock()
	list := make([]session.Summary, 0, len(logs))
	for _, l := range logs {
		l.mu.Lock()
		if l.seldom().end != nil {
			list = append(list, l.summary())
		}
		l.mu.Unlock()
	}
	return list
}

// Stats counts what the store did and does.
func (s *Store) Stats() Stats {
	st := Stats{QueuedBytes: s.queued.Load(), Commits: s.commits.Load(), Chunks: s.chunks.Load(),
		WrittenBytes: s.written.Load(), Unrecorded: s.unrecorded.Load(), Failures: s.failures.Load(),
		Stalls: s.stalls.Load(), Sealed: s.sealedCount.Load()}
	s.mu.Lock()
	st.Unsealed = len(s.ending)
	s.mu.Unlock()
	s.smu.Lock()
	st.Segments = len(s.segments)
	s.smu.Unlock()
	return st
}

// Remove deletes an ended session's file, its screens and its notes; one that is gone already is no error, a pinned one is ErrPinned.
// The recording does not come back after a crash, even if the journal still holds its records.
func (s *Store) Remove(id session.ID, start int64) error {
	s.pmu.Lock()
	defer s.pmu.Unlock()
	path := s.sealedPath(id, start)
	if exists(pinOf(path)) && exists(path) {
		return ErrPinned
	}
	if err := s.noteRemoved(id, path); err != nil {
		return err
	}
	if err := unlinkBeside(path); err != nil { // first: without their recording nothing would lead to them
		return err
	}
	if err := unlink(path); err != nil {
		return err
	}
	return unlink(pinOf(path)) // one that was left behind by a recording that somebody else removed
}

// closePatience is how long Close waits for a disk that fails.
const closePatience = 3 * time.Second

// Close seals everything and lets go of the folder. Every Log must have ended; an Import ends with the next event that it
// adds. If the disk fails, Close gives up after a few seconds with the error; what was durable is recovered at the next Open.
func (s *Store) Close() error {
	if s.isClosing() {
		return nil
	}
	s.mu.Lock()
	close(s.closing)
	s.mu.Unlock()
	s.imports.Wait()
	written := make(chan struct{})
	go func() { s.journal.Wait(); close(written) }()
	err := s.awaitWritten(written)
	if err == nil {
		s.mu.Lock()
		for len(s.ending) > 0 && s.Err() == nil {
			s.idle.Wait()
		}
		s.mu.Unlock()
		err = s.Err()
	}
	close(s.stop)
	s.others.Wait()
	if s.current != nil {
		g := s.current
		g.file.Truncate(g.size)
		g.full.Store(true)
		s.current = nil
	}
	s.retireSegments()
	s.smu.Lock()
	for _, g := range s.segments {
		g.retire(false)
	}
	s.smu.Unlock()
	s.lock.Close()
	return err
}

func (s *Store) awaitWritten(written <-chan struct{}) error {
	for {
		select {
		case <-written:
			return nil
		case <-time.After(closePatience):
			if err := s.Err(); err != nil {
				close(s.abort)
				<-written
				return err
			}
		}
	}
}
