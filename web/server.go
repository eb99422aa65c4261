package web

import (
	"math"
	"net"
	"net/http"
	"runtime"

	"github.com/switchboard-relay/switchboard/auth"
)

var serverRoutes = []route{
	{"GET /api/v1/listeners", auth.Viewer, (*server).listeners},
	{"GET /api/v1/server", auth.Viewer, (*server).server},
	{"GET /api/v1/server/history", auth.Viewer, (*server).history},
}

func (s *server) listeners(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, s.Hub.Listeners())
	return nil
}

// disk is the file system of the data folder, in bytes; 0 where it is not known.
type disk struct {
	Free  uint64 `json:"free"` // for who runs the server
	Total uint64 `json:"total"`
}

func (s *server) server(w http.ResponseWriter, r *http.Request) error {
	stats, err := s.Hub.Stats(r.Context())
	if err != nil {
		return err
	}
	health, _ := s.healthNow()
	_, memory := usage()
	if math.IsNaN(memory) {
		memory = 0
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"version": s.Version, "node": s.Node, "data": s.Data, "url": urlOf(r), "start": s.Start.UnixMicro(),
		"listeners": len(s.Hub.Listeners()), "stats": stats, "health": health, "disk": diskOf(s.Data),
		"retention": map[string]any{"max_age": s.Retention.MaxAge.Seconds(), "max_size": s.Retention.MaxSize},
		"memory":    int64(memory), "cpus": runtime.GOMAXPROCS(0), "goroutines": runtime.NumGoroutine(),
		"go": runtime.Version(), "os": runtime.GOOS + "/" + runtime.GOARCH})
	return nil
}

// urlOf is where the server was reached.
func urlOf(r *http.Request) string {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	if at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		return scheme + at.String()
	}
	return scheme + r.Host
}

// healthNow is whether recordings are written, and the status of an answer that says so.
func (s *server) healthNow() (health map[string]string, status int) {
	if err := s.Hub.RecordingErr(); err != nil {
		return map[string]string{"status": "failing", "error": err.Error()}, http.StatusServiceUnavailable
	}
	return map[string]string{"status": "ok"}, http.StatusOK
}

// health says whether recordings are written; it needs no token.
func (s *server) health(w http.ResponseWriter, _ *http.Request) {
	health, status := s.healthNow()
	writeJSON(w, status, health)
}
