package web

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/foreign"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

const (
	importPath = "/api/v1/recordings"
	uploadPath = "/api/asciicasts" // where asciinema's program uploads to before version 3
)

var importRoutes = []route{
	{"POST " + importPath, auth.Operator, (*server).importOne},
	{"POST " + uploadPath, auth.Operator, (*server).importOne},
}

const (
	defaultMaxImport = 1 << 30 // bytes
	importsAtOnce    = 4
	maxImportText    = 256 // bytes of a name that is given with it
	maxFormParts     = 16
)

// maxBodyOf is how many bytes a request's body may have.
func (s *server) maxBodyOf(r *http.Request) int64 {
	if r.URL.Path == importPath || r.URL.Path == uploadPath {
		return cmp.Or(s.MaxImport, defaultMaxImport)
	}
	return maxBody
}

var importKeys = map[string]bool{"format": true, "listener": true, "name": true, "file": true, "ended": true, "port": true}

func parseImport(q url.Values, now time.Time) (opt foreign.Options, as hub.ImportAs, err error) {
	for key := range q {
		if !importKeys[key] {
			return opt, as, bad("no parameter is called %q: use format, listener, name, file, ended, port", key)
		}
		if text := q.Get(key); len(text) > maxImportText || !utf8.ValidString(text) {
			return opt, as, bad("%s: must be UTF-8 of at most %d bytes", key, maxImportText)
		}
	}
	if opt.Format, err = foreign.ParseFormat(q.Get("format")); err != nil {
		return opt, as, badRequest{err}
	}
	if text := q.Get("port"); text != "" {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || port == 0 {
			return opt, as, bad("port %q: must be from 1 to 65535", text)
		}
		opt.Port = uint16(port)
	}
	as = hub.ImportAs{Listener: q.Get("listener"), Name: q.Get("name"), File: q.Get("file")}
	if strings.Trim(as.Listener, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" ||
		len(as.Listener) > 64 {
		return opt, as, bad("listener %q: only letters, digits, - and _ are allowed, 64 at most", as.Listener)
	}
	as.Ended, err = moment(q.Get("ended"), now)
	if err == nil && as.Ended < 0 {
		err = bad("ended %q: must not lie before 1970", q.Get("ended"))
	}
	return opt, as, err
}

// importOne makes a recording of the body, which another program wrote, or many if it is a capture. asciinema's sends it as a file of
// a form, and is told where to look at it.
func (s *server) importOne(w http.ResponseWriter, r *http.Request) error {
	opt, as, err := parseImport(r.URL.Query(), time.Now())
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
	file, isForm, err := formFile(r, body, &as)
	if err != nil {
		return err
	}
	var spool *recording.Spool
	opt.Spool = func() (_ foreign.Spool, err error) {
		spool, err = s.Hub.Spool()
		return spool, err
	}
	all, err := foreign.OpenAll(file, opt)
	if spool != nil {
		defer spool.Close()
	}
	if err != nil {
		return importFailed(body, err)
	}
	if all.Format == foreign.Capture {
		return s.importCapture(w, r, all, as, body.n)
	}
	sum, err := s.Hub.Import(r.Context(), all.Tapes[0], as)
	if err != nil {
		return importFailed(body, err)
	}
	s.Logger.Info("imported", "session", sum.ID, "by", who(r).Name, "format", all.Format, "bytes", body.n)
	if !isForm {
		writeJSON(w, http.StatusCreated, sum)
		return nil
	}
	url := s.address(r) + "/sessions/" + string(sum.ID)
	w.Header().Set("Location", url)
	writeJSON(w, http.StatusCreated, map[string]any{"id": sum.ID, "url": url, "message": "Look at it at " + url})
	return nil
}

// imported is the answer to a capture.
type imported struct {
	Sessions []session.Summary `json:"sessions"`
	Packets  uint64            `json:"packets"`
	Ignored  uint64            `json:"ignored"` // of them: of no conversation
}

// importCapture makes a recording of each conversation, or none if one fails.
func (s *server) importCapture(w http.ResponseWriter, r *http.Request, all *foreign.Recordings, as hub.ImportAs, size int64) error {
	made, err := s.Hub.ImportAll(r.Context(), all.Tapes, as)
	if errors.Is(err, recording.ErrClosed) {
		return fmt.Errorf("%w: %w", errUnavailable, err)
	}
	if err != nil {
		return err
	}
	s.Logger.Info("imported", "sessions", len(made), "by", who(r).Name, "format", all.Format, "bytes", size)
	writeJSON(w, http.StatusCreated, imported{made, all.Packets, all.Ignored})
	return nil
}

// formFile is the file that a body holds: the one of a form, if it is one, else all of it.
func formFile(r *http.Request, body *upload, as *hub.ImportAs) (file io.Reader, isForm bool, err error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "multipart/form-data" {
		if r.URL.Path == uploadPath {
			return nil, false, bad("this is for asciinema upload, which sends a form: send other recordings to %s", importPath)
		}
		return body, false, nil
	}
	form := *r
	form.Body = io.NopCloser(body)
	parts, err := form.MultipartReader()
	if err != nil {
		return nil, true, badRequest{err}
	}
	for range maxFormParts {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, true, badRequest{fmt.Errorf("the form is malformed: %w", err)}
		}
		if name := part.FormName(); name == "file" || name == "asciicast" {
			if name := part.FileName(); as.File == "" && len(name) <= maxImportText && utf8.ValidString(name) {
				as.File = name
			}
			return part, true, nil
		}
	}
	return nil, true, bad("the form has no file: it is to be called file, or asciicast")
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
	case errors.Is(err, io.ErrUnexpectedEOF):
		return bad("the body ends before it is whole: %w", err)
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
