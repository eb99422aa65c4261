package forward_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/forward"
)

// site is an HTTP server that takes messages.
type site struct {
	*httptest.Server
	got    *inbox
	answer func(w http.ResponseWriter, body []object) (taken bool) // nil: all are taken
	asked  atomic.Int64
	header atomic.Pointer[http.Header]
}

func newSite(t testing.TB, answer func(w http.ResponseWriter, body []object) bool) *site {
	s := &site{got: newInbox(), answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	h := r.Header.Clone()
	s.header.Store(&h)
	p, err := io.ReadAll(r.Body)
	if err != nil {
		return // who asked is gone
	}
	var body []object
	if err := json.Unmarshal(p, &body); err != nil {
		body = []object{{Name: "not JSON", Data: json.RawMessage(p)}}
	}
	if s.answer != nil && !s.answer(w, body) {
		return
	}
	s.got.add(body...)
}

func toSite(s *site) forward.Config {
	return forward.Config{Name: "hook", To: s.URL + "/in", RetryMin: 10 * time.Millisecond, RetryMax: 100 * time.Millisecond}
}

func TestAWebhookGetsBatchesOfObjects(t *testing.T) {
	s := newSite(t, nil)
	path := filepath.Join(t.TempDir(), "secret")
	check(t, os.WriteFile(path, []byte("Bearer 1234\n"), 0o600))
	conf := toSite(s)
	conf.Headers = map[string]string{"Authorization": "file:" + path, "X-Plain": "as it is"}
	n := newNode(t, setting{}, conf)
	c := dial(t, n.fleet("devices", lineSpec), "860")
	say(t, c, "hello")
	list := s.got.count(t, 2)
	o := list[1]
	if o.ID != o.Session+":10" || o.Fleet != "devices" || o.Name != "860" || o.Kind != "data" || o.Encoding != "base64" ||
		string(o.Data) != `"aGVsbG8="` || o.At == 0 || o.Flags == nil || len(o.Flags) != 0 || list[0].Kind != "registration" {
		t.Errorf("got %+v", list)
	}
	h := *s.header.Load()
	if h.Get("Authorization") != "Bearer 1234" || h.Get("X-Plain") != "as it is" || h.Get("Content-Type") != "application/json" {
		t.Errorf("got header %v", h)
	}
}

func TestAWebhookThatFailsIsTriedAgainUntilItTakesAll(t *testing.T) {
	var calls atomic.Int64
	s := newSite(t, func(w http.ResponseWriter, _ []object) bool {
		if n := calls.Add(1); n%3 != 0 {
			w.WriteHeader([]int{500, 429, 503, 408}[n%4])
			return false
		}
		return true
	})
	n := newNode(t, setting{}, toSite(s))
	addr := n.fleet("devices", lineSpec)
	var names []string
	var talking sync.WaitGroup
	for i := range 10 {
		name := fmt.Sprintf("d%d", i)
		names = append(names, name)
		talking.Go(func() {
			c := dial(t, addr, name)
			for k := range 100 {
				say(t, c, numbered(name, k))
			}
		})
	}
	talking.Wait()
	checkNumbered(t, s.got.count(t, 10*101), names, 100, false)
	if st := n.status("hook", "idle", isIdle); st.Retried == 0 || st.Delivered != 1010 || st.Refused != 0 {
		t.Errorf("got %+v; want 1010 delivered, some retried, none refused", st)
	}
}

func TestWhatAWebhookRefusesIsPassedOverAndTheRestIsNot(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, body []object) bool {
		for _, o := range body {
			if o.text() == "poison" {
				http.Error(w, "cannot digest this", http.StatusUnprocessableEntity)
				return false
			}
		}
		return true
	})
	n := newNode(t, setting{}, toSite(s))
	c := dial(t, n.fleet("devices", lineSpec), "a")
	for _, text := range []string{"one", "poison", "two"} {
		say(t, c, text)
	}
	s.got.count(t, 3)
	if got := strings.Join(s.got.texts("a"), " "); got != "LOGIN:a one two" {
		t.Errorf("got %q", got)
	}
	st := n.status("hook", "idle", isIdle)
	if st.Refused != 1 || st.Delivered != 3 {
		t.Errorf("got %d refused and %d delivered, want 1 and 3", st.Refused, st.Delivered)
	}
}

