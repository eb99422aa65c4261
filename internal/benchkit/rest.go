//go:build linux

package benchkit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// Get asks the server's API for a path such as /api/v1/server and decodes the answer into into, unless that is nil.
func (s *Server) Get(path string, into any) error {
	body, err := s.Open(path)
	if err != nil {
		return err
	}
	defer body.Close()
	if into == nil {
		_, err := io.Copy(io.Discard, body)
		return err
	}
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}

// Delete asks the server's API to delete what is at a path.
func (s *Server) Delete(path string) error {
	body, err := s.request(http.MethodDelete, path, nil)
	if err != nil {
		return err
	}
	return body.Close()
}

// Open asks the server's API for a path and returns the body of the answer.
func (s *Server) Open(path string) (io.ReadCloser, error) {
	return s.request(http.MethodGet, path, nil)
}

// Post sends the server's API a request as JSON and decodes the answer into into, unless that is nil.
func (s *Server) Post(path string, request, into any) error {
	b, err := json.Marshal(request)
	if err != nil {
		return err
	}
	body, err := s.request(http.MethodPost, path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	defer body.Close()
	if into != nil {
		return json.NewDecoder(body).Decode(into)
	}
	_, err = io.Copy(io.Discard, body)
	return err
}

func (s *Server) request(method, path string, body io.Reader) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(s.run.Context, method, s.URL+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	return resp.Body, nil
}

// Sessions lists sessions; query is as in ?state=live&listener=echo. The server's usual limit is lifted.
func (s *Server) Sessions(query url.Values) ([]session.Summary, error) {
	if query == nil {
		query = url.Values{}
	}
	if !query.Has("limit") {
		query.Set("limit", "1000000")
	}
	var list []session.Summary
	return list, s.Get("/api/v1/sessions?"+query.Encode(), &list)
}

// Live is how many sessions of a listener are live, and how many connections it refused.
func (s *Server) Live(listener string) (live int, refused uint64, err error) {
	var list []struct {
		Name    string
		Live    int
		Refused uint64
	}
	if err := s.Get("/api/v1/listeners", &list); err != nil {
		return 0, 0, err
	}
	for _, l := range list {
		if l.Name == listener {
			return l.Live, l.Refused, nil
		}
	}
	return 0, 0, fmt.Errorf("no listener is called %q", listener)
}

// WaitLive waits until so many sessions of a listener are live.
func (s *Server) WaitLive(listener string, want int, limit time.Duration) error {
	var live int
	err := Until(s.run.Context, limit, fmt.Sprintf("%d live sessions", want), func() (bool, error) {
		var err error
		live, _, err = s.Live(listener)
		return live == want, err
	})
	if err != nil {
		return fmt.Errorf("%w; there are %d", err, live)
	}
	return nil
}

// Collect has the server collect its garbage now; twice, since pools let go of their memory at the second time.
func (s *Server) Collect() error {
	for range 2 {
		resp, err := http.Get("http://" + s.pprof + "/debug/pprof/heap?gc=1")
		if err != nil {
			return fmt.Errorf("collect the server's garbage: %w", err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// Mallocs is how many objects the server has allocated on its heap since it started.
func (s *Server) Mallocs() (uint64, error) {
	m, err := s.memory()
	return m.Mallocs, err
}

// Heap is how many bytes the server's heap held when garbage was collected last, and what was allocated since.
func (s *Server) Heap() (uint64, error) {
	m, err := s.memory()
	return m.HeapAlloc, err
}

func (s *Server) memory() (m struct{ Mallocs, HeapAlloc uint64 }, err error) {
	resp, err := http.Get("http://" + s.pprof + "/debug/vars")
	if err != nil {
		return m, fmt.Errorf("ask for the server's memory: %w", err)
	}
	defer resp.Body.Close()
	var vars struct {
		MemStats *struct{ Mallocs, HeapAlloc uint64 } `json:"memstats"`
	}
	vars.MemStats = &m
	if err := json.NewDecoder(resp.Body).Decode(&vars); err != nil {
		return m, fmt.Errorf("ask for the server's memory: %w", err)
	}
	return m, nil
}

// Goroutines is how many the server has.
func (s *Server) Goroutines() (n int, err error) {
	resp, err := http.Get("http://" + s.pprof + "/debug/pprof/goroutine?debug=1")
	if err != nil {
		return 0, fmt.Errorf("count the server's goroutines: %w", err)
	}
	defer resp.Body.Close()
	if _, err := fmt.Fscanf(resp.Body, "goroutine profile: total %d", &n); err != nil {
		return 0, fmt.Errorf("count the server's goroutines: %w", err)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return n, err
}

// Profile saves a CPU profile of the server while something is measured, if -profile asked for it. It lasts d, and the
// returned function waits for its end.
func (s *Server) Profile(name string, d time.Duration) (wait func()) {
	path := s.run.ProfileFile(name)
	if path == "" {
		return func() {}
	}
	done := make(chan struct{})
	go func() { // ends after d; wait waits for it
		defer close(done)
		resp, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", s.pprof, max(1, int(d.Seconds()))))
		if err != nil {
			return
		}
		defer resp.Body.Close()
		if b, err := io.ReadAll(resp.Body); err == nil {
			os.WriteFile(path, b, 0o644)
		}
	}()
	return func() { <-done }
}
