// Package command is the queue of what devices are to be told. A command is on disk before whoever asked is told that it
// was taken, and before its first byte leaves: whatever happens to the process, none is sent twice, and none is forgotten.
// The package knows no hub: devices are Peers.
package command

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/session"
)

// Limits of commands.
const (
	MaxData    = 64 << 10            // bytes of a command
	MaxWaiting = 1000                // commands of one device that are not over
	MaxKept    = 1_000_000           // commands of all devices, those that are over among them: the oldest of those go first
	MaxHistory = 1000                // commands of one device that are over, about: older ones are removed
	HistoryAge = 90 * 24 * time.Hour // after which one that is over is removed
	MaxName    = 256                 // bytes of a fleet's or a device's name, and of an id
	MaxPattern = 1 << 10             // bytes of AckRule.Pattern
	MaxTTL     = 90 * 24 * time.Hour
	MaxTimeout = 24 * time.Hour // of AckRule.Timeout
	MaxAnswer  = 1 << 10        // bytes that are kept of an answer
)

// What holds where nothing else is said.
const (
	DefaultTTL     = time.Hour
	DefaultTimeout = 30 * time.Second
)

// Errors to compare. What wraps them says more.
var (
	ErrBad      = errors.New("not a command")            // what was asked for cannot be one
	ErrNotFound = errors.New("there is no such command") // or none any more
	ErrOther    = errors.New("the id is another command's")
	ErrState    = errors.New("the command is too far for that")
	ErrFull     = errors.New("too many commands")
	ErrClosed   = errors.New("no commands are taken any more: the server stops")
)

// ErrNotSent is wrapped by an error of Peer.Send after which it is certain that not one byte left: the command waits again
// then. After any other error it is uncertain.
var ErrNotSent = errors.New("nothing was sent")

// ErrUnsendable is wrapped by an error of Peer.Send for what never can be sent there: the command has failed, and the connection goes on.
var ErrUnsendable = errors.New("it cannot be sent to this device")

// AmbiguousError says that an id is that of commands of several devices.
type AmbiguousError struct {
	ID    string
	Found []Ref // some of them
}

func (e *AmbiguousError) Error() string {
	text := fmt.Sprintf("several devices have a command %q:", e.ID)
	for _, r := range e.Found {
		text += fmt.Sprintf(" %s of fleet %s;", r.Name, r.Fleet)
	}
	return text + " say which, by fleet and name"
}

// Ref names a command. ID is needed; the others where it is that of several devices.
type Ref struct{ Fleet, Name, ID string }

// Peer is a device's connection. It is comparable, and always the same value for one connection.
type Peer interface {
	Fleet() string
	Name() string
	Session() session.ID
	// Send writes all of p to the device, and may wait for the socket; the connection's end ends that wait. See ErrNotSent and ErrUnsendable.
	Send(p []byte) error
}

// Sequencer is a Peer whose protocol numbers its messages: Sequence is what a device will repeat of p in its answer
// (frame.Message.Ack), nil if there is nothing in p that could be.
type Sequencer interface{ Sequence(p []byte) []byte }

// Defaults are what holds for a fleet's commands that do not say otherwise.
type Defaults struct {
	TTL time.Duration  // 0: DefaultTTL
	Ack device.AckRule // its zero value: none
}

// Options say where commands are kept.
type Options struct {
	Path     string                      // of the file; its folder must be there
	Logger   *slog.Logger                // nil: slog's default
	Defaults func(fleet string) Defaults // nil: there are none
}

// Queue holds the commands of all devices. It is safe for concurrent use.
type Queue struct {
	opt      Options
	logger   *slog.Logger
	store    *store
	writer   *writer
	peers    sync.Map     // Peer to *target: of devices that are online
	waiting  atomic.Int64 // targets that want to hear messages
	sends    sync.WaitGroup
	chores   sync.WaitGroup
	stop     chan struct{}
	requests chan struct{} // holds a value for each that waits for the disk
	teller   teller

	mu      sync.Mutex
	next    int64 // the next command's place in the order of all
	kept    int   // commands on disk, and those on their way there
	targets map[key]*target
	clock   clock
	stalled map[*target]bool // those for which nothing could be put on disk
	pruning map[key]int      // commands of a device since its history was looked at
	closed  bool
}

type key struct{ fleet, name string }

// Open opens the file, or makes it, and brings what it holds up to the moment: what was being written when the last process
// ended is Uncertain. The caller closes the queue, behind the last connection.
func Open(opt Options) (*Queue, error) {
	q := &Queue{opt: opt, logger: cmp.Or(opt.Logger, slog.Default()), targets: map[key]*target{}, stalled: map[*target]bool{},
		pruning: map[key]int{}, stop: make(chan struct{}), requests: make(chan struct{}, requestsAtOnce)}
	var err error
	if q.store, err = openStore(opt.Path); err != nil {
		return nil, fmt.Errorf("commands %s: %w: repair it, or move it away to begin without commands", opt.Path, err)
	}
	if err := q.load(); err != nil {
		q.store.Close()
		return nil, fmt.Errorf("commands %s: %w", opt.Path, err)
	}
	q.writer = newWriter(q.store, q.logger)
	q.clock.wake = make(chan struct{}, 1)
	q.chores.Go(q.writer.run)
	q.chores.Go(q.keepTime)
	q.chores.Go(q.prune)
	q.chores.Go(q.tidy)
	return q, nil
}

// closeLimit is how long Close waits for what is being written to devices.
const closeLimit = 5 * time.Second

// Close stops taking commands, puts all that is known on disk and closes the file. What is still being written then is
// Uncertain at the next Open.
func (q *Queue) Close() error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return nil
	}
	q.closed = true
	q.mu.Unlock()
	written := make(chan struct{})
	go func() { // it ends when the last write does
		q.sends.Wait()
		close(written)
	}()
	select {
	case <-written:
	case <-time.After(closeLimit):
		q.logger.Warn("commands are still being written to devices: they will be uncertain")
	}
	close(q.stop)
	q.writer.close()
	q.chores.Wait()
	return q.store.Close()
}