func TestAWebhookThatRefusesCanStopTheForward(t *testing.T) {
	var open atomic.Bool
	s := newSite(t, func(w http.ResponseWriter, _ []object) bool {
		if !open.Load() {
			http.Error(w, "who are you?", http.StatusForbidden)
		}
		return open.Load()
	})
	conf := toSite(s)
	conf.OnRefused = "stop"
	n := newNode(t, setting{}, conf)
	c := dial(t, n.fleet("devices", lineSpec), "a")
	say(t, c, "kept")
	st := n.status("hook", "stopped", func(s device.ForwardStatus) bool { return s.State == "stopped" })
	if !strings.Contains(st.Error, "403") || !strings.Contains(st.Error, "who are you?") {
		t.Errorf("got error %q", st.Error)
	}
	open.Store(true)
	n.forwards.Resume("hook")
	s.got.count(t, 2)
}

func TestRetryAfterIsWaitedFor(t *testing.T) {
	var first atomic.Int64
	s := newSite(t, func(w http.ResponseWriter, _ []object) bool {
		if first.CompareAndSwap(0, time.Now().UnixNano()) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			return false
		}
		return true
	})
	n := newNode(t, setting{}, toSite(s))
	dial(t, n.fleet("devices", lineSpec), "a")
	s.got.count(t, 1)
	if waited := time.Since(time.Unix(0, first.Load())); waited < 900*time.Millisecond {
		t.Errorf("it was tried again after %v, want 1s", waited)
	}
}

func TestARedirectToAnotherHostIsNotFollowed(t *testing.T) {
	other := newSite(t, nil)
	s := newSite(t, func(w http.ResponseWriter, _ []object) bool {
		w.Header().Set("Location", other.URL)
		w.WriteHeader(http.StatusTemporaryRedirect)
		return false
	})
	n := newNode(t, setting{}, toSite(s))
	dial(t, n.fleet("devices", lineSpec), "a")
	st := n.status("hook", "waiting", func(s device.ForwardStatus) bool { return s.Retried > 2 })
	if !strings.Contains(st.Error, "redirects to other hosts are not followed") || other.asked.Load() != 0 {
		t.Errorf("got %q, and the other host was asked %d times", st.Error, other.asked.Load())
	}
}

func TestATemplateIsPostedForEachMessage(t *testing.T) {
	s := newSite(t, nil)
	conf := toSite(s)
	conf.Template = `{{.fleet}}/{{.name}}: {{.text}} {{.hex}} {{.base64}} {{.kind}}`
	n := newNode(t, setting{}, conf)
	c := dial(t, n.fleet("devices", lineSpec), "a")
	say(t, c, "xy")
	if got, want := string(s.got.count(t, 2)[1].Data), "devices/a: xy 7879 eHk= data"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAWebhookThatHangsIsGivenUpAndTriedAgain(t *testing.T) {
	var hung atomic.Int64
	release := make(chan struct{})
	defer close(release)
	s := newSite(t, func(http.ResponseWriter, []object) bool {
		if hung.Add(1) == 1 {
			<-release
			return false
		}
		return true
	})
	conf := toSite(s)
	conf.Timeout = 200 * time.Millisecond
	conf.RetryMin, conf.RetryMax = time.Second, time.Second
	n := newNode(t, setting{}, conf)
	dial(t, n.fleet("devices", lineSpec), "a")
	n.status("hook", "waiting", func(s device.ForwardStatus) bool { return s.Error == "it did not take it within 200ms" })
	s.got.count(t, 1)
}

func TestADeadAddressIsTriedAgain(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.77:0") // where nobody else takes the port meanwhile
	check(t, err)
	addr := ln.Addr().String()
	ln.Close()
	conf := forward.Config{Name: "hook", To: "http://" + addr, RetryMin: 10 * time.Millisecond, RetryMax: 50 * time.Millisecond}
	n := newNode(t, setting{}, conf)
	dial(t, n.fleet("devices", lineSpec), "a")
	n.status("hook", "waiting", func(s device.ForwardStatus) bool { return s.Retried > 2 && strings.Contains(s.Error, "refused") })
	ln, err = net.Listen("tcp", addr)
	check(t, err)
	s := &site{got: newInbox()}
	go http.Serve(ln, http.HandlerFunc(s.serve)) // ends with the test
	defer ln.Close()
	s.got.count(t, 1)
}
