package switchboard_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/simulate"
)

// told is what one target was told of devices.
type told struct {
	mu     sync.Mutex
	ledger *simulate.Ledger
	bytes  uint64
	counts map[string]int // of the newest line of each device: how many were connected
	wrong  error
}

func newTold() *told { return &told{ledger: simulate.NewLedger(), counts: map[string]int{}} }

func (w *told) take(name string, data []byte, connections int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && w.wrong == nil {
		w.wrong = err
	}
	w.bytes += uint64(len(data))
	w.counts[name] = connections
	w.ledger.Take(name, data)
}

// follow reads the link: protocol document, section 5.
func (w *told) follow(c net.Conn) {
	in := bufio.NewReader(c)
	for {
		text, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var line struct {
			Data        struct{ Data []uint8n }
			Connections int
			IMEI        string
		}
		err = json.Unmarshal(text, &line)
		data := make([]byte, len(line.Data.Data))
		for i, n := range line.Data.Data {
			data[i] = byte(n)
		}
		w.take(line.IMEI, data, line.Connections, err)
	}
}

// uint8n is a byte that is a number in JSON, where []byte would be text.
type uint8n int

// ServeHTTP takes a batch, but not every one at the first time.
func (w *told) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	var batch []struct {
		Name string
		Data []byte
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &batch)
	}
	if len(body)%5 == 0 && w.refuses() {
		rw.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	for _, m := range batch {
		w.take(m.Name, m.Data, 0, err)
	}
}

// refuses says yes to every other who asks.
func (w *told) refuses() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[""]++
	return w.counts[""]%2 == 1
}

// descriptors is how many this process has.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// online asks REST how many devices are connected.
func online(t *testing.T, sb *switchboard.Switchboard) int {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(sb.Data(), "token"))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodGet, sb.URL()+"/api/v1/devices?limit=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct{ Counts struct{ Online int } }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("devices: %s, %v", resp.Status, err)
	}
	return list.Counts.Online
}

// settles waits up to a minute until check has nothing to say.
func settles(t *testing.T, what string, check func() string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		problem := check()
		if problem == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not within a minute: %s", what, problem)
		}
	}
}

// TestOfAFleetThatDoesEverythingNothingIsLostAndEachCountIsRight is the promise as a whole: what devices do is counted, and
// what they said reaches every target, once and in order.
func TestOfAFleetThatDoesEverythingNothingIsLostAndEachCountIsRight(t *testing.T) {
	const devices = 300
	hook := newTold()
	target := httptest.NewServer(hook)
	defer target.Close()
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	sb, err := switchboard.New(switchboard.Config{Data: t.TempDir(), HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"},
		Listeners: []switchboard.ListenerConfig{{Name: "devices", Listen: "tcp://127.0.0.1:0", Service: "device",
			Device: &switchboard.DeviceConfig{Frame: frame.FramerSpecs{{Preset: "etung"}}, WebServer: []string{"127.0.0.2"}, ConnectRate: -1, MaxUnregistered: -1}}},
		Forwards: []switchboard.ForwardConfig{{Name: "hook", To: target.URL, Retry: "20ms..100ms"}}}, switchboard.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sb.Close() })
	addr := sb.Addr("devices").String()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	conn, err := dialer.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	web := newTold()
	var running sync.WaitGroup
	running.Go(func() { web.follow(conn) })

	c := simulate.Config{Network: "tcp", Address: addr, Devices: devices, Rate: 5, Reconnects: 1, Duplicates: 1, Floods: 0.5, BlackHoles: 1,
		Vanish: 1, Drip: 0.03, Black: 300 * time.Millisecond, Away: 20 * time.Millisecond, FloodSize: 200, Seed: 7, Held: true}
	if _, err := simulate.New(c); err != nil { // as anybody but root
		c.Vanish = 0
	}
	fleet, err := simulate.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- fleet.Run(ctx) }() // ends with stop; it is waited for

	rest := func(round int) {
		wait, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := fleet.Pause(wait); err != nil {
			t.Fatalf("round %d: %v; %+v", round, err, fleet.Counts())
		}
		settles(t, fmt.Sprintf("round %d: the count", round), func() string {
			if got, want := online(t, sb), int(fleet.Counts().Online); got != want || want != devices {
				return fmt.Sprintf("the server says %d, the fleet %d; want %d", got, want, devices)
			}
			return ""
		})
		probe, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprint("probe", round)
		fmt.Fprintf(probe, "ETUNG:%s\n", name)
		settles(t, fmt.Sprintf("round %d: one device more", round), func() string {
			web.mu.Lock()
			defer web.mu.Unlock()
			if got := web.counts[name]; got != devices+1 {
				return fmt.Sprintf("the web server is told of %d connections; want %d", got, devices+1)
			}
			return ""
		})
		probe.Close()
		settles(t, fmt.Sprintf("round %d: all that was said", round), func() string {
			for to, w := range map[string]*told{"the web server": web, "the hook": hook} {
				w.mu.Lock()
				v, bytes, wrong := fleet.Check(w.ledger), w.bytes, w.wrong
				w.mu.Unlock()
				list, err := sb.Hub().List(t.Context(), "", index.Filter{Listener: "devices"}) // afterwards: it may still grow
				if err != nil {
					t.Fatal(err)
				}
				var received uint64
				for _, sum := range list {
					received += sum.ReceivedBytes
				}
				if v.Duplicates+v.Disordered > 0 || wrong != nil || bytes > received {
					t.Fatalf("%s: %+v, %v, %d bytes of %d; want each message once, and in its order", to, v, wrong, bytes, received)
				}
				if v.Lost > 0 || bytes != received {
					return fmt.Sprintf("%s: %+v, %d bytes of %d", to, v, bytes, received)
				}
			}
			return ""
		})
	}
	rest(0)
	for round := 1; round <= 2; round++ {
		before := fleet.Counts()
		fleet.Resume()
		settles(t, "some of everything", func() string {
			n := fleet.Counts()
			const some = 3
			if n.Reconnects > before.Reconnects+some && n.Duplicates > before.Duplicates+some && n.Floods > before.Floods+some &&
				n.BlackHoles > before.BlackHoles+some && n.Messages > before.Messages+2*devices {
				return ""
			}
			return fmt.Sprintf("%+v", n)
		})
		rest(round)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	settles(t, "the last count", func() string {
		if n := online(t, sb); n != 0 {
			return fmt.Sprintf("%d are online", n)
		}
		return ""
	})
	conn.Close()
	running.Wait()
	if err := sb.Close(); err != nil {
		t.Error(err)
	}
	target.CloseClientConnections()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	settles(t, "everything is back where it was", func() string {
		if g, f := runtime.NumGoroutine(), descriptors(t); g > goroutines || f > files {
			return fmt.Sprintf("%d goroutines, %d before; %d descriptors, %d before", g, goroutines, f, files)
		}
		return ""
	})
}
