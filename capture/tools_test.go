package capture

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// read reads a file of the disk.
func read(t *testing.T, path string) *File {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sorted(t, data)
}

func TestPublicCapturesAreReadAsWiresharkReadsThem(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.pcap*")
	if len(files) != 8 {
		t.Fatalf("testdata has %q", files)
	}
	for _, path := range files {
		var got, want []string
		for _, c := range read(t, path).Conversations {
			if c.Transport != "tcp" {
				continue
			}
			if said := saidOf(t, c); said[0]+said[1] != "" {
				got = append(got, fmt.Sprintf("%q", []string{min(said[0], said[1]), max(said[0], said[1])}))
			}
		}
		streams := strings.Fields(shark(t, "tshark", "-n", "-r", path, "-Y", "tcp", "-T", "fields", "-e", "tcp.stream"))
		last := -1
		for _, n := range streams {
			k, _ := strconv.Atoi(n)
			last = max(last, k)
		}
		for i := range last + 1 {
			if said := followed(t, path, i); said[0]+said[1] != "" {
				want = append(want, fmt.Sprintf("%q", []string{min(said[0], said[1]), max(said[0], said[1])}))
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %d conversations\n%.2000q\nWireshark has %d\n%.2000q", path, len(got), got, len(want), want)
		}
	}
}

func TestPublicCapturesHoldWhatTheyAreKnownFor(t *testing.T) {
	modbus := 0
	for _, c := range read(t, "testdata/modbusSmall.pcap").Conversations {
		if c.Server.Port() != 502 {
			continue
		}
		for _, said := range saidOf(t, c) {
			for len(said) >= 8 { // each message tells its length
				said = said[min(6+int(binary.BigEndian.Uint16([]byte(said[4:]))), len(said)):]
				modbus++
			}
		}
	}
	if modbus != 32 {
		t.Errorf("got %d messages of Modbus; want 32", modbus)
	}
	c := read(t, "testdata/fragmented-1.pcap").Conversations
	if len(c) != 1 || c[0].Transport != "udp" || len(saidOf(t, c[0])[0]) != 10 {
		t.Errorf("fragments of IPv4: %+v", c)
	}
	c = read(t, "testdata/ipv6-fragmented-dns.pcap").Conversations
	if len(c) != 2 || len(saidOf(t, c[1])[1]) != 3230 {
		t.Errorf("fragments of IPv6: %+v", c)
	}
	if c = read(t, "testdata/miss_end_data.pcap").Conversations; len(c) != 1 || c[0].Missing == 0 {
		t.Errorf("missing data: %+v", c[0])
	}
}

func TestWhatWiresharksProgramsWriteIsRead(t *testing.T) {
	var want [2]string
	ours := written(t, "ours.pcapng", story(pairs, [2]uint32{0xffff_fff0, 1}, func(c *TCP) {
		for i := range 100 {
			side, data := Side(i%2), fmt.Sprintf("message %d\n", i)
			c.Data(someday+int64(i)*1000, side, []byte(data))
			want[side] += data
		}
		c.End(someday+200_000, Client)
		c.End(someday+200_000, Server)
	}))
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	shark(t, "editcap", "-F", "pcap", ours, at("micros.pcap"))
	shark(t, "editcap", "-F", "nsecpcap", ours, at("nanos.pcap"))
	shark(t, "editcap", "-F", "pcapng", at("nanos.pcap"), at("nanos.pcapng"))
	shark(t, "editcap", "-T", "rawip4", "-F", "pcap", ours, at("raw4.pcap"))
	shark(t, "tshark", "-r", ours, "-w", at("tshark.pcapng"))
	shark(t, "mergecap", "-a", "-w", at("appended.pcapng"), "-I", "none", at("micros.pcap"), at("nanos.pcap")) // two interfaces, all twice
	shark(t, "editcap", "-r", ours, at("second.pcapng"), "100-300")
	shark(t, "editcap", ours, at("first.pcapng"), "100-300")
	shark(t, "mergecap", "-a", "-w", at("turned.pcapng"), at("second.pcapng"), at("first.pcapng")) // the middle before the rest
	shark(t, "reordercap", at("turned.pcapng"), at("ordered.pcapng"))
	for _, name := range []string{"micros.pcap", "nanos.pcap", "nanos.pcapng", "raw4.pcap", "tshark.pcapng", "appended.pcapng", "ordered.pcapng"} {
		c := read(t, at(name)).Conversations
		if len(c) == 0 || c[0].Client != pairs[Client] || c[0].Start != someday*1000 || c[0].Ending != ByClient || saidOf(t, c[0]) != want {
			t.Errorf("%s: got %d conversations, the first %+v", name, len(c), c[0])
		}
	}
	dump := "0.001 0000 68 65 6c 6c 6f\n0.002\n000000 77 6f 72 6c 64\n"
	path := written(t, "dump.txt", []byte(dump))
	for name, args := range map[string][]string{"tcp": {"-T", "5000,502"}, "udp": {"-u", "5000,502"}, "v6": {"-6", "2001:db8::7,2001:db8::1", "-u", "5000,502"}} {
		shark(t, "text2pcap", append(append([]string{"-q"}, args...), path, at(name+".pcapng"))...)
		c := read(t, at(name+".pcapng")).Conversations
		if said := saidOf(t, c[0]); len(c) != 1 || !strings.Contains(said[0], "hello") || c[0].Server.Port() != 502 {
			t.Errorf("%s: got %d, %q, server %v", name, len(c), said, c[0].Server)
		}
	}
}
