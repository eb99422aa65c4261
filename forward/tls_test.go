package forward_test

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/forward"
)

// securedSite is an HTTPS server that takes messages, and the file of its authority.
func securedSite(t *testing.T) (s *site, authority string) {
	t.Helper()
	s = &site{got: newInbox()}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are meant to fail
	s.StartTLS()
	t.Cleanup(s.Close)
	authority = filepath.Join(t.TempDir(), "authority.pem")
	check(t, os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	return s, authority
}

func TestTargetsBehindTLSAreBelievedByTheirAuthorityAlone(t *testing.T) {
	s, authority := securedSite(t)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	u := &upstream{Listener: tls.NewListener(plain, &tls.Config{Certificates: s.TLS.Certificates}), news: make(chan struct{}, 1)}
	t.Cleanup(func() { u.Close() })
	go u.serve() // ends with the listener

	hook, up := toSite(s), toUpstream(u)
	up.To = strings.Replace(up.To, "tcp://", "tls://", 1)
	n := newNode(t, setting{}, hook, up)
	c := dial(t, n.fleet("devices", lineSpec), "a")
	say(t, c, "early")
	for _, name := range []string{"hook", "up"} {
		n.status(name, "told what is wrong", func(st status) bool {
			return st.State == "waiting" && strings.Contains(st.Error, "set ca to a file")
		})
	}
	if got := s.got.all(); len(got) > 0 {
		t.Errorf("a server that nobody believes was told %v", got)
	}
	u.await(t, "nothing", func(got []string) bool { return strings.Join(got, "") == "" })

	hook.CA, up.CA = authority, authority
	check(t, n.forwards.Configure([]forward.Config{hook, up}))
	say(t, c, "ASK late")
	want := "LOGIN:a\nearly\nASK late\n"
	u.await(t, want, func(got []string) bool { return len(got) > 0 && got[len(got)-1] == want })
	c.SetReadDeadline(time.Now().Add(patience))
	answer := make([]byte, len("ANSWER ASK late\n"))
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "ANSWER ASK late\n" {
		t.Errorf("got %q, %v", answer, err)
	}
	if list := s.got.count(t, 3); list[1].text() != "early" || list[2].text() != "ASK late" {
		t.Errorf("got %+v", list)
	}
	for _, name := range []string{"hook", "up"} {
		n.status(name, "idle", isIdle)
	}
}

func TestAnAuthorityThatCannotBeReadIsTold(t *testing.T) {
	s, authority := securedSite(t)
	empty := filepath.Join(t.TempDir(), "empty.pem")
	check(t, os.WriteFile(empty, []byte("no certificate"), 0o600))
	conf := toSite(s)
	conf.CA = authority
	n := newNode(t, setting{}, conf)
	for file, want := range map[string]string{empty: "holds no certificate in PEM", empty + ".not": "no such file"} {
		wrong := conf
		wrong.CA = file
		if err := n.forwards.Configure([]forward.Config{wrong}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", file, err, want)
		}
	}
	say(t, dial(t, n.fleet("devices", lineSpec), "a"), "as before")
	s.got.count(t, 2)
}
