package switchboard_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/session"
)

// upstream serves each connection with f, and closes it.
func upstream(t *testing.T, network, addr string, f func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(3 * time.Minute))
				f(c)
			})
		}
	})
	t.Cleanup(func() { ln.Close(); serving.Wait() })
	return network + "://" + ln.Addr().String()
}

func relay(t *testing.T, to string, change func(*switchboard.ListenerConfig)) (*switchboard.Switchboard, net.Addr) {
	t.Helper()
	conf := switchboard.ListenerConfig{Name: "relay", Listen: "tcp://127.0.0.1:0", Service: "relay", Upstream: to}
	if change != nil {
		change(&conf)
	}
	sb := start(t, t.TempDir(), conf)
	return sb, sb.Addr("relay")
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// slowly reads everything in small pieces, so that whoever writes has to wait.
func slowly(r io.Reader) ([]byte, error) {
	var all bytes.Buffer
	_, err := io.CopyBuffer(struct{ io.Writer }{&all}, struct{ io.Reader }{r}, make([]byte, 1500))
	return all.Bytes(), err
}

func TestARelayCarriesEveryByteBothWaysAtOnceAndEachIsOnTheRecord(t *testing.T) {
	up, down := noise(6<<20), noise(6<<20)
	for _, record := range []string{"on", "strict", "off"} {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(record+" "+network, func(t *testing.T) {
				t.Parallel() // most of the time somebody reads slowly
				addr := "127.0.0.1:0"
				if network == "unix" {
					addr = filepath.Join(t.TempDir(), "upstream.sock")
				}
				arrived := make(chan []byte, 1)
				to := upstream(t, network, addr, func(c net.Conn) {
					var writing sync.WaitGroup
					writing.Go(func() {
						c.Write(down)
						c.(interface{ CloseWrite() error }).CloseWrite()
					})
					got, _ := slowly(c)
					writing.Wait()
					arrived <- got
				})
				sb, at := relay(t, to, func(c *switchboard.ListenerConfig) { c.Record = record })
				c := dial(t, "tcp", at)
				c.SetDeadline(time.Now().Add(3 * time.Minute)) // a strict record waits for the disk at each piece
				go func() {
					c.Write(up)
					c.(*net.TCPConn).CloseWrite()
				}()
				got, err := slowly(c)
				if !bytes.Equal(got, down) {
					t.Errorf("the client got %d bytes, %v; want the %d that the upstream sent", len(got), err, len(down))
				}
				if got := <-arrived; !bytes.Equal(got, up) {
					t.Errorf("the upstream got %d bytes; want the %d that the client sent", len(got), len(up))
				}
				if record == "off" {
					return
				}
				sum := sessions(t, sb, session.Recorded, 1)[0]
				if sum.Cause != session.HungUp || sum.ReceivedBytes != uint64(len(up)) || sum.SentBytes != uint64(len(down)) {
					t.Errorf("it ended as %q with %d and %d bytes; want %q, %d and %d", sum.Cause, sum.ReceivedBytes,
						sum.SentBytes, session.HungUp, len(up), len(down))
				}
				for kind, want := range map[session.Kind][]byte{session.Received: up, session.Sent: down} {
					if got := bytesOf(t, sb, sum.ID, kind); got != string(want) {
						t.Errorf("%v on the record are %d bytes; want the %d that passed", kind, len(got), len(want))
					}
				}
			})
		}
	}
}

func TestARelayedConversationThatPausesGoesOn(t *testing.T) {
	_, at := relay(t, upstream(t, "tcp", "127.0.0.1:0", func(c net.Conn) { io.Copy(c, c) }), nil)
	c := dial(t, "tcp", at)
	pause := time.NewTicker(1300 * time.Millisecond) // longer than a session takes to count as quiet
	defer pause.Stop()
	for _, text := range []string{"one", "two", "three"} {
		for range 3 {
			if _, err := io.WriteString(c, text); err != nil {
				t.Fatal(err)
			}
			expect(t, c, text)
		}
		<-pause.C
	}
}

func TestTheLastBytesOfAnUpstreamAndItsEndArriveTogether(t *testing.T) {
	_, at := relay(t, upstream(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		io.ReadFull(c, make([]byte, 4))
		io.WriteString(c, "goodbye")
	}), nil)
	late := 0
	for range 100 {
		c := dial(t, "tcp", at)
		io.WriteString(c, "quit")
		began := time.Now()
		if got, err := io.ReadAll(c); string(got) != "goodbye" || err != nil {
			t.Fatalf("got %q, %v; want goodbye and the end", got, err)
		}
		if time.Since(began) > 900*time.Millisecond {
			late++
		}
		c.Close()
	}
	if late > 10 { // a busy machine is late by itself now and then
		t.Errorf("%d of 100 ends came late; want them with the last bytes, not once the session counts as quiet", late)
	}
}

