package capture

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

func TestCapturesWithTroubleAreReadAsWiresharkReadsThem(t *testing.T) {
	whole := packetsOf(t, story(pairs, [2]uint32{7, 0xffff_ff00}, func(c *TCP) {
		for i := range 40 {
			c.Data(someday+int64(i)*1000, Side(i%2), []byte(fmt.Sprintf("message %d of %d\n", i, 40)))
		}
		c.End(someday+300_000, Client)
		c.End(someday+300_000, Server)
	}))
	isSYN := func(p raw) bool { return p.data[33]&0x02 != 0 }
	again := whole[20]
	again.at += 300e9
	for name, list := range map[string][]raw{
		"as it was":              whole,
		"no handshake":           slices.DeleteFunc(slices.Clone(whole), isSYN),
		"said again much later":  append(slices.Clone(whole), again),
		"two segments exchanged": slices.Concat(whole[:11], whole[13:15], whole[11:13], whole[15:]),
		"a segment not captured": slices.Delete(slices.Clone(whole), 11, 12),
		"twice each":             twice(whole),
	} {
		for link, wrap := range map[linkType][]byte{linkRaw: nil, linkEthernet: []byte("\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x88\xa8\x00\x07\x81\x00\x00\x08\x08\x00")} { // a VLAN within a VLAN
			packets := slices.Clone(list)
			for i := range packets {
				packets[i].data = slices.Concat(wrap, packets[i].data)
			}
			path := written(t, "trouble.pcap", pcap(binary.LittleEndian, false, link, packets))
			c := read(t, path).Conversations
			if len(c) != 1 {
				t.Errorf("%s, link %d: got %d conversations; want 1", name, link, len(c))
				continue
			}
			got, want := saidOf(t, c[0]), followed(t, path, 0)
			if got != want && got != [2]string{want[1], want[0]} || want[0]+want[1] == "" {
				t.Errorf("%s, link %d: got %q; Wireshark has %q", name, link, got, want)
			}
			if missing := name == "a segment not captured"; missing != (c[0].Missing > 0) {
				t.Errorf("%s, link %d: %d bytes are missing", name, link, c[0].Missing)
			}
		}
	}
}

func twice(list []raw) (all []raw) {
	for _, p := range list {
		all = append(all, p, p)
	}
	return all
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
