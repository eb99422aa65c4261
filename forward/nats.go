package forward

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/switchboard-relay/switchboard/device"
)

// parseSubject takes nats:SUBJECT and nats://HOST:PORT/SUBJECT apart; without a server it is the bus.
func parseSubject(to string) (server, subject string, err error) {
	subject = strings.TrimPrefix(to, "nats:")
	if rest, other := strings.CutPrefix(subject, "//"); other {
		host, behind, found := strings.Cut(rest, "/")
		if !found || host == "" {
			return "", "", fmt.Errorf("%q: write nats://HOST:PORT/SUBJECT", to)
		}
		server, subject = "nats://"+host, behind
	}
	example := strings.NewReplacer("{fleet}", "x", "{name}", "x").Replace(subject)
	for token := range strings.SplitSeq(example, ".") {
		if token == "" || strings.ContainsAny(token, "*> \t\r\n{}") {
			return "", "", fmt.Errorf("%q is no subject to publish to: write devices.{fleet}.{name}", subject)
		}
	}
	return server, subject, nil
}

// appendToken appends a name as one token of a subject: what NATS gives another meaning is written =XX.
func appendToken(b []byte, name string) []byte {
	if name == "" {
		return append(b, "=00"...)
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c <= ' ', c == '.', c == '*', c == '>', c == '=', c >= 0x7f:
			b = append(b, '=', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return b
}

// subject is a subject of NATS.
type subject struct {
	conf  Config
	form  form
	parts []string // of the subject; "{fleet}" and "{name}" by themselves
	conn  func() (*nats.Conn, error)
	done  func()

	mu  sync.Mutex
	js  nats.JetStreamContext // of via; each has a subscription for its acknowledgements
	via *nats.Conn
}

func (f *Forwards) openNATS(c Config) (target, error) {
	fm, err := c.form(device.Base64)
	if err != nil {
		return nil, err
	}
	server, text, err := parseSubject(c.To)
	if err != nil {
		return nil, err
	}
	s := &subject{conf: c, form: fm, conn: f.opt.NATS, done: func() {}}
	for rest := text; rest != ""; {
		at, length := len(rest), 0
		for _, field := range []string{"{fleet}", "{name}"} {
			if i := strings.Index(rest, field); i >= 0 && i < at {
				at, length = i, len(field)
			}
		}
		s.parts = append(s.parts, rest[:at], rest[at:at+length])
		rest = rest[at+length:]
	}
	if server != "" {
		conn, err := nats.Connect(server, nats.Name("switchboard forward "+c.Name), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
			nats.ReconnectBufSize(-1))
		if err != nil {
			return nil, err
		}
		s.conn, s.done = func() (*nats.Conn, error) { return conn, nil }, conn.Close
	}
	if s.conn == nil {
		return nil, errors.New("there is no bus: write nats://HOST:PORT/SUBJECT")
	}
	return s, nil
}

func (s *subject) add(b *batch, m *message) {
	b.data = s.form.appendTo(b.data, m)
	b.ends = append(b.ends, len(b.data))
	for _, part := range s.parts {
		switch part {
		case "{fleet}":
			b.names = appendToken(b.names, m.person.fleet)
		case "{name}":
			b.names = appendToken(b.names, m.person.name)
		default:
			b.names = append(b.names, part...)
		}
	}
	b.nameEnd = append(b.nameEnd, len(b.names))
	b.names = appendID(b.names, m)
	b.nameEnd = append(b.nameEnd, len(b.names))
}

// deliver publishes a batch. A server has it once it answers the ping behind it; a stream says so of each message.
func (s *subject) deliver(ctx context.Context, b *batch) error {
	conn, err := s.conn()
	if err != nil {
		return err
	}
	if !conn.IsConnected() {
		return errors.New("NATS is not connected")
	}
	publish, settle := conn.PublishMsg, func() error { return conn.FlushWithContext(ctx) }
	if s.conf.JetStream {
		js, err := s.stream(conn)
		if err != nil {
			return err
		}
		var acks []nats.PubAckFuture
		publish = func(m *nats.Msg) error {
			ack, err := js.PublishMsgAsync(m)
			acks = append(acks, ack)
			return err
		}
		settle = func() error {
			err := awaitAcks(ctx, acks)
			if err != nil {
				s.forgetStream() // with acknowledgements that may never come
			}
			return err
		}
	}
	at, name := 0, 0
	for i, end := range b.ends {
		subject, id := b.names[name:b.nameEnd[2*i]], b.names[b.nameEnd[2*i]:b.nameEnd[2*i+1]]
		msg := &nats.Msg{Subject: string(subject), Data: b.data[at:end], Header: nats.Header{nats.MsgIdHdr: []string{string(id)}}}
		if err := publish(msg); errors.Is(err, nats.ErrMaxPayload) {
			b.refused++
			b.why = fmt.Errorf("a message of %d bytes is more than NATS takes", len(msg.Data))
		} else if err != nil {
			return err
		}
		at, name = end, b.nameEnd[2*i+1]
	}
	return settle()
}

func (s *subject) stream(conn *nats.Conn) (nats.JetStreamContext, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.js != nil && s.via == conn {
		return s.js, nil
	}
	js, err := conn.JetStream(nats.PublishAsyncMaxPending(mostBatch))
	if err == nil {
		s.js, s.via = js, conn
	}
	return js, err
}

func (s *subject) forgetStream() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.js != nil {
		s.js.CleanupPublisher()
	}
	s.js, s.via = nil, nil
}

func awaitAcks(ctx context.Context, acks []nats.PubAckFuture) error {
	for _, ack := range acks {
		if ack == nil {
			continue
		}
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			return fmt.Errorf("jetstream: %w", err)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (s *subject) single() bool { return false }
func (s *subject) close()       { s.done() }
