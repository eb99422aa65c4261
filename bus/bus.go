// Package bus joins the parts of Switchboard, and its nodes: NATS, embedded in the process or outside of it.
package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Options of a Bus.
type Options struct {
	StoreDir string       // where the embedded server keeps what it must keep
	URL      string       // of an external NATS; "" means embedded
	Logger   *slog.Logger // nil means the default one
}

// Bus is a connection to NATS. Commands and rooms have connections of their own, so that a flood on one does not delay
// the other.
type Bus struct {
	embedded *server.Server
	control  *nats.Conn
	rooms    *nats.Conn
	connect  func(name string) (*nats.Conn, error)
	commands sync.WaitGroup

	mu       sync.Mutex
	forwards *nats.Conn // nil until it is needed
	closed   bool
}

const (
	startLimit   = 10 * time.Second
	maxPending   = 8 << 20          // bytes that may wait for one of the server's clients
	maxPayload   = 1 << 20          // of one message, bytes
	maxCommands  = 256              // of one verb that run at once
	roomsMemory  = 16 << 30         // promised to rooms, not taken: each has a limit that counts in full from the start
	commandLimit = 10 * time.Second // for an answer, if the caller sets no limit
)

// Open starts the embedded server, or connects to an external one.
func Open(opt Options) (*Bus, error) {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	b := &Bus{}
	connect := func(name string) (*nats.Conn, error) {
		return nats.Connect(opt.URL, nats.Name(name), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(false))
	}
	if opt.URL == "" {
		if err := b.embed(opt); err != nil {
			return nil, fmt.Errorf("bus: %w", err)
		}
		connect = func(name string) (*nats.Conn, error) {
			return nats.Connect("", nats.InProcessServer(b.embedded), nats.Name(name), nats.MaxReconnects(-1))
		}
	}
	b.connect = connect
	var err error
	if b.control, err = connect("control"); err == nil {
		b.rooms, err = connect("rooms")
	}
	if err != nil {
		b.Close()
		return nil, fmt.Errorf("bus: %w", err)
	}
	return b, nil
}

// embed starts a server that only this process can reach.
func (b *Bus) embed(opt Options) error {
	s, err := server.NewServer(&server.Options{
		ServerName: "switchboard", DontListen: true, NoSigs: true, NoLog: true, NoSystemAccount: true,
		JetStream: true, StoreDir: opt.StoreDir, JetStreamMaxMemory: roomsMemory, JetStreamMaxStore: 1 << 20,
		MaxPayload: maxPayload, MaxPending: maxPending, WriteDeadline: time.Second, NoFastProducerStall: true,
		DisableJetStreamBanner: true,
	})
	if err != nil {
		return err
	}
	s.SetLoggerV2(&serverLog{opt.Logger}, false, false, false)
	b.embedded = s
	go s.Start() // ends with Shutdown
	if !s.ReadyForConnections(startLimit) {
		return errors.New("the embedded NATS did not start")
	}
	return nil
}

// Rooms is the connection of the rooms' logs.
func (b *Bus) Rooms() *nats.Conn { return b.rooms }

// Forwards is the connection of what is forwarded to NATS, which is made at the first call.
func (b *Bus) Forwards() (*nats.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errors.New("bus: it is closed")
	}
	if b.forwards != nil {
		return b.forwards, nil
	}
	c, err := b.connect("forwards")
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	b.forwards = c
	return c, nil
}

// Close ends the connections, waits for commands that run, and stops the embedded server.
func (b *Bus) Close() error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	b.closed = true
	forwards := b.forwards
	b.mu.Unlock()
	for _, c := range []*nats.Conn{b.control, b.rooms, forwards} {
		if c != nil {
			c.Close()
		}
	}
	b.commands.Wait()
	if b.embedded != nil {
		b.embedded.Shutdown()
		b.embedded.WaitForShutdown()
	}
	return nil
}

// ErrNoNode says that no node of the name is there.
var ErrNoNode = errors.New("the node is not there")

func subject(node, verb string) string { return "sb.ctl." + node + "." + verb }

const errorHeader = "Error"

// Handle answers the commands of a verb that are sent to a node. Each runs in a goroutine of its own, so that none
// waits behind another, and however many of one verb are stuck, those of another are not; Close waits for them. An
// error of do goes back to who asked, as text.
func (b *Bus) Handle(verb, node string, do func(ctx context.Context, data []byte) ([]byte, error)) error {
	free := make(chan struct{}, maxCommands)
	_, err := b.control.Subscribe(subject(node, verb), func(m *nats.Msg) {
		free <- struct{}{}
		b.commands.Go(func() {
			defer func() { <-free }()
			ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
			defer cancel()
			answer := &nats.Msg{}
			data, err := do(ctx, m.Data)
			if err != nil {
				answer.Header = nats.Header{errorHeader: []string{err.Error()}}
			}
			answer.Data = data
			m.RespondMsg(answer) // who asked sees a time-out if this fails
		})
	})
	return err
}

// RemoteError is what a command's handler said.
type RemoteError struct{ Text string }

func (e *RemoteError) Error() string { return e.Text }

// Request sends a command to a node and waits for its answer. ErrNoNode comes at once if the node is not there.
func (b *Bus) Request(ctx context.Context, node, verb string, data []byte) ([]byte, error) {
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, commandLimit)
		defer cancel()
	}
	m, err := b.control.RequestWithContext(ctx, subject(node, verb), data)
	if errors.Is(err, nats.ErrNoResponders) {
		return nil, ErrNoNode
	}
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", node, err)
	}
	if text := m.Header.Get(errorHeader); text != "" {
		return nil, &RemoteError{text}
	}
	return m.Data, nil
}

// serverLog gives the server's log lines to slog. What NATS calls a notice is detail here.
type serverLog struct{ *slog.Logger }

func (l *serverLog) Noticef(f string, v ...any) { l.Logger.Debug("bus: " + fmt.Sprintf(f, v...)) }
func (l *serverLog) Warnf(f string, v ...any)   { l.Logger.Warn("bus: " + fmt.Sprintf(f, v...)) }
func (l *serverLog) Errorf(f string, v ...any)  { l.Logger.Error("bus: " + fmt.Sprintf(f, v...)) }
func (l *serverLog) Fatalf(f string, v ...any)  { l.Logger.Error("bus: " + fmt.Sprintf(f, v...)) }
func (l *serverLog) Debugf(f string, v ...any)  {}
func (l *serverLog) Tracef(f string, v ...any)  {}