func TestAnUpstreamThatResetsEndsTheSession(t *testing.T) {
	sb, at := relay(t, upstream(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		io.ReadFull(c, make([]byte, 4))
		io.WriteString(c, "part")
		c.(*net.TCPConn).SetLinger(0)
	}), nil)
	const clients = 20
	for range clients {
		c := dial(t, "tcp", at)
		io.WriteString(c, "quit")
		if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the client never got to know")
		}
		c.Close()
	}
	for _, sum := range sessions(t, sb, session.Recorded, clients) {
		if sum.Cause != session.Reset {
			t.Errorf("it ended as %q, %s; want reset", sum.Cause, sum.Detail)
		}
	}
}

func TestAKickPassesARelayThatIsStuckBothWays(t *testing.T) {
	stuck := make(chan struct{})
	sb, at := relay(t, upstream(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		go io.Copy(c, strings.NewReader(strings.Repeat("x", 64<<20))) // more than buffers hold; ends with c
		<-stuck
	}), nil)
	defer close(stuck)
	c := dial(t, "tcp", at)
	c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	if _, err := c.Write(noise(64 << 20)); err == nil {
		t.Fatal("the client could write 64 MiB that nobody reads")
	}
	live := sessions(t, sb, session.Live, 1)[0]
	if err := sb.Hub().Kick(t.Context(), live.ID, "tester", "stuck"); err != nil {
		t.Fatal(err)
	}
	if sum := sessions(t, sb, session.Recorded, 1)[0]; sum.Cause != session.Kicked || sum.Reason != "stuck" {
		t.Errorf("it ended as %q, %q; want kicked, stuck", sum.Cause, sum.Reason)
	}
}

func TestDatagramsAreRelayedOneByOne(t *testing.T) {
	up, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()
	go func() { // ends with up
		b := make([]byte, 1<<16)
		for {
			n, from, err := up.ReadFrom(b)
			if err != nil {
				return
			}
			up.WriteTo(append([]byte("re: "), b[:n]...), from)
		}
	}()
	sb, at := relay(t, "udp://"+up.LocalAddr().String(), func(c *switchboard.ListenerConfig) {
		c.Listen = "udp://127.0.0.1:0"
	})
	c := dial(t, "udp", at)
	for _, text := range []string{"a", "bb", strings.Repeat("c", 9000)} {
		io.WriteString(c, text)
		b := make([]byte, 1<<16)
		if n, err := c.Read(b); err != nil || string(b[:n]) != "re: "+text {
			t.Fatalf("got %.20q, %v; want the answer to %.20q by itself", b[:n], err, text)
		}
	}
	sum := sessions(t, sb, session.Live, 1)[0]
	if sum.ReceivedEvents != 3 || sum.SentEvents != 3 {
		t.Errorf("%d events received, %d sent; want 3 and 3", sum.ReceivedEvents, sum.SentEvents)
	}
}

// silentUpstream takes connections no further than the system's queue, which is full: whoever dials it waits.
func silentUpstream(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	loopback := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if err := errors.Join(unix.Bind(fd, loopback), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", at.(*unix.SockaddrInet4).Port)
	for range 100 {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			t.Fatal(err)
		}
		if info.Unacked > info.Sacked { // of a socket that listens: how many wait, and how many may before the queue is full
			return "tcp://" + addr
		}
		if c, err := net.DialTimeout("tcp", addr, 200*time.Millisecond); err == nil {
			t.Cleanup(func() { c.Close() })
		}
	}
	t.Fatal("the queue of " + addr + " does not fill")
	return ""
}

func TestAKickPassesADialThatGetsNoAnswer(t *testing.T) {
	sb, at := relay(t, silentUpstream(t), func(c *switchboard.ListenerConfig) { c.DialTimeout = "1h" })
	c := dial(t, "tcp", at)
	live := sessions(t, sb, session.Live, 1)[0]
	if err := sb.Hub().Kick(t.Context(), live.ID, "tester", "no answer"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); len(got) > 0 || err != nil {
		t.Errorf("the client got %q, %v; want the end of its connection", got, err)
	}
	if sum := sessions(t, sb, session.Recorded, 1)[0]; sum.Cause != session.Kicked {
		t.Errorf("it ended as %q; want kicked", sum.Cause)
	}
}

func TestAnUpstreamThatDoesNotAnswerInTimeIsUnreachable(t *testing.T) {
	sb, at := relay(t, silentUpstream(t), func(c *switchboard.ListenerConfig) { c.DialTimeout = "100ms" })
	c := dial(t, "tcp", at)
	if got, err := io.ReadAll(c); len(got) > 0 || err != nil {
		t.Errorf("the client got %q, %v; want the end of its connection", got, err)
	}
	if sum := sessions(t, sb, session.Recorded, 1)[0]; sum.Cause != session.Unreachable {
		t.Errorf("it ended as %q, %s; want unreachable", sum.Cause, sum.Detail)
	}
}
