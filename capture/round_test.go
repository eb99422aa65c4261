package capture

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// story writes a conversation of TCP.
func story(ends Ends, first [2]uint32, tell func(c *TCP)) []byte {
	var out bytes.Buffer
	w := NewWriter(&out, About{Program: "test"})
	tell(w.TCP(someday, ends, first))
	w.Close(someday)
	return out.Bytes()
}

func TestWhatIsWrittenComesBackWithItsTimesAndItsEnd(t *testing.T) {
	for _, c := range []struct {
		end    func(c *TCP)
		want   string
		ending Ending
	}{
		{func(c *TCP) { c.End(someday+9000, Client); c.End(someday+9000, Server) }, " c. s.", ByClient},
		{func(c *TCP) { c.End(someday+9000, Server); c.End(someday+9000, Client) }, " s. c.", ByServer},
		{func(c *TCP) { c.End(someday+8000, Client); c.Data(someday+9000, Server, []byte("late")) }, " c. s:late", HalfEnded},
		{func(c *TCP) { c.Reset(someday+9000, Server) }, "", Broken},
		{func(c *TCP) { c.Data(someday+9000, Client, []byte("z")) }, " c:z", Unended},
	} {
		file := sorted(t, story(pairs, [2]uint32{}, func(tcp *TCP) {
			tcp.Data(someday+1000, Server, []byte("hello"))
			tcp.Data(someday+1000, Client, []byte("a"))
			tcp.Data(someday+1000, Client, []byte("b"))
			tcp.Data(someday+2000, Server, []byte("ok"))
			c.end(tcp)
		}))
		if len(file.Conversations) != 1 || file.Ignored != 0 {
			t.Fatalf("%d conversations, %d packets ignored", len(file.Conversations), file.Ignored)
		}
		got := file.Conversations[0]
		if text := told(t, got); text != "s:hello c:a c:b s:ok"+c.want || got.Ending != c.ending {
			t.Errorf("got %q, ending %d; want %q behind, %d", text, got.Ending, c.want, c.ending)
		}
		if got.Client != pairs[Client] || got.Server != pairs[Server] || got.Transport != "tcp" || got.Start != someday*1000 || got.End != (someday+9000)*1000 {
			t.Errorf("got %+v", got)
		}
	}
}

func TestNumbersGoRoundAndNothingIsLost(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, ends := range []Ends{pairs, {netip.MustParseAddrPort("[2001:db8::7]:5000"), netip.MustParseAddrPort("[2001:db8::1]:9000")}} {
		var want [2]string
		file := sorted(t, story(ends, [2]uint32{0xffff_fff0, 0xffff_0000}, func(c *TCP) {
			for range 300 {
				data := make([]byte, random.IntN(100_000))
				for i := range data {
					data[i] = byte(random.Uint32())
				}
				side := Side(random.IntN(2))
				c.Data(someday, side, data)
				want[side] += string(data)
			}
		}))
		if len(want[0]) < 1<<20 || len(want[1]) < 1<<20 {
			t.Fatalf("only %d and %d bytes were said", len(want[0]), len(want[1]))
		}
		if got := saidOf(t, file.Conversations[0]); got != want || file.Conversations[0].Missing != 0 {
			t.Errorf("%v: got %d and %d bytes, %d missing; want %d and %d", ends, len(got[0]), len(got[1]), file.Conversations[0].Missing, len(want[0]), len(want[1]))
		}
	}
}

