//go:build linux && !race

package engine_test

import (
	"net"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/switchboard-relay/switchboard/socketio/engine"
)

// The clients are bare descriptors, so all that grows is the server's, and what the house notes of each connection.
func TestAnIdleWebSocketIsSmall(t *testing.T) {
	const clients, mostHeap, mostStack = 500, 2400, 2400
	h := newHouse(t, options{Options: engine.Options{MaxPerAddress: -1, HandshakeRate: -1}})
	for range 50 {
		h.dialBare()
	}
	heapBefore, stackBefore := memory()
	for range clients {
		h.dialBare()
	}
	var heap, stack int64
	waitFor(t, "readers wait with small stacks, and nothing is held besides", func() bool {
		heapNow, stackNow := memory()
		heap, stack = (heapNow-heapBefore)/clients, (stackNow-stackBefore)/clients
		return heap <= mostHeap && stack <= mostStack
	})
	t.Logf("an idle connection: %d bytes of heap, %d of stack", heap, stack)
}

// dialBare opens a connection and has it echo once.
func (h *house) dialBare() {
	h.t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { unix.Close(fd) })
	port := h.web.Listener.Addr().(*net.TCPAddr).Port
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		h.t.Fatal(err)
	}
	say := func(p []byte, want string) {
		h.t.Helper()
		unix.Write(fd, p)
		var got []byte
		for b := make([]byte, 512); !strings.Contains(string(got), want); {
			n, err := unix.Read(fd, b)
			if n <= 0 {
				h.t.Fatalf("got %q, %v, want %q", got, err, want)
			}
			got = append(got, b[:n]...)
		}
	}
	say([]byte("GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
		"maxPayload")
	say(frame(1, []byte("4hello")), "4hello")
}

func memory() (heap, stacks int64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), int64(m.StackInuse)
}
