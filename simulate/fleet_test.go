package simulate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// minute is how long these tests wait for what must come.
const minute = time.Minute

// server is a server of devices, of which only the newest of a name may stay.
type server struct {
	net.Listener
	respond func(chunk []byte) []byte // nil: nothing is answered

	mu     sync.Mutex
	conns  map[net.Conn]string // by name, empty before the first mark
	newest map[string]net.Conn
	ledger *Ledger
	bytes  uint64
	cond   *sync.Cond
}

func newServer(t *testing.T, respond func(chunk []byte) []byte) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Listener: ln, respond: respond, conns: map[net.Conn]string{}, newest: map[string]net.Conn{}, ledger: NewLedger()}
	s.cond = sync.NewCond(&s.mu)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[c] = ""
			s.mu.Unlock()
			running.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		s.mu.Lock()
		for c := range s.conns {
			c.Close()
		}
		s.mu.Unlock()
		running.Wait()
	})
	return s
}

// serve takes what a device says; a line ETUNG:NAME, or the first mark, is its name.
func (s *server) serve(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		if name := s.conns[c]; name != "" && s.newest[name] == c {
			delete(s.newest, name)
		}
		delete(s.conns, c)
		s.cond.Broadcast()
	}()
	var held []byte
	buf := make([]byte, 32<<10)
	for {
		n, err := c.Read(buf)
		s.take(c, &held, buf[:n])
		if err != nil {
			return
		}
		if s.respond != nil {
			if answer := s.respond(buf[:n]); len(answer) > 0 {
				c.Write(answer)
			}
		}
	}
}

func (s *server) take(c net.Conn, held *[]byte, p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += uint64(len(p))
	*held = append(*held, p...)
	if s.conns[c] == "" && bytes.HasPrefix([]byte("ETUNG:"), (*held)[:min(len(*held), 6)]) {
		name, rest, ok := bytes.Cut(*held, []byte("\n"))
		if !ok {
			return
		}
		key := string(name[len("ETUNG:"):])
		if old := s.newest[key]; old != nil {
			old.(*net.TCPConn).CloseWrite() // and what it said before is read to its end
		}
		s.conns[c], s.newest[key] = key, c
		*held = rest
	}
	n := ParseAll(*held, s.ledger.add)
	*held = bytes.Clone((*held)[len(*held)-n:])
	s.cond.Broadcast()
}

// until waits until ready says yes; that is called with mu.
func (s *server) until(t *testing.T, what string, ready func() bool) {
	t.Helper()
	late := false
	defer time.AfterFunc(minute, func() { s.mu.Lock(); late = true; s.mu.Unlock(); s.cond.Broadcast() }).Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !ready() {
		if late {
			t.Fatalf("%s: not within %v; %d connections, %d names, %+v", what, minute, len(s.conns), len(s.newest), s.ledger.Counts())
		}
		s.cond.Wait()
	}
}

// begin runs a fleet; stop ends it, and waits.
func begin(t *testing.T, c Config) (f *Fleet, stop func() error) {
	t.Helper()
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	var once sync.Once
	var result error
	stop = func() error {
		once.Do(func() { cancel(); result = <-ended })
		return result
	}
	t.Cleanup(func() { stop() })
	return f, stop
}

func pause(t *testing.T, f *Fleet) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), minute)
	defer cancel()
	if err := f.Pause(ctx); err != nil {
		t.Fatalf("pause: %v; %+v", err, f.Counts())
	}
}