func TestPacketsThatChangedPlacesAndCameTwiceArePutInOrder(t *testing.T) {
	var want [2]string
	whole := packetsOf(t, story(pairs, [2]uint32{7, 0xffff_ff00}, func(c *TCP) {
		for i := range 200 {
			side, data := Side(i%2), strings.Repeat(string(rune('a'+i%26)), 1+i)
			c.Data(someday+int64(i)*1000, side, []byte(data))
			want[side] += data
		}
		c.End(someday+300_000, Client)
		c.End(someday+300_000, Server)
	}))
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		list := append([]raw(nil), whole...)
		for i := range list { // each goes up to 20 places away
			j := min(i+random.IntN(20), len(list)-1)
			list[i], list[j] = list[j], list[i]
		}
		for range 100 {
			i := random.IntN(len(list))
			at := min(i+random.IntN(30), len(list))
			list = append(list[:at], append([]raw{list[i]}, list[at:]...)...)
		}
		c := sorted(t, pcap(binary.LittleEndian, true, linkRaw, list)).Conversations
		if len(c) != 1 || c[0].Client != pairs[Client] || c[0].Missing != 0 || c[0].Ending == Unended {
			t.Fatalf("seed %d: got %d conversations, the first %+v", seed, len(c), c[0])
		}
		if got := saidOf(t, c[0]); got != want {
			t.Errorf("seed %d: what came back is not what was said", seed)
		}
	}
}

func TestOverlapsAreToldOnce(t *testing.T) {
	way := pairs.from(Client)
	at := int64(someday * 1000)
	segment := func(seq uint32, data string) raw {
		at += 1000
		return raw{at: at, data: way.appendTCP(nil, tcp{seq: seq, flags: flagACK}, []byte(data))}
	}
	syn := raw{at: at, data: way.appendTCP(nil, tcp{seq: 99, flags: flagSYN}, nil)}
	for _, list := range [][]raw{
		{syn, segment(100, "abc"), segment(101, "bcdef"), segment(100, "abcdefgh"), segment(108, "ij")},
		{syn, segment(104, "efgh"), segment(102, "cdefg"), segment(106, "ghij"), segment(100, "abcd")},
		{syn, segment(103, "d"), segment(103, "defghij"), segment(103, "d"), segment(100, "abc")},
		{segment(105, "fgh"), segment(108, "ij"), segment(100, "abcde"), syn},
	} {
		c := sorted(t, pcap(binary.BigEndian, false, linkRaw, list)).Conversations
		if said := saidOf(t, c[0]); len(c) != 1 || said[0] != "abcdefghij" || c[0].Missing != 0 {
			t.Errorf("got %q, %d missing", said, c[0].Missing)
		}
	}
}

func TestWhatWasNotCapturedIsAGap(t *testing.T) {
	file := story(pairs, [2]uint32{}, func(c *TCP) {
		c.Data(someday, Client, []byte("before"))
		c.Missing(Client, 1234)
		c.Data(someday+5, Server, []byte("x"))
		c.Data(someday+10, Client, []byte("after"))
		c.End(someday+10, Client)
	})
	c := sorted(t, file).Conversations[0]
	if got := told(t, c); got != "c:before s:x c?1234 c:after c." || c.Missing != 1234 {
		t.Errorf("got %q, %d missing", got, c.Missing)
	}
	list := packetsOf(t, story(pairs, [2]uint32{}, func(c *TCP) {
		c.Data(someday, Client, []byte(strings.Repeat("a", 100)))
		c.Data(someday+1, Client, []byte("b"))
	}))
	for i := range list { // kept in part, as by snaplen
		if p := &list[i]; len(p.data) > 60 {
			p.wire, p.data = len(p.data), p.data[:60]
		}
	}
	c = sorted(t, pcap(binary.LittleEndian, false, linkRaw, list)).Conversations[0]
	if got := told(t, c); got != "c:"+strings.Repeat("a", 20)+" c?80 c:b" {
		t.Errorf("cut packets: got %q", got)
	}
}

func TestNothingIsLostBehindAGapThatIsTooLargeToWrite(t *testing.T) {
	c := sorted(t, story(pairs, [2]uint32{}, func(c *TCP) {
		c.Data(someday, Client, []byte("before"))
		c.Missing(Client, 2_147_483_216) // as a damaged number leaves it
		c.Data(someday, Client, []byte("behind"))
		c.Missing(Client, 1<<20)
		c.Data(someday, Client, []byte("and all else"))
	})).Conversations[0]
	if got := told(t, c); got != "c:before c?536870912 c:behind c?1048576 c:and all else" {
		t.Errorf("got %q", got)
	}
}

