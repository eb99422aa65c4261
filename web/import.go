package web

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/foreign"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/recording"
)

const importPath = "/api/v1/recordings"

var importRoutes = []route{
	{"POST " + importPath, auth.Operator, (*server).importOne},
}

const (
	defaultMaxImport = 1 << 30 // bytes
	importsAtOnce    = 4
	maxImportText    = 256 // bytes of a name that is given with it
)

// maxBodyOf is how many bytes a request's body may have.
func (s *server) maxBodyOf(r *http.Request) int64 {
	if r.URL.Path == importPath {
		return cmp.Or(s.MaxImport, defaultMaxImport)
	}
	return maxBody
}

var importKeys = map[string]bool{"format": true, "listener": true, "name": true, "file": true, "ended": true}

func parseImport(q url.Values, now time.Time) (f foreign.Format, as hub.ImportAs, err error) {
	for key := range q {
		if !importKeys[key] {
			return f, as, bad("no parameter is called %q: use format, listener, name, file, ended", key)
		}
		if text := q.Get(key); len(text) > maxImportText || !utf8.ValidString(text) {
			return f, as, bad("%s: must be UTF-8 of at most %d bytes", key, maxImportText)
		}
	}
	if f, err = foreign.ParseFormat(q.Get("format")); err != nil {
		return f, as, badRequest{err}
	}
	as = hub.ImportAs{Listener: q.Get("listener"), Name: q.Get("name"), File: q.Get("file")}
	if strings.Trim(as.Listener, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" ||
		len(as.Listener) > 64 {
		return f, as, bad("listener %q: only letters, digits, - and _ are allowed, 64 at most", as.Listener)
	}
	as.Ended, err = moment(q.Get("ended"), now)
	if err == nil && as.Ended < 0 {
		err = bad("ended %q: must not lie before 1970", q.Get("ended"))
	}
	return f, as, err
}

// importOne makes a recording of the body, which another program wrote.
func (s *server) importOne(w http.ResponseWriter, r *http.Request) error {
	format, as, err := parseImport(r.URL.Query(), time.Now())
	if err != nil {
		return err
	}
	if most := s.maxBodyOf(r); r.ContentLength > most {
		return &http.MaxBytesError{Limit: most}
	}
	select {
	case s.imports <- struct{}{}:
		defer func() { <-s.imports }()
	case <-r.Context().Done():
		return r.Context().Err()
	}
	body := &upload{from: r.Body, ctl: http.NewResponseController(w)}
	defer body.ctl.SetReadDeadline(time.Time{})
	tape, err := foreign.Open(body, format)
	if err != nil {
		return importFailed(body, err)
	}
	sum, err := s.Hub.Import(r.Context(), tape, as)
	if err != nil {
		return importFailed(body, err)
	}
	s.Logger.Info("imported", "session", sum.ID, "by", who(r).Name, "format", tape.Header().Format, "bytes", body.n)
	writeJSON(w, http.StatusCreated, sum)
	return nil
}

// importFailed is the error as the one who asked is told of it, once all has been read that comes: who still writes would not
// read the answer.
func importFailed(body *upload, err error) error {
	var wrong *foreign.Error
	switch {
	case errors.As(err, &wrong):
		io.Copy(io.Discard, body)
		return badRequest{wrong}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return bad("nothing came for %v: %w", bodyLimit, err)
	case errors.Is(err, recording.ErrClosed):
		return fmt.Errorf("%w: %w", errUnavailable, err)
	}
	return err
}

// upload is a body that may take as long as it likes, if only something comes of it.
type upload struct {
	from io.Reader
	ctl  *http.ResponseController
	n    int64 // bytes that came
}

func (u *upload) Read(p []byte) (int, error) {
	u.ctl.SetReadDeadline(time.Now().Add(bodyLimit))
	n, err := u.from.Read(p)
	u.n += int64(n)
	return n, err
}
