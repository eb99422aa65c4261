package main

import (
	"encoding/hex"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/capture"
)

func TestASessionGoesToWiresharkAndComesBack(t *testing.T) {
	tshark := tool(t, "tshark")
	s := open(t)
	id := s.spoken("one\r\n", "two\x00\xff\r\n")
	path := filepath.Join(t.TempDir(), "session.pcapng")
	s.do("export", id.Short(), "--format", "pcapng", "-o", path)
	out, err := exec.Command(tshark, "-n", "-r", path, "-q", "-z", "follow,tcp,raw,0").Output()
	client, server := "", ""
	for _, line := range strings.Split(string(out), "\n") {
		if data, err := hex.DecodeString(strings.TrimSpace(line)); err == nil && strings.HasPrefix(line, "\t") {
			server += string(data)
		} else if err == nil {
			client += string(data)
		}
	}
	if err != nil || client != "one\r\ntwo\x00\xff\r\n" || server != "Hello\none\r\ntwo\x00\xff\r\n" {
		t.Errorf("Wireshark sees %q and %q, %v", client, server, err)
	}
	back, rest, _ := strings.Cut(s.do("import", path), " ")
	sum, was := s.summary(back), s.summary(string(id))
	if !strings.HasPrefix(rest, "imported from "+path+": tcp, "+was.Remote+" to 127.0.0.1:") {
		t.Errorf("import says %q", rest)
	}
	if sum.Totals != was.Totals || sum.Start != was.Start || sum.End != was.End || sum.Remote != was.Remote || sum.Cause != was.Cause {
		t.Errorf("came back as %+v; want %+v", sum, was)
	}
	for _, direction := range []string{"received", "sent"} {
		if got, want := s.do("export", back, "--direction", direction), s.do("export", string(id), "--direction", direction); got != want {
			t.Errorf("%s: got %q; want %q", direction, got, want)
		}
	}
}

func TestDatagramsGoToWiresharkAndComeBack(t *testing.T) {
	s := open(t)
	c := s.dial("sensors", "")
	for _, data := range []string{"ping", "", strings.Repeat("x", 65_507)} {
		if _, err := c.Write([]byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	id := s.await(1)[0].ID
	for deadline := time.Now().Add(time.Minute); s.summary(string(id)).ReceivedEvents < 3; {
		if time.Now().After(deadline) {
			t.Fatal("not all datagrams were received")
		}
	}
	path := filepath.Join(t.TempDir(), "session.pcapng")
	s.do("export", string(id), "-f", "pcapng", "-o", path)
	back, _, _ := strings.Cut(s.do("import", path), " ")
	if sum := s.summary(back); sum.Transport != "udp" || sum.ReceivedEvents != 3 || sum.ReceivedBytes != 65_511 || sum.Remote != c.LocalAddr().String() {
		t.Errorf("came back as %+v", sum)
	}
}

func TestEachFileOfManyConversationsIsToldWithAllOfThem(t *testing.T) {
	s := open(t)
	path := filepath.Join(t.TempDir(), "plant.pcap")
	writeConversations(t, path, 16)
	out := s.do("import", path, "--port", "502", "--listener", "plant")
	if n := strings.Count(out, " imported from "+path+": tcp, 10.0.0.7:"); n != 16 {
		t.Errorf("got %d sessions:\n%s", n, out)
	}
	list := s.list("--listener", "plant")
	if len(list) != 16 || list[15].Local != "10.0.0.1:502" {
		t.Errorf("listed: %+v", list)
	}
	code, _, said := runOnce(t, s.with("import", file(t, "cut.pcap", "\xd4\xc3\xb2\xa1"))...)
	if code != exitFailed || !strings.Contains(said, "cut.pcap: ") || !strings.Contains(said, "the file ends within it") {
		t.Errorf("got exit code %d, %q", code, said)
	}
}

// writeDatagrams writes a capture of datagrams, each of which is answered with itself.
func writeDatagrams(t *testing.T, path string, list ...string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := capture.NewWriter(f, capture.About{})
	u := w.UDP(capture.Ends{netip.MustParseAddrPort("10.0.0.7:5000"), netip.MustParseAddrPort("10.0.0.1:9000")})
	for i, data := range list {
		u.Data(1_700_000_000_000_000+int64(i)*1000, capture.Client, []byte(data))
		u.Data(1_700_000_000_000_000+int64(i)*1000, capture.Server, []byte(data))
	}
	if err := w.Close(0); err != nil {
		t.Fatal(err)
	}
}

// writeConversations writes a capture of so many connections to a port 502, and as many to another.
func writeConversations(t *testing.T, path string, n int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := capture.NewWriter(f, capture.About{})
	for i := range 2 * n {
		port := uint16(502 + i%2)
		c := w.TCP(someday, capture.Ends{netip.AddrPortFrom(netip.MustParseAddr("10.0.0.7"), uint16(5000+i)), netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), port)}, [2]uint32{1, 1})
		c.Data(someday+1000, capture.Client, []byte("\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x0a"))
		c.End(someday+2000, capture.Client)
		c.End(someday+2000, capture.Server)
	}
	if err := w.Close(someday + 2000); err != nil {
		t.Fatal(err)
	}
}

const someday = 1_700_000_000_000_000 // Unix µs
