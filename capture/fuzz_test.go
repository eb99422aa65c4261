package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// FuzzRead reads anything: nothing may break, and whatever is read must be in order and add up.
func FuzzRead(f *testing.F) {
	small := story(pairs, [2]uint32{1, 2}, func(c *TCP) {
		c.Data(someday, Client, []byte("ping"))
		c.Data(someday, Server, []byte("pong"))
		c.End(someday, Client)
	})
	f.Add(small)
	f.Add(pcap(binary.BigEndian, true, linkRaw, packetsOf(f, small)))
	spool, err := os.Create(filepath.Join(f.TempDir(), "spool"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Read(bytes.NewReader(data), spool, Options{})
		if err != nil {
			return
		}
		if len(file.Conversations) == 0 || file.Ignored > file.Packets {
			t.Fatalf("%d conversations, %d of %d packets ignored", len(file.Conversations), file.Ignored, file.Packets)
		}
		for _, c := range file.Conversations {
			missing, last := uint64(0), int64(0)
			for events := c.Events(); ; {
				e, err := events.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if e.Time < last || e.Time < c.Start/1000 || e.Time > c.End/1000 {
					t.Fatalf("an event at %d behind one at %d, in a conversation from %d to %d ns", e.Time, last, c.Start, c.End)
				}
				if e.Kind != Said && e.Kind != Ended && e.Kind != Lost || e.Kind == Said && c.Transport == "tcp" && len(e.Data) == 0 {
					t.Fatalf("an event of kind %d with %d bytes", e.Kind, len(e.Data))
				}
				last = e.Time
				missing += e.Missing
			}
			if missing != c.Missing {
				t.Fatalf("%d bytes are missing; the conversation says %d", missing, c.Missing)
			}
		}
	})
}

// FuzzSegments puts any segments in order: what is told is what one gets who keeps the first of each byte, from the lowest number on.
func FuzzSegments(f *testing.F) {
	f.Add([]byte{0, 3, 2, 4, 9, 1, 5, 4})
	f.Add([]byte{9, 9, 0, 9, 3, 3})
	f.Fuzz(func(t *testing.T, plan []byte) {
		const base = 0xffff_ffe0 // so that numbers go round
		way := pairs.from(Client)
		list := []raw{{data: way.appendTCP(nil, tcp{seq: base - 1, flags: flagSYN}, nil)}}
		have := map[int]bool{}
		text := func(from, n int) (b []byte) {
			for i := range n {
				b = append(b, byte(from+i)) // each place has its own byte, so that all copies agree
				have[from+i] = true
			}
			return b
		}
		for i := 0; i+1 < len(plan) && i < 200; i += 2 {
			from, n := int(plan[i]), int(plan[i+1]%40)
			list = append(list, raw{at: int64(i) * 1000, data: way.appendTCP(nil, tcp{seq: base + uint32(from), flags: flagACK}, text(from, n))})
		}
		if len(have) == 0 {
			return
		}
		var want []byte
		missing, last := uint64(0), 0
		for i := range 400 {
			if have[i] {
				want = append(want, byte(i))
				missing += uint64(i - last)
				last = i + 1
			}
		}
		file, err := Read(bytes.NewReader(pcap(binary.LittleEndian, false, linkRaw, list)), nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		c := file.Conversations[0]
		if got := saidOf(t, c)[0]; got != string(want) || c.Missing != missing {
			t.Fatalf("plan %v: got %x, %d missing; want %x, %d", plan, got, c.Missing, want, missing)
		}
	})
}
