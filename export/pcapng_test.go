package export_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/session"
)

// shark is a capture file, as Wireshark reads it.
type shark struct {
	t    testing.TB
	path string
}

func captured(t testing.TB, events []session.Event) shark {
	t.Helper()
	path := filepath.Join(t.TempDir(), "session.pcapng")
	if err := os.WriteFile(path, []byte(write(t, export.Pcapng, export.Both, events)), 0o600); err != nil {
		t.Fatal(err)
	}
	return shark{t, path}
}

// run runs tshark with all check sums checked.
func (s shark) run(args ...string) string {
	s.t.Helper()
	var said bytes.Buffer
	cmd := exec.Command("tshark", append([]string{"-n", "-r", s.path, "-o", "ip.check_checksum:TRUE", "-o",
		"tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"}, args...)...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("tshark %q: %v: %s", args, err, said.String())
	}
	return string(out)
}

// complaints are the packets of which Wireshark says that something is wrong.
func (s shark) complaints() string {
	s.t.Helper()
	plain := []string{"-d", "tcp.port==5000,data", "-d", "udp.port==5000,data"} // else it guesses at what the bytes are
	return s.run(append(plain, "-Y", `tcp.analysis.flags or ip.checksum.status != 1 or tcp.checksum.status != 1 or udp.checksum.status != 1 or _ws.malformed or _ws.expert.severity >= "Warning"`)...)
}

// followed is what both sides of the first connection said.
func (s shark) followed() (client, server string) {
	s.t.Helper()
	text := s.run("-q", "-z", "follow,tcp,raw,0")
	var sides [2]bytes.Buffer
	for _, line := range strings.Split(text, "\n") {
		side := 0
		if strings.HasPrefix(line, "\t") {
			side = 1
		}
		if data, err := hex.DecodeString(strings.TrimSpace(line)); err == nil {
			sides[side].Write(data)
		}
	}
	return sides[0].String(), sides[1].String()
}

// fields are the fields of each packet that matches.
func (s shark) fields(filter string, names ...string) []string {
	s.t.Helper()
	args := []string{"-Y", filter, "-T", "fields"}
	for _, name := range names {
		args = append(args, "-e", name)
	}
	out := strings.TrimSuffix(s.run(args...), "\n")
	if out == "" {
		return nil
	}
	return strings.Split(out, "\n")
}

var overTCP = session.Info{ID: "4tq9m2xk7bfd-n1", Listener: "line", Transport: "tcp", Local: "10.0.0.1:9000", Remote: "10.0.0.7:5000",
	Start: start}

func TestWiresharkSeesTheVeryBytesOfASessionAndNothingWrong(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	noise := make([]byte, 3<<20)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	for name, ends := range map[string][2]string{"IPv4": {"10.0.0.7:5000", "10.0.0.1:9000"}, "IPv6": {"[2001:db8::7]:5000", "[2001:db8:1::1]:9000"},
		"both": {"[fe80::7%eth0]:5000", "10.0.0.1:9000"}, "mapped": {"[::ffff:10.0.0.7]:5000", "10.0.0.1:9000"}} {
		t.Run(name, func(t *testing.T) {
			info := overTCP
			info.Remote, info.Local = ends[0], ends[1]
			parts := []any{session.Opened, info, session.Sent, "Hello\n"}
			client, server := "", "Hello\n"
			for rest := noise; len(rest) > 0; {
				n := min(1+random.IntN(90_000), len(rest))
				if part := rest[:n]; n%2 == 0 {
					parts, client = append(parts, session.Received, part), client+string(part)
				} else {
					parts, server = append(parts, session.Sent, part), server+string(part)
				}
				rest = rest[n:]
			}
			parts = append(parts, session.ReceivedEnd, nil, session.Sent, "after the end", session.Closed, session.End{Cause: session.HungUp})
			s := captured(t, story(parts...))
			gotClient, gotServer := s.followed()
			if gotClient != client || gotServer != server+"after the end" {
				t.Errorf("got %d and %d bytes; want the same %d and %d", len(gotClient), len(gotServer), len(client), len(server)+13)
			}
			if wrong := s.complaints(); wrong != "" {
				t.Errorf("Wireshark says:\n%s", wrong)
			}
		})
	}
}

