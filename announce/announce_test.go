package announce_test

import (
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/announce"
)

// screen is a terminal with a program, and somebody who announces.
type screen struct {
	t    *testing.T
	mu   sync.Mutex // of who writes
	a    *announce.Announcer
	told chan string
}

func open(t *testing.T, way announce.Way) *screen {
	s := &screen{t: t, told: make(chan string, 100)}
	s.a = announce.New(way, func(next func() []byte) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if p := next(); len(p) > 0 {
			s.told <- string(p)
		}
		return nil
	})
	t.Cleanup(s.a.Close)
	return s
}

func (s *screen) show(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.a.Passed([]byte(text))
}

func (s *screen) tells(want string) {
	s.t.Helper()
	select {
	case got := <-s.told:
		if got != want {
			s.t.Errorf("got %q; want %q", got, want)
		}
	case <-time.After(20 * time.Second):
		s.t.Fatalf("nothing is told; want %q", want)
	}
}

// silent looks that nothing is told for as long as it takes to be told otherwise.
func (s *screen) silent() {
	s.t.Helper()
	select {
	case got := <-s.told:
		s.t.Errorf("got %q; want nothing", got)
	case <-time.After(3 * announce.Rest):
	}
}

func TestTheTitleTellsAndIsGivenBack(t *testing.T) {
	s := open(t, announce.Title)
	s.show("\x1b]2;bash\x07$ ")
	s.a.Say("ada types along")
	s.tells("\x1b[22;2t\x1b]2;ada types along\a")
	s.a.Say("ada, grace type along")
	s.tells("\x1b]2;ada, grace type along\a")
	s.a.Say("")
	s.tells("\x1b[23;2t")
	s.silent()
}

func TestATitleOfTheProgramIsKeptForItAndTheAnnouncementComesAgain(t *testing.T) {
	s := open(t, announce.Title)
	s.a.Say("ada types along")
	s.tells("\x1b[22;2t\x1b]2;ada types along\a")
	s.show("\x1b]0;joe: ~\x1b\\$ ")
	s.tells("\x1b]2;ada types along\a")
	s.show("\x1b]4;1;rgb:0/0/0\a")
	s.a.Say("")
	s.tells("\x1b[23;2t\x1b]2;joe: ~\a")
}

func TestNothingIsToldWithinASequence(t *testing.T) {
	for _, part := range []string{"\x1b", "\x1b[", "\x1b[1;", "\x1b(", "\x1b]2;ti", "\x1bPq", "\x1b_x\x1b", "\xe6", "\xf0\x9f\x98", "\xc2\x9b1",
		"\xc2\x9d2;x", "\x1b]2;\xe6\xb8\xa9", "\x1b[1\n", "\x1bP\x07"} {
		s := open(t, announce.Title)
		s.show("before" + part)
		s.a.Say("ada")
		s.silent()
		s.show("\x1b\\") // ends whatever it was
		s.tells("\x1b[22;2t\x1b]2;ada\a")
	}
}

func TestItWaitsForARest(t *testing.T) {
	s := open(t, announce.Line)
	stop, stopped := make(chan struct{}), make(chan struct{})
	var last time.Time
	s.show("x")
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				last = time.Now()
				s.show("line\r\n")
			}
		}
	}()
	s.a.Say("ada types along")
	s.silent()
	close(stop)
	<-stopped
	s.tells("\r\n[switchboard: ada types along]\r\n")
	if rested := time.Since(last); rested < announce.Rest {
		t.Errorf("told after a rest of %v", rested)
	}
	s.a.Say("")
	s.tells("\r\n[switchboard: nobody is with you any more]\r\n")
}

func TestWhatIsToldCommandsNothing(t *testing.T) {
	s := open(t, announce.Title)
	s.a.Say("a\x1b]2;b\x07c\u009b\xff d")
	s.tells("\x1b[22;2t\x1b]2;a]2;bc d\a")
}

func TestTelnetsCommandsAreNoPlaceToTell(t *testing.T) {
	s := open(t, announce.Title)
	s.a.OverTelnet()
	s.show("login: \xff\xfa\x18")
	s.a.Say("ada")
	s.silent()
	s.show("\x01\xff\xf0")
	s.tells("\x1b[22;2t\x1b]2;ada\a")
}

func TestAtTheEndItIsTakenBackAtOnce(t *testing.T) {
	s := open(t, announce.Title)
	if got := s.a.Undo(); len(got) > 0 {
		t.Errorf("got %q where nothing was told", got)
	}
	s.a.Say("ada")
	s.tells("\x1b[22;2t\x1b]2;ada\a")
	s.show("bye")
	if got := s.a.Undo(); string(got) != "\x1b[23;2t" {
		t.Errorf("got %q", got)
	}
	s.silent()
}
