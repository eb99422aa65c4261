package capture

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// someday is in 2023, µs.
const someday = 1_700_000_000_000_000

var pairs = Ends{netip.MustParseAddrPort("10.0.0.7:5000"), netip.MustParseAddrPort("10.0.0.1:9000")}

// spooling is a spool that lasts as long as the test.
func spooling(t testing.TB) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "spool"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// sorted reads a file that must be sound.
func sorted(t testing.TB, file []byte) *File {
	t.Helper()
	f, err := Read(bytes.NewReader(file), spooling(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// told is a conversation's events in short: who said what, who ended, and how many bytes are missing.
func told(t testing.TB, c *Conversation) string {
	t.Helper()
	var out strings.Builder
	last := int64(0)
	for events := c.Events(); ; {
		e, err := events.Next()
		if errors.Is(err, io.EOF) {
			return strings.TrimSpace(out.String())
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.Time < last {
			t.Errorf("a time falls from %d to %d", last, e.Time)
		}
		last = e.Time
		side := [2]string{"c", "s"}[e.From]
		switch e.Kind {
		case Said:
			fmt.Fprintf(&out, "%s:%s ", side, e.Data)
		case Ended:
			fmt.Fprintf(&out, "%s. ", side)
		case Lost:
			fmt.Fprintf(&out, "%s?%d ", side, e.Missing)
		}
	}
}

// saidOf is all that both sides said.
func saidOf(t testing.TB, c *Conversation) (said [2]string) {
	t.Helper()
	var sides [2]bytes.Buffer
	for events := c.Events(); ; {
		e, err := events.Next()
		if errors.Is(err, io.EOF) {
			return [2]string{sides[0].String(), sides[1].String()}
		}
		if err != nil {
			t.Fatal(err)
		}
		sides[e.From].Write(e.Data)
	}
}

// raw is a packet of a test: raw IP.
type raw struct {
	at   int64 // Unix ns
	data []byte
	wire int // if it is not that of the data
}

// packetsOf are the packets of a file.
func packetsOf(t testing.TB, file []byte) (list []raw) {
	t.Helper()
	r, err := newReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for {
		if err := r.next(); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, raw{at: r.packet.at, data: bytes.Clone(r.packet.data)})
	}
}

// pcap writes packets of any link as a pcap.
func pcap(order binary.AppendByteOrder, nanos bool, kind linkType, list []raw) []byte {
	magic, unit := uint32(magicMicros), int64(1000)
	if nanos {
		magic, unit = magicNanos, 1
	}
	b := order.AppendUint32(nil, magic)
	b = order.AppendUint16(order.AppendUint16(b, 2), 4)
	b = order.AppendUint64(b, 0)
	b = order.AppendUint32(order.AppendUint32(b, 262144), uint32(kind))
	for _, p := range list {
		b = order.AppendUint32(b, uint32(p.at/1e9))
		b = order.AppendUint32(b, uint32(p.at%1e9/unit))
		b = order.AppendUint32(b, uint32(len(p.data)))
		b = order.AppendUint32(b, uint32(max(len(p.data), p.wire)))
		b = append(b, p.data...)
	}
	return b
}

// block writes one of pcapng.
func block(order binary.AppendByteOrder, kind uint32, body []byte) []byte {
	body = pad(bytes.Clone(body))
	n := uint32(len(body) + 12)
	b := order.AppendUint32(order.AppendUint32(nil, kind), n)
	return order.AppendUint32(append(b, body...), n)
}

func section(order binary.AppendByteOrder) []byte {
	b := order.AppendUint32(nil, byteOrder)
	b = order.AppendUint16(order.AppendUint16(b, 1), 0)
	return block(order, blockSection, order.AppendUint64(b, ^uint64(0)))
}

// shark runs a program of Wireshark's.
func shark(t testing.TB, name string, args ...string) string {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, said.String())
	}
	return string(out)
}

var missed = regexp.MustCompile(`\[\d+ bytes missing in capture file\]\x00?`)

// followed is what Wireshark takes both sides of a connection to have said; the first is the one whose packet came first.
func followed(t testing.TB, path string, stream int) (sides [2]string) {
	t.Helper()
	text := shark(t, "tshark", "-n", "-r", path, "-q", "-z", fmt.Sprintf("follow,tcp,raw,%d", stream))
	for _, line := range strings.Split(text, "\n") {
		side := 0
		if strings.HasPrefix(line, "\t") {
			side = 1
		}
		if data, err := hex.DecodeString(strings.TrimSpace(line)); err == nil {
			sides[side] += missed.ReplaceAllString(string(data), "")
		}
	}
	return sides
}

// written writes a file for a program.
func written(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
