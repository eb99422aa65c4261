package ssh_test

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/session"
)

// closes reports whether the bastion closes a connection that says nothing, behind its own greeting.
func (h *house) closes() bool {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(limit))
	_, err = io.ReadAll(conn)
	return err == nil || !os.IsTimeout(err)
}

func TestWhoDoesNotSignInInTimeIsCutOff(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) { l.Bastion.LoginTimeout = "300ms" })
	if !h.closes() {
		t.Error("it is still connected")
	}
}

func TestConnectionsThatHaveNotSignedInAreLimited(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) { l.Bastion.MaxLogins = 1 })
	first, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := first.Read(make([]byte, 1)); err != nil { // it is being served
		t.Fatal(err)
	}
	if !h.closes() {
		t.Error("a second one is served")
	}
}

func TestConnectionsOfOneAddressAreLimited(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) { l.Bastion.MaxPerAddress = 1 })
	h.client("ada+web1", h.key("ada"))
	if !h.closes() {
		t.Error("a second one is served")
	}
}

func TestSessionsOfOneConnectionAreLimited(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) { l.Bastion.MaxChannels = 2 })
	sc := h.client("ada+web1", h.key("ada"))
	var last *ssh.Session
	for range 2 {
		s, err := sc.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		last = s
	}
	if _, err := sc.NewSession(); err == nil || !strings.Contains(err.Error(), "too many sessions on one connection") {
		t.Errorf("a third: %v", err)
	}
	if err := last.Run("true"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(limit); ; {
		s, err := sc.NewSession()
		if err == nil {
			s.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("when one has ended: %v", err)
		}
	}
}

func TestAUserWhoIsTakenOutBeginsNothingMore(t *testing.T) {
	h := open(t, nil)
	sc := h.client("ada+web1", h.key("ada"))
	conf := switchboard.Config{Data: h.file("data"), HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"}}
	changed := *h.conf
	changed.Users = []switchboard.BastionUser{{Name: "bob", AuthorizedKeys: h.conf.Users[0].AuthorizedKeys}}
	conf.Listeners = []switchboard.ListenerConfig{{Name: "bastion", Listen: "ssh://127.0.0.1:0", Service: "bastion", Bastion: &changed}}
	if err := h.sb.Reload(conf); err != nil {
		t.Fatal(err)
	}
	if _, err := sc.NewSession(); err == nil || !strings.Contains(err.Error(), "you are no user any more") {
		t.Errorf("got %v", err)
	}
	if got := h.run(h.ssh("ada+web1@127.0.0.1", "true")); got.status != 255 {
		t.Errorf("ada came in again: %+v", got)
	}
}

func TestAListenerThatIsTakenOutEndsItsConnections(t *testing.T) {
	h := open(t, nil)
	idle, busy := h.client("ada+web1", h.key("ada")), h.client("ada+web1", h.key("ada"))
	s, err := busy.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.StdinPipe(); err != nil { // or else it is closed at once, and cat ends
		t.Fatal(err)
	}
	if err := s.Start("cat"); err != nil {
		t.Fatal(err)
	}
	h.sessions(session.Live, 1)
	conf := switchboard.Config{Data: h.file("data"), HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"}}
	if err := h.sb.Reload(conf); err != nil {
		t.Fatal(err)
	}
	idle.Wait()
	busy.Wait()
	if sum := h.recorded(); sum.Cause != session.Shutdown {
		t.Errorf("it ended as %+v", sum)
	}
}

func TestWhatIsSentToATerminalIsShownThereAlone(t *testing.T) {
	h := open(t, nil)
	sc := h.client("ada+web1", h.key("ada"))
	s, err := sc.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.StdinPipe(); err != nil { // or else it is closed at once, and cat ends
		t.Fatal(err)
	}
	if err := s.Start("cat"); err != nil {
		t.Fatal(err)
	}
	plain := h.sessions(session.Live, 1)[0].ID
	if err := h.sb.Hub().Send(t.Context(), plain, "grace", []byte("hello")); err == nil || !strings.Contains(err.Error(), "only sessions with a terminal") {
		t.Errorf("without a terminal: %v", err)
	}
	if s, err = sc.NewSession(); err != nil {
		t.Fatal(err)
	}
	if err := s.RequestPty("xterm", 24, 80, nil); err != nil {
		t.Fatal(err)
	}
	out, _ := s.StdoutPipe()
	if _, err := s.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start("cat"); err != nil {
		t.Fatal(err)
	}
	for _, sum := range h.sessions(session.Live, 2) {
		if sum.ID != plain {
			if err := h.sb.Hub().Send(t.Context(), sum.ID, "grace", []byte("hello")); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(out, got); string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}

// Not all that call themselves OpenSSH speak first, as it does.
func TestAClientThatWaitsForTheBastionToSpeakFirstIsAnswered(t *testing.T) {
	h := open(t, nil)
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second)) // half of what signing in may take
	if _, err := io.WriteString(conn, "SSH-2.0-OpenSSH_8.2\r\n"); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, len("SSH-2.0-Switchboard\r\n")+6)
	if _, err := io.ReadFull(conn, head); err != nil || head[len(head)-1] != 20 { // SSH_MSG_KEXINIT
		t.Errorf("got %q, %v; want a proposal", head, err)
	}
}