func TestAddressesTimesAndCommentsAreThoseOfTheRecord(t *testing.T) {
	s := captured(t, story(session.Opened, overTCP, session.Named, "8601", session.Received, "a", session.Noted, "the pump stops", session.Sent, "b",
		session.Closed, session.End{Cause: session.Kicked, By: "ada", Reason: "maintenance"}))
	got := strings.Join(s.fields("tcp", "frame.time_epoch", "ip.src", "tcp.srcport", "ip.dst", "tcp.dstport", "tcp.flags.str", "tcp.len", "frame.comment"), "\n")
	client, server := "10.0.0.7\t5000\t10.0.0.1\t9000", "10.0.0.1\t9000\t10.0.0.7\t5000"
	line := func(ms int, way, flags string, n int, comment string) string {
		return fmt.Sprintf("1700000000.%03d000000\t%s\t%s\t%d\t%s", ms, way, flags, n, comment)
	}
	want := strings.Join([]string{
		line(0, client, "··········S·", 0, ""), line(0, server, "·······A··S·", 0, ""), line(0, client, "·······A····", 0, ""),
		line(2, client, "·······AP···", 1, "named 8601"), line(2, server, "·······A····", 0, ""),
		line(4, server, "·······AP···", 1, "the pump stops"), line(4, client, "·······A····", 0, ""),
		line(5, server, "·······A···F", 0, "ended: kicked by ada: maintenance"), line(5, client, "·······A····", 0, ""),
		line(5, client, "·······A···F", 0, ""), line(5, server, "·······A····", 0, ""),
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if text := s.run("-c", "1", "-V"); !strings.Contains(text, "Interface name: line") {
		t.Errorf("the interface is not named:\n%s", text)
	}
	about, err := exec.Command("capinfos", s.path).CombinedOutput()
	for _, want := range []string{"session 4tq9m2xk7bfd-n1 on line: tcp 10.0.0.7:5000, named 8601", "Capture application: Switchboard", "Number of packets:   11"} {
		if err != nil || !strings.Contains(string(about), want) {
			t.Errorf("capinfos: %v, want %q in\n%s", err, want, about)
		}
	}
}

func TestHowASessionEndedIsHowItsConnectionEnds(t *testing.T) {
	for cause, want := range map[session.Cause]string{session.HungUp: "client F, server F", session.Done: "server F, client F", session.Idle: "server F, client F",
		session.Reset: "client R", session.Slow: "server R", session.Interrupted: "", session.LostNode: ""} {
		s := captured(t, story(session.Opened, overTCP, session.Received, "a", session.Closed, session.End{Cause: cause}))
		var got []string
		for _, line := range s.fields("tcp.flags.fin == 1 or tcp.flags.reset == 1", "tcp.srcport", "tcp.flags.fin") {
			got = append(got, strings.NewReplacer("5000\t1", "client F", "9000\t1", "server F", "5000\t0", "client R", "9000\t0", "server R").Replace(line))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: got %q; want %q", cause, got, want)
		}
		if wrong := s.complaints(); wrong != "" && cause != session.Reset && cause != session.Slow { // a reset is itself worth a warning
			t.Errorf("%s: Wireshark says:\n%s", cause, wrong)
		}
	}
}

func TestWhatIsMissingOnRecordIsMissingInTheCapture(t *testing.T) {
	s := captured(t, story(session.Opened, overTCP, session.Received, "before", session.Sent, "x", session.Gap, session.Missing{Events: 3, Bytes: 40, Reason: "lagged"},
		session.Received, "after", session.Sent, "abcdef", session.Unsent, "2", session.Closed, session.End{Cause: session.Done}))
	got := s.fields("tcp.analysis.lost_segment", "tcp.payload", "frame.comment")
	if len(got) < 1 || !strings.Contains(got[0], hex.EncodeToString([]byte("after"))) || !strings.Contains(got[0], "3 events with 40 bytes are missing: lagged") {
		t.Errorf("lost segments: %q", got)
	}
	if got := s.fields("tcp.len > 0 and tcp.srcport == 9000", "tcp.payload"); len(got) != 2 || got[1] != hex.EncodeToString([]byte("abcd")) {
		t.Errorf("sent: %q; want what was never sent left out", got)
	}
}

func TestEachDatagramIsOneOfItsOwnHoweverSmallOrLarge(t *testing.T) {
	large := strings.Repeat("x", 65507)
	for _, ends := range [][2]string{{"10.0.0.7:5000", "0.0.0.0:9000"}, {"[2001:db8::7]:5000", "[::]:9000"}} {
		info := overTCP
		info.Transport, info.Remote, info.Local = "udp", ends[0], ends[1]
		s := captured(t, story(session.Opened, info, session.Received, "", session.Received, "ping", session.Sent, large, session.Sent, "",
			session.Closed, session.End{Cause: session.Idle}))
		if got := s.fields("udp", "udp.srcport", "udp.length"); strings.Join(got, " ") != "5000\t8 5000\t12 9000\t65515 9000\t8" {
			t.Errorf("%s: got %q", ends, got)
		}
		if wrong := s.complaints(); wrong != "" {
			t.Errorf("%s: Wireshark says:\n%s", ends, wrong)
		}
	}
}

func TestEndsWithoutAddressesAreGivenOnesOfDocumentation(t *testing.T) {
	info := overTCP
	info.Transport, info.Remote, info.Local = "unix", "pid 7 of uid 0", "/run/line.sock"
	s := captured(t, story(session.Opened, info, session.Received, "a", session.Closed, session.End{Cause: session.HungUp}))
	if got := s.fields("tcp.len == 1", "ip.src", "ip.dst", "tcp.dstport"); len(got) != 1 || got[0] != "192.0.2.2\t192.0.2.1\t49151" {
		t.Errorf("got %q", got)
	}
	about, err := exec.Command("capinfos", "-k", s.path).Output()
	if err != nil || !strings.Contains(string(about), "stands for the far end, which has no address of IP") {
		t.Errorf("capinfos: %v\n%s", err, about)
	}
}

func TestWiresharksDissectorsReadWhatDevicesSaid(t *testing.T) {
	info := overTCP
	info.Local = "10.0.0.1:502"
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	s := captured(t, story(session.Opened, info, session.Received, unhex("000100000006010300000002"), session.Sent, unhex("000100000007010304000a0014"),
		session.Received, unhex("0002000000060103"), session.Received, unhex("00000002"), session.Closed, session.End{Cause: session.HungUp}))
	got := s.fields("modbus", "mbtcp.trans_id", "modbus.func_code", "modbus.regval_uint16")
	if strings.Join(got, " ") != "1\t3\t 1\t3\t10,20 2\t3\t" {
		t.Errorf("modbus: got %q", got)
	}
	info.Local = "10.0.0.1:80"
	s = captured(t, story(session.Opened, info, session.Received, "GET /pump HTTP/1.1\r\nHost: x\r\n\r\n", session.Sent, "HTTP/1.1 204 No Content\r\n\r\n",
		session.Closed, session.End{Cause: session.Done}))
	if got := s.fields("http", "http.request.uri", "http.response.code"); strings.Join(got, " ") != "/pump\t \t204" {
		t.Errorf("http: got %q", got)
	}
}

func TestARoomsOwnRecordingIsNoConversation(t *testing.T) {
	closed := 0
	err := export.Write(&bytes.Buffer{}, export.Pcapng, export.Both, func() (export.Reader, error) {
		return &tape{events: roomStory(), ends: true, closed: &closed}, nil
	})
	if !errors.Is(err, export.ErrNoConversation) || closed != 1 {
		t.Errorf("got %v, %d closed", err, closed)
	}
}
