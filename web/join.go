package web

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// Kinds of binary messages to who has joined by WebSocket: the kind before the data. What comes back is typed.
const (
	JoinOutput = 'o' // shown by the program
	JoinSize   = 's' // of the terminal: COLSxROWS
)

// JoinNews is what is said to who has joined as text, JSON: the screen first, the end last.
type JoinNews struct {
	ID     session.ID   `json:"id,omitempty"`
	Name   string       `json:"name,omitempty"`
	Screen *JoinScreen  `json:"screen,omitempty"`
	Wrong  string       `json:"error,omitempty"` // why what was typed last was not
	End    *session.End `json:"end,omitempty"`
}

// JoinScreen is what the terminal shows at first; what follows goes on from there.
type JoinScreen struct {
	Size string `json:"size"` // COLSxROWS
	Data []byte `json:"data"` // sequences that bring a terminal of that size to it
}

// joinMost is how many bytes are under way to one who joined, at most: an event may have 16 MiB.
const joinMost = 32 << 20

// join shows a live session's terminal over WebSocket, and types along what comes back.
func (s *server) join(w http.ResponseWriter, r *http.Request) error {
	types, err := joinTypes(r)
	if err != nil {
		return err
	}
	sum, err := s.find(r)
	if err != nil {
		return err
	}
	if sum.State != session.Live {
		return hub.ErrNotLive
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return bad("this is for WebSocket: \"switchboard join\" speaks it")
	}
	shown, err := s.joinScreen(r.Context(), &sum)
	if err != nil {
		return err
	}
	leave, err := s.Hub.JoinIn(r.Context(), sum.ID, who(r).Name, types)
	if err != nil {
		return err
	}
	defer leave()
	s.openings.used(sum.ID, who(r).Name)
	ws, err := transport.UpgradeWebSocket(w, r, transport.WebSocketOptions{WriteLimit: joinMost, RemoteAddr: transport.NamedAddr(r.RemoteAddr)})
	if err != nil {
		return nil // it was answered
	}
	defer ws.Close()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	j := &joiner{server: s, ws: ws, id: sum.ID, who: who(r), types: types}
	defer context.AfterFunc(ctx, func() { ws.Close() })()
	var running sync.WaitGroup
	running.Go(func() {
		j.hear(ctx)
		cancel()
	})
	if !j.show(ctx, &sum, shown) {
		ws.Close()
	}
	running.Wait()
	return nil
}

// joinTypes says whether who asks is to type.
func joinTypes(r *http.Request) (types bool, err error) {
	q := r.URL.Query()
	for key := range q {
		if key != "types" {
			return false, bad("no parameter is called %q: use types", key)
		}
	}
	if text := q.Get("types"); text != "" {
		if types, err = strconv.ParseBool(text); err != nil {
			return false, bad("types %q: use true or false", text)
		}
	}
	if types {
		err = mayType(who(r))
	}
	return types, err
}

// joinScreen is what who joins sees first, and behind which event. A session that is not recorded begins blank.
func (s *server) joinScreen(ctx context.Context, sum *session.Summary) (*joinPlace, error) {
	ctx, cancel := context.WithTimeout(ctx, screenLimit)
	defer cancel()
	shown, err := s.Hub.Screen(ctx, sum.ID, math.MaxUint64)
	if errors.Is(err, hub.ErrNoScreen) {
		size, ok := session.ParseSize(sum.Terminal)
		if !ok {
			size = session.DefaultSize
		}
		return &joinPlace{number: sum.Events, JoinScreen: JoinScreen{Size: size.String()}}, nil
	}
	if err != nil {
		return nil, err
	}
	return &joinPlace{shown.Number, JoinScreen{shown.Size.String(), shown.Data}}, nil
}

type joinPlace struct {
	number uint64
	JoinScreen
}

// joiner is who has joined.
type joiner struct {
	server *server
	ws     *transport.WebSocket
	id     session.ID
	who    auth.Identity
	types  bool

	mu sync.Mutex // orders what is written
}

// hear types what comes, until the connection ends.
func (j *joiner) hear(ctx context.Context) {
	for {
		err := j.ws.ReceiveMessages(func(binary bool, p []byte) error {
			if !binary || len(p) == 0 {
				return nil
			}
			err := checkTyped(len(p))
			if err == nil && !j.types {
				err = errNotJoined
			}
			if err == nil {
				err = j.server.Hub.Type(ctx, j.id, j.who.Name, p)
			}
			if err != nil {
				return j.tell(JoinNews{Wrong: err.Error()})
			}
			return nil
		})
		if err != nil {
			return
		}
	}
}

func (j *joiner) tell(news JoinNews) error {
	return j.write(transport.AppendFrame(nil, transport.OpText, session.JSON(news)))
}

func (j *joiner) write(frame []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.ws.WriteFrames(frame)
}

// show tells what the terminal shows, and what follows, until the session ends, and then says goodbye: whole reports that. What
// is not taken waits in the recording.
func (j *joiner) show(ctx context.Context, sum *session.Summary, at *joinPlace) (whole bool) {
	events, err := j.server.Hub.Events(ctx, j.id, at.number+1)
	if err != nil {
		return false
	}
	events.Bare()
	defer events.Close()
	if j.tell(JoinNews{ID: sum.ID, Name: sum.Name, Screen: &at.JoinScreen}) != nil {
		return false
	}
	var buf []byte
	for {
		batch, err := events.Next(ctx)
		buf = buf[:0]
		for i := range batch {
			if batch[i].Number > at.number {
				buf = j.append(buf, &batch[i])
			}
		}
		if len(buf) > 0 && j.write(buf) != nil {
			return false
		}
		if errors.Is(err, io.EOF) {
			return j.ws.CloseWith(transport.CloseNormal, "") == nil
		}
		if err != nil {
			return false
		}
	}
}

// append appends what an event shows.
func (j *joiner) append(b []byte, e *session.Event) []byte {
	message := func(kind byte) []byte {
		return transport.AppendFrame(b, transport.OpBinary, append([]byte{kind}, e.Data...))
	}
	switch e.Kind {
	case session.Sent, session.SentErr:
		return message(JoinOutput)
	case session.Resized:
		return message(JoinSize)
	case session.Closed:
		return transport.AppendFrame(b, transport.OpText, append(append([]byte(`{"end":`), e.Data...), '}'))
	}
	return b
}