func TestEveryMessageArrivesOnceInItsOrderWhateverHappensToConnections(t *testing.T) {
	before := runtime.NumGoroutine()
	s := newServer(t, nil)
	f, stop := begin(t, Config{Network: "tcp", Address: s.Addr().String(), Devices: 100, Rate: 20, Size: 80, Heartbeat: 100 * time.Millisecond,
		Reconnects: 1, Duplicates: 1, Floods: 1, BlackHoles: 1, Drip: 0.1, Black: 50 * time.Millisecond, Away: 5 * time.Millisecond, FloodSize: 300, Seed: 1})
	for round := range 3 {
		f.Resume()
		floor := f.Counts()
		s.until(t, "more of everything", func() bool {
			n := f.Counts()
			return n.Reconnects > floor.Reconnects && n.Duplicates > floor.Duplicates && n.Floods > floor.Floods && n.BlackHoles > floor.BlackHoles &&
				n.Messages > floor.Messages+1000
		})
		pause(t, f)
		n := f.Counts()
		s.until(t, "what the devices sent, and their names", func() bool { return len(s.newest) == 100 && len(s.conns) == 100 && s.bytes >= n.Sent })
		s.mu.Lock()
		v := f.Check(s.ledger)
		s.mu.Unlock()
		if n.Online != 100 || n.Connected != 100 || v.Lost != 0 || v.Duplicates != 0 || v.Disordered != 0 || v.Said != n.Messages || v.Messages+v.Torn != v.Said {
			t.Errorf("round %d: got %+v and %+v; want 100 online, nothing lost, twice or late", round, n, v)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	s.until(t, "nobody is connected", func() bool { return len(s.conns) == 0 })
	n := f.Counts()
	if n.Online != 0 || n.Connected != 0 || n.Sent != s.bytes || n.Heartbeats == 0 {
		t.Errorf("at the end: got %+v and %d bytes at the server; want nobody connected, and as many bytes", n, s.bytes)
	}
	if v := f.Check(s.ledger); v.Lost != 0 {
		t.Errorf("at the end: got %+v, want nothing lost", v)
	}
	s.Close()
	for end := time.Now().Add(minute); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

func TestDevicesOfAllProtocolsRegister(t *testing.T) {
	together := map[string]int{"line": 5, "h02": 2}
	for name, respond := range map[string]func(chunk []byte) []byte{
		"etung": nil, "raw": nil, "line": nil, "h02": nil,
		"gt06": func(p []byte) []byte {
			if p[3] == gt06Login {
				return gt06FrameOf(nil, gt06Login, nil, 1)
			}
			return nil
		},
		"jt808": func(p []byte) []byte {
			switch p[2] {
			case 0x00:
				return jt808FrameOf(nil, "138000000000", jt808RegisterR, 0, []byte("\x00\x00\x00code"))
			case 0x02:
				return jt808FrameOf(nil, "138000000000", jt808Reply, 1, []byte{0, 1, 1, 2, 0})
			}
			return nil
		},
		"tk103": func(p []byte) []byte {
			if string(p[13:17]) == "BP05" {
				return append(append([]byte(nil), p[:13]...), "AP05)"...)
			}
			return nil
		},
		"gps103": func(p []byte) []byte {
			if p[0] == '#' {
				return []byte("LOAD")
			}
			return nil
		},
		"teltonika": func(p []byte) []byte {
			if p[0] == 0 && p[1] == 15 {
				return []byte{1}
			}
			return []byte{0, 0, 0, 1}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, respond)
			f, stop := begin(t, Config{Network: "tcp", Address: s.Addr().String(), Protocol: name, Devices: 5, Rate: 50, Together: together[name], Held: true})
			pause(t, f)
			if n := f.Counts(); n.Online != 5 || n.Registered != 5 || n.Messages != 0 {
				t.Errorf("held: got %+v, want 5 online and no message", n)
			}
			f.Resume()
			s.until(t, "100 messages", func() bool { return s.ledger.Counts().Messages >= 100 })
			if err := stop(); err != nil {
				t.Error(err)
			}
			s.until(t, "the end", func() bool { return len(s.conns) == 0 })
			if v := f.Check(s.ledger); v.Lost+v.Duplicates+v.Disordered+v.Torn != 0 || s.ledger.Devices() != 5 {
				t.Errorf("got %+v of %d devices; want all of 5", v, s.ledger.Devices())
			}
		})
	}
}

func TestADeviceThatIsNotAcceptedConnectsAgainLater(t *testing.T) {
	s := newServer(t, func(p []byte) []byte { return []byte{0} })
	f, stop := begin(t, Config{Network: "tcp", Address: s.Addr().String(), Protocol: "teltonika", Devices: 1, Away: time.Millisecond, Rate: 1000})
	s.until(t, "two registrations", func() bool { return f.Counts().Rejected >= 2 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if n := f.Counts(); n.Registered != 0 || n.Messages != 0 {
		t.Errorf("got %+v; want no message of a device that was rejected", n)
	}
}

func TestWhoIsEndedByTheServerIsCountedWithTheReason(t *testing.T) {
	s := newServer(t, nil)
	f, _ := begin(t, Config{Network: "tcp", Address: s.Addr().String(), Devices: 3, Held: true, Away: time.Millisecond})
	pause(t, f)
	s.until(t, "names", func() bool { return len(s.newest) == 3 })
	s.mu.Lock()
	s.newest[f.Name(0)].Close()
	s.newest[f.Name(1)].(*net.TCPConn).SetLinger(0)
	s.newest[f.Name(1)].Close()
	s.mu.Unlock()
	s.until(t, "three names again, of five connections", func() bool { return len(s.newest) == 3 && f.Counts().Connects == 5 })
	pause(t, f)
	if n := f.Counts(); n.Ended["closed"] != 1 || n.Ended["reset"] != 1 || n.Online != 3 || n.Registered != 5 {
		t.Errorf("got %+v; want one closed, one reset, and all of them back", n)
	}
}

func TestCommandsAreAnswered(t *testing.T) {
	s := newServer(t, nil)
	f, _ := begin(t, Config{Network: "tcp", Address: s.Addr().String(), Devices: 2, Held: true, Commands: true, Reply: "OK"})
	s.until(t, "both names", func() bool { return len(s.newest) == 2 })
	if n := f.Counts(); n.Registered != 0 {
		t.Errorf("before the reply: got %d registered, want none", n.Registered)
	}
	s.mu.Lock()
	was := s.bytes
	for _, c := range s.newest {
		io.WriteString(c, "O")
		io.WriteString(c, "K")
	}
	s.mu.Unlock()
	pause(t, f)
	s.mu.Lock()
	for _, c := range s.newest {
		io.WriteString(c, "open valve 3")
	}
	s.mu.Unlock()
	s.until(t, "both answers", func() bool { return s.bytes == was+2*uint64(len("open valve 3")) })
	if n := f.Counts(); n.Answers == 0 || n.Replies != 2 || n.Commands != n.Answers {
		t.Errorf("got %+v; want 2 replies, and every command answered", n)
	}
}

func TestDatagramsArriveWhole(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f, stop := begin(t, Config{Network: "udp", Address: c.LocalAddr().String(), Protocol: "h02", Devices: 3, Rate: 100, Reconnects: 1, Away: time.Millisecond})
	ledger, ports := NewLedger(), map[string]bool{}
	buf := make([]byte, 64<<10)
	c.SetReadDeadline(time.Now().Add(minute))
	for ledger.Counts().Messages < 200 {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		ports[from.String()] = true
		ledger.TakeMessage(buf[:n])
	}
	pause(t, f)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if v := f.Check(ledger); v.Duplicates+v.Disordered != 0 || ledger.Devices() != 3 || len(ports) < 3 {
		t.Errorf("got %+v of %d devices on %d ports; want 3, each on a port of its own", v, ledger.Devices(), len(ports))
	}
}

func TestAServerThatDoesNotReadHoldsUpNobodyElse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	const devices = 4
	accepted := make(chan net.Conn, devices)
	go func() { // ends with the listener
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	f, stop := begin(t, Config{Network: "tcp", Address: ln.Addr().String(), Protocol: "raw", Devices: devices, Rate: 200, Size: 60 << 10, Held: true})
	var conns []net.Conn
	for range devices {
		conns = append(conns, <-accepted)
	}
	pause(t, f)
	f.Resume()
	ledger := NewLedger()
	buf := make([]byte, 1<<20)
	conns[0].SetReadDeadline(time.Now().Add(minute))
	for ledger.Counts().Messages < 600 { // more than any socket holds
		n, err := conns[0].Read(buf)
		if err != nil {
			t.Fatalf("after %+v: %v; %+v", ledger.Counts(), err, f.Counts())
		}
		ledger.Take("", buf[:n])
	}
	if n := f.Counts(); n.Behind == 0 {
		t.Errorf("got %+v; want messages that were left out for those who are not read", n)
	}
	for _, c := range conns {
		c.Close()
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestWhoVanishesSaysNothing(t *testing.T) {
	s := newServer(t, nil)
	c := Config{Network: "tcp", Address: s.Addr().String(), Devices: 200, Rate: 2, Vanish: 1, Away: time.Millisecond}
	if !canVanish() { // as anybody but root
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), "CAP_NET_ADMIN") {
			t.Errorf("got %v, want an error that names what is missing", err)
		}
		return
	}
	f, stop := begin(t, c)
	s.until(t, "three vanish", func() bool { return f.Counts().Vanished >= 3 })
	pause(t, f)
	n := f.Counts()
	s.until(t, "all came back", func() bool { return len(s.newest) == 200 && s.ledger.Counts().Messages == n.Messages })
	if n.Connects != 200+n.Vanished || len(n.Ended) != 0 {
		t.Errorf("got %+v; want a connection for each that vanished, and none that the server ended", n)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestTheFirstConnectionsFailureIsTheFleets(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.77:0") // where nobody else takes the port meanwhile
	if err != nil {
		t.Fatal(err)
	}
	at := ln.Addr().String()
	ln.Close()
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{Network: "tcp", Address: at, Devices: 10}, "nothing listens there"},
		{Config{Network: "tcp", Address: at, Devices: 1, From: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}, "has no address 192.0.2.1"},
	} {
		_, stop := begin(t, c.config)
		f, err := New(c.config)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Run(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c.config, err, c.want)
		}
		stop()
	}
}

func TestWrongConfigurationsSayWhatWouldBeRight(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{Network: "tcp", Devices: 1, Protocol: "gt07"}, "must be one of etung, gps103, gt06"},
		{Config{Network: "ws", Devices: 1}, "must be tcp, tls or udp"},
		{Config{Network: "tcp"}, "must be from 1 to"},
		{Config{Network: "tcp", Devices: 1, Drip: 1.5}, "must be a share from 0 to 1"},
		{Config{Network: "tcp", Devices: 1, Protocol: "gt06", NamePrefix: "dev"}, "15 digits"},
		{Config{Network: "tcp", Devices: 20, Protocol: "jt808", NamePrefix: "13800000000"}, "leaves 1 digits"},
		{Config{Network: "tcp", Devices: 1, NamePrefix: "a:b"}, "letters, digits"},
		{Config{Network: "tcp", Devices: 1, Size: 1 << 20}, "from 0 to 65536"},
		{Config{Network: "tcp", Devices: 1, Protocol: "jt808", Size: 2000}, "at most 1023"},
		{Config{Network: "udp", Devices: 1, Together: 2}, "1 for UDP"},
	} {
		if _, err := New(c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c.config, err, c.want)
		}
	}
}

func TestAPauseThatCannotBeReachedSaysWhy(t *testing.T) {
	s := newServer(t, nil)
	f, _ := begin(t, Config{Network: "tcp", Address: s.Addr().String(), Devices: 2, Reply: "OK"})
	s.until(t, "names", func() bool { return len(s.newest) == 2 })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var restless *RestlessError
	if err := f.Pause(ctx); !errors.As(err, &restless) || restless.Devices != 2 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want one about 2 devices", err)
	}
}

func TestManyDevicesTakeLittleMemory(t *testing.T) {
	s := newServer(t, nil)
	f, stop := begin(t, Config{Network: "tcp", Address: s.Addr().String(), Devices: 2000, Held: true})
	pause(t, f)
	s.until(t, "all", func() bool { return len(s.newest) == 2000 })
	if files, err := os.ReadDir("/proc/self/fd"); err == nil && len(files) > 2*2000+100 {
		t.Errorf("%d descriptors of 2000 devices and their server", len(files))
	}
	if n := runtime.NumGoroutine(); n > 2*2000+2*defaultDials {
		t.Errorf("%d goroutines of 2000 devices and their server", n)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
