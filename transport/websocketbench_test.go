package transport

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// BenchmarkParse is what reading a message costs beside the system's calls: 100 small ones come at once.
func BenchmarkParse(b *testing.B) {
	for _, size := range []int{16, 100, 1000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			count := max(1, min(100, len(input{})/(size+8)))
			said := []byte(strings.Repeat(string(frameOf(size)), count))
			c := &scripted{}
			socket := newWebSocket(c, nil, WebSocketOptions{})
			take := func(bool, []byte) error { return nil }
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for n := 0; n < b.N; n += count {
				for c.said = said; len(c.said) > 0; {
					if err := socket.ReceiveMessages(take); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func frameOf(size int) []byte {
	p := strings.Repeat("x", size)
	switch {
	case size < 126:
		return short(0x81, p)
	case size < 1<<16:
		return masked(0x81, []byte{126, byte(size >> 8), byte(size)}, p)
	}
	return masked(0x81, []byte{127, 0, 0, 0, 0, byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)}, p)
}

// BenchmarkReceive is reading messages of 100 bytes from a socket, that come as fast as they can.
func BenchmarkReceive(b *testing.B) {
	s := serve(b, false, WebSocketOptions{}, nil)
	c, _ := s.rawDial(b, "")
	socket := await(b, s.sockets, "the WebSocket")
	said := []byte(strings.Repeat(string(frameOf(100)), 100))
	go func() {
		for {
			if _, err := c.Write(said); err != nil {
				return
			}
		}
	}()
	b.ReportAllocs()
	b.SetBytes(100)
	n := 0
	take := func(bool, []byte) error { n++; return nil }
	for n < b.N {
		if err := socket.ReceiveMessages(take); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	c.Close()
}

// BenchmarkEcho is a message of 100 bytes there and back, with a client that does only what it must.
func BenchmarkEcho(b *testing.B) {
	s := serve(b, false, WebSocketOptions{}, nil)
	c, r := s.rawDial(b, "")
	socket := await(b, s.sockets, "the WebSocket")
	go func() {
		var frame []byte
		for socket.ReceiveMessages(func(_ bool, p []byte) error {
			frame = AppendFrame(frame[:0], OpText, p)
			return socket.Push(frame)
		}) == nil {
		}
	}()
	said, answer := frameOf(100), make([]byte, 102)
	b.ReportAllocs()
	for b.Loop() {
		c.Write(said)
		if _, err := io.ReadFull(r, answer); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	for _, size := range []int{100, 1000, 100_000} {
		p := make([]byte, size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			var frame []byte
			b.ReportAllocs()
			for b.Loop() {
				frame = AppendFrame(frame[:0], OpText, p)
			}
		})
	}
}

// BenchmarkPush is a frame of 102 bytes pushed to a socket that is read.
func BenchmarkPush(b *testing.B) {
	s := serve(b, false, WebSocketOptions{WriteLimit: 1 << 30}, nil)
	c, _ := s.rawDial(b, "")
	socket := await(b, s.sockets, "the WebSocket")
	go io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, make([]byte, 1<<20))
	frame := AppendFrame(nil, OpText, make([]byte, 100))
	b.ReportAllocs()
	for b.Loop() {
		if err := socket.Push(frame); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(socket.Waiting())/float64(b.N), "waiting-B/op")
}

// BenchmarkIdle is what each of 5,000 goroutines holds that waits at a WebSocket which has heard a message.
func BenchmarkIdle(b *testing.B) {
	const count = 5000
	waits := map[string]func(*WebSocket){
		"ReceiveMessages": func(s *WebSocket) { s.ReceiveMessages(func(bool, []byte) error { return nil }) },
		"Wait":            func(s *WebSocket) { s.Wait() },
	}
	for name, wait := range waits {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				idle(b, count, wait)
			}
		})
	}
}

func idle(b *testing.B, count int, wait func(*WebSocket)) {
	s := serve(b, false, WebSocketOptions{}, nil)
	var sockets []*WebSocket
	clients := make([]net.Conn, count)
	var waiting sync.WaitGroup
	for i := range clients {
		clients[i], _ = s.rawDial(b, "")
		sockets = append(sockets, await(b, s.sockets, "the WebSocket"))
	}
	before := memory()
	for i, socket := range sockets {
		clients[i].Write(frameOf(100))
		if err := socket.Receive(&piece{}); err != nil {
			b.Fatal(err)
		}
		waiting.Go(func() { wait(socket) })
	}
	b.ReportMetric(float64(memory()-before)/float64(count), "B/conn")
	for _, socket := range sockets {
		socket.Close()
	}
	waiting.Wait()
	for _, c := range clients {
		c.Close()
	}
}

// memory is what heap and stacks take.
func memory() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