func TestWhatWaitsTooLongIsGivenUp(t *testing.T) {
	data := bytes.Repeat([]byte("x"), 60_000)
	c := sorted(t, story(pairs, [2]uint32{}, func(c *TCP) {
		c.Missing(Client, 10)
		for range 40 {
			c.Data(someday, Client, data)
		}
	})).Conversations[0]
	if said := saidOf(t, c); len(said[0]) != 40*len(data) || c.Missing != 10 {
		t.Errorf("got %d bytes, %d missing", len(said[0]), c.Missing)
	}
}

func TestAConnectionThatBeganBeforeTheCaptureHasItsServerAtTheLowerPort(t *testing.T) {
	list := packetsOf(t, story(pairs, [2]uint32{}, func(c *TCP) {
		c.Data(someday, Server, []byte("push"))
		c.Data(someday, Client, []byte("ok"))
	}))
	turned := Ends{netip.MustParseAddrPort("10.0.0.1:9000"), netip.MustParseAddrPort("10.0.0.7:5000")} // 5000 is lower: it is the server
	c := sorted(t, pcap(binary.LittleEndian, false, linkRaw, list[3:])).Conversations[0]
	if c.Client != turned[Client] || told(t, c) != "c:push s:ok" {
		t.Errorf("got client %v, %q", c.Client, told(t, c))
	}
	c = sorted(t, pcap(binary.LittleEndian, false, linkRaw, list[1:])).Conversations[0] // the answer to the SYN says it
	if c.Client != pairs[Client] || told(t, c) != "s:push c:ok" {
		t.Errorf("got client %v, %q", c.Client, told(t, c))
	}
}

func TestAPortThatIsUsedAgainIsAnotherConnection(t *testing.T) {
	var list []raw
	for i, end := range []func(c *TCP){
		func(c *TCP) { c.End(someday, Client); c.End(someday, Server) }, func(c *TCP) { c.Reset(someday, Client) }, func(c *TCP) {}, func(c *TCP) {}} {
		list = append(list, packetsOf(t, story(pairs, [2]uint32{uint32(i) << 24, uint32(i) << 25}, func(c *TCP) {
			c.Data(someday, Client, []byte{'a' + byte(i)})
			end(c)
		}))...)
	}
	var got []string
	for _, c := range sorted(t, pcap(binary.LittleEndian, false, linkRaw, list)).Conversations {
		got = append(got, told(t, c))
	}
	if strings.Join(got, ", ") != "c:a c. s., c:b, c:c, c:d" {
		t.Errorf("got %q", got)
	}
}

func TestDatagramsAreKeptApart(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, About{Names: map[netip.Addr]string{pairs[Client].Addr(): "8601"}})
	u := w.UDP(pairs)
	large := strings.Repeat("x", 65_507)
	for i, data := range []string{"", "ping", large, "", "pong"} {
		u.Data(someday+int64(i), Side(i%2), []byte(data))
	}
	if err := w.Close(someday); err != nil {
		t.Fatal(err)
	}
	c := sorted(t, out.Bytes()).Conversations
	if got := told(t, c[0]); len(c) != 1 || got != "c: s:ping c:"+large+" s: c:pong" {
		t.Errorf("got %d, %.100q", len(c), got)
	}
	if c[0].Transport != "udp" || c[0].Name != "8601" || c[0].Client != pairs[Client] || c[0].End-c[0].Start != 4000 {
		t.Errorf("got %+v", c[0])
	}
}

func TestOnlyTheConversationsOfAPortAreRead(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, About{})
	for port := uint16(1); port < 20; port++ {
		w.UDP(Ends{pairs[Client], netip.AddrPortFrom(pairs[Server].Addr(), port)}).Data(someday, Client, []byte("x"))
	}
	w.Close(someday)
	f, err := Read(bytes.NewReader(out.Bytes()), nil, Options{Port: 7})
	if err != nil || len(f.Conversations) != 1 || f.Conversations[0].Server.Port() != 7 || f.Packets != 19 || f.Ignored != 18 {
		t.Errorf("got %+v, %v", f, err)
	}
	if _, err := Read(bytes.NewReader(out.Bytes()), nil, Options{Port: 99}); err == nil || !strings.Contains(err.Error(), "at port 99") {
		t.Errorf("a port that is not there: %v", err)
	}
}
