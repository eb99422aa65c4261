package engine

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
)

// refusal is how a request is answered that is not served: with the codes of the reference implementation.
type refusal struct {
	name   string // in Stats
	status int
	body   []byte
}

const (
	codeTransport = iota
	codeSession
	codeMethod
	codeRequest
	codeForbidden
	codeRevision
)

func newRefusal(name string, status, code int, message string) *refusal {
	body, _ := json.Marshal(struct { // strings can be encoded
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{code, message})
	return &refusal{name, status, body}
}

var (
	refusedTransport = newRefusal("transport", http.StatusBadRequest, codeTransport, "Transport unknown")
	refusedSession   = newRefusal("session", http.StatusBadRequest, codeSession, "Session ID unknown")
	refusedMethod    = newRefusal("method", http.StatusBadRequest, codeMethod, "Bad handshake method")
	refusedRequest   = newRefusal("request", http.StatusBadRequest, codeRequest, "Bad request")
	refusedJSONP     = newRefusal("jsonp", http.StatusBadRequest, codeRequest,
		"JSONP polling is not supported: use XHR polling or WebSocket")
	refusedOrigin = newRefusal("origin", http.StatusForbidden, codeForbidden,
		"Forbidden: pages of this origin may not connect")
	refusedRevision = newRefusal("revision", http.StatusBadRequest, codeRevision, "Unsupported protocol version")
	refusedFull     = newRefusal("connections", http.StatusServiceUnavailable, codeForbidden, "Too many connections")
	refusedAddress  = newRefusal("address", http.StatusTooManyRequests, codeForbidden,
		"Too many connections from this address")
	refusedRate = newRefusal("rate", http.StatusTooManyRequests, codeForbidden,
		"Too many new connections from this address")
	refusedShutdown = newRefusal("shutdown", http.StatusServiceUnavailable, codeForbidden,
		"The server is shutting down")
)

// byHandler is the refusal of a handler.
func byHandler(err error) *refusal {
	status, message := http.StatusForbidden, "Forbidden"
	var r *Refusal
	if errors.As(err, &r) {
		if r.Status != 0 {
			status = r.Status
		}
		if r.Message != "" {
			message = r.Message
		}
	}
	return newRefusal("handler", status, codeForbidden, message)
}

var jsonType = []string{"application/json"}

func (s *Server) refuse(w http.ResponseWriter, why *refusal) {
	s.counts.refuse(why.name)
	if s.opt.OnRefused != nil {
		s.opt.OnRefused(why.name)
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Cache-Control"] = noStore
	h["Content-Length"] = []string{strconv.Itoa(len(why.body))}
	if why.status == http.StatusTooManyRequests || why.status == http.StatusServiceUnavailable {
		h["Retry-After"] = []string{"1"}
	}
	w.WriteHeader(why.status)
	w.Write(why.body)
}
