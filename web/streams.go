package web

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// streamsPath is where asciinema's program asks for a place to stream to.
const streamsPath = "/api/v1/streams"

var streamRoutes = []route{
	{"POST " + streamsPath, auth.Operator, (*server).newStream},
	{"GET " + namedStreamsPath, auth.Operator, (*server).namedStreams},
}

// namedStreamsPath is where asciinema's program looks for a stream that was named to it.
const namedStreamsPath = "/api/v1/user/streams"

// StreamListener is the name of the listener whose sessions come from asciinema's program. It is made when it is needed.
const StreamListener = "asciinema"

const (
	streamLife    = 30 * 24 * time.Hour // of its address
	streamsMost   = 1000                // at once, with those that are waited for
	streamWait    = 10 * time.Minute    // for one to begin, until what was said of it is forgotten
	streamMessage = 4 << 20             // bytes: a screen of many colours takes some
	streamSilence = time.Minute         // asciinema's program pings every 15 s
)

var streamAway = time.Minute // how long a stream may be away and go on as the same session

// Codes of the close frame. Below 4100 asciinema's program gives up, above and for others it comes back.
const (
	streamWrong     = 4000
	streamTakenOver = 4002
)

// streamProtocols are the subprotocols that streams may come by, the best first.
var streamProtocols = []string{export.AlisProtocol, "v3.asciicast", "v2.asciicast", "raw"}

// produceThing is what a stream's pass is for.
func produceThing(id session.ID) string { return "produce " + string(id) }

// intakes are the streams that come in.
type intakes struct {
	listener runListener

	mu sync.Mutex
	m  map[session.ID]*intake // by the id in their address
}

// add returns the stream of that id: this one, if there is none yet; nil if there is no place for it.
func (n *intakes) add(in *intake) *intake {
	n.mu.Lock()
	defer n.mu.Unlock()
	if there := n.m[in.id]; there != nil {
		return there
	}
	if len(n.m) >= streamsMost {
		return nil
	}
	if n.m == nil {
		n.m = map[session.ID]*intake{}
	}
	n.m[in.id] = in
	return in
}

// forget lets go of one.
func (n *intakes) forget(in *intake) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.m[in.id] == in {
		delete(n.m, in.id)
	}
}

// recheck ends those whose token is gone.
func (n *intakes) recheck() {
	n.mu.Lock()
	var gone []*intake
	for _, in := range n.m {
		if !in.server.mayProduce(in.id, in.pass) {
			gone = append(gone, in)
		}
	}
	n.mu.Unlock()
	for _, in := range gone {
		in.dismiss()
	}
}

func (s *server) mayProduce(id session.ID, pass string) bool {
	who, ok := s.passes.Check(pass, produceThing(id), time.Now())
	return ok && who.Role.Includes(auth.Operator)
}

// newStream answers with an address to stream to, and one to look at.
func (s *server) newStream(w http.ResponseWriter, r *http.Request) error {
	var body struct { // and more, which may differ from version to version
		Title string `json:"title"`
		Shell string `json:"shell"`
	}
	arrived := awaitBody(w)
	err := json.NewDecoder(r.Body).Decode(&body)
	arrived()
	if err != nil && !errors.Is(err, io.EOF) {
		return bad("the body must be JSON such as {\"live\": true}: %w", err)
	}
	id := session.NewID(s.Node)
	pass := s.passes.Make(who(r).Name, produceThing(id), time.Now().Add(streamLife))
	if pass == "" {
		return errNoToken // taken away just now
	}
	user, _, _ := r.BasicAuth()
	in := &intake{server: s, id: id, pass: pass, by: who(r).Name, user: shortText(user), title: shortText(body.Title),
		shell: shortText(body.Shell)}
	if s.intakes.add(in) == nil {
		return fmt.Errorf("%w: there are %d streams already", errUnavailable, streamsMost)
	}
	in.expectSoon()
	base := s.address(r)
	digest := sha256.Sum256([]byte(id))
	writeJSON(w, http.StatusCreated, map[string]any{
		"id":              binary.BigEndian.Uint64(digest[:]) >> 11, // as a number, which is what asciinema's program expects
		"session":         id,
		"url":             base + "/sessions/" + string(id),
		"ws_producer_url": "ws" + base[len("http"):] + streamsPath + "/" + string(id) + "/" + pass})
	return nil
}

// namedStreams says that there are none: each stream is a session of its own.
func (s *server) namedStreams(w http.ResponseWriter, _ *http.Request) error {
	const text = "a stream has no name here that could be used again: leave it out"
	writeJSON(w, http.StatusNotFound, map[string]string{"error": text, "message": text})
	return nil
}

// shortText is a text as long as names are.
func shortText(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxImportText)], "")
}

// hostOf is where a request comes from, without its port.
func hostOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// produce takes a stream. Its address is all that asciinema's program has to show for itself.
func (s *server) produce(w http.ResponseWriter, r *http.Request) error {
	protocol := ""
	for _, p := range streamProtocols {
		if protocol == "" && transport.OffersProtocol(r, p) {
			protocol = p
		}
	}
	if protocol == "" || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return bad("this is for asciinema stream: a WebSocket with one of the subprotocols %s", strings.Join(streamProtocols, ", "))
	}
	ws, err := transport.UpgradeWebSocket(w, r, transport.WebSocketOptions{Protocol: protocol, MaxMessage: streamMessage,
		RemoteAddr: transport.NamedAddr(r.RemoteAddr)})
	if err != nil {
		return nil // it was answered
	}
	id, pass := session.ID(r.PathValue("id")), r.PathValue("pass")
	who, ok := s.passes.Check(pass, produceThing(id), time.Now())
	if !ok || !who.Role.Includes(auth.Operator) {
		ws.CloseWith(alisNoEntry, "This address is not valid, or not any more: ask for another at "+streamsPath)
		return nil
	}
	var in *intake
	for attached := false; !attached; attached = in.attach(ws, hostOf(r)) {
		if in = s.intakes.add(&intake{server: s, id: id, pass: pass, by: who.Name}); in == nil {
			ws.CloseWith(transport.CloseServerError, "there are too many streams")
			return nil
		}
	}
	defer s.onClose(func() { ws.CloseWith(transport.CloseGoingAway, "") })()
	in.detach(ws, in.receive(ws, protocol))
	return nil
}
