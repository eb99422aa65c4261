package web

import (
	"net/http"

	"github.com/switchboard-relay/switchboard/auth"
)

var serverRoutes = []route{
	{"GET /api/v1/listeners", auth.Viewer, (*server).listeners},
	{"GET /api/v1/server", auth.Viewer, (*server).server},
}

func (s *server) listeners(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, s.Hub.Listeners())
	return nil
}

func (s *server) server(w http.ResponseWriter, r *http.Request) error {
	stats, err := s.Hub.Stats(r.Context())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{"version": s.Version, "node": s.Node, "data": s.Data,
		"start": s.Start.UnixMicro(), "listeners": len(s.Hub.Listeners()), "stats": stats})
	return nil
}
