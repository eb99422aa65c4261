//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

// newListener is a crowd with a publisher and a receiver that has been welcomed, and no connections.
func newListener(speaks string, messages int) (*crowd, *client) {
	c := &crowd{origin: time.Now(), times: &benchkit.Times{}, lasts: &benchkit.Times{}, backs: &benchkit.Times{},
		dialect: dialects[speaks], active: 1}
	c.begin(messageSize)
	return c, c.expect(messages)
}

// expect has a receiver that has got nothing yet wait for so many messages.
func (c *crowd) expect(messages int) *client {
	c.clients = []client{{publisher: true}, {index: 1, state: present}}
	c.report, c.delivered, c.sent, c.whole, c.prefix, c.line = crowdReport{}, 0, 0, 0, 0, 0
	c.counting, c.timing = true, true
	for i := range messages {
		c.missing[i], c.sent = 1, c.sent+1
	}
	return &c.clients[1]
}

// serverFrame is an unmasked text frame.
func serverFrame(text string) string {
	return string(appendBareFrame(nil, len(text))) + text
}

func messageText(number uint32, at int64) string {
	m := []byte(strings.Repeat("f", messageSize))
	putMessage(m, number, at)
	return string(m)
}

// hearAll has the receiver take what comes in pieces, as a socket would give it.
func hearAll(c *crowd, cl *client, pieces ...string) error {
	for _, piece := range pieces {
		p := append(append([]byte(nil), cl.part...), piece...)
		used, err := c.take(cl, p)
		if err != nil {
			return err
		}
		cl.part = append(cl.part[:0], p[used:]...)
	}
	return nil
}

func TestMessagesAreCountedOnceWhereverReadsCutThem(t *testing.T) {
	const messages = 6
	packets := map[string]func(i int) string{
		"socketio": func(i int) string {
			return serverFrame(`42["message","` + messageText(uint32(i), 1<<40) + `"]`)
		},
		"socketio, with an offset": func(i int) string {
			return serverFrame(`42["message",{"text":"` + messageText(uint32(i), 1<<40) + `"},"abc.` + fmt.Sprint(i) + `"]`)
		},
		"centrifugo": func(i int) string {
			line := `{"push":{"channel":"room","pub":{"data":"` + messageText(uint32(i), 1<<40) + `","info":{"user":""}}}}`
			if i%3 > 0 {
				return "" // it is in the frame of the one before
			}
			next := strings.Replace(line, messageText(uint32(i), 1<<40), messageText(uint32(i+1), 1<<40), 1)
			last := strings.Replace(line, messageText(uint32(i), 1<<40), messageText(uint32(i+2), 1<<40), 1)
			return serverFrame(line + "\n" + next + "\n" + last)
		},
	}
	for name, packet := range packets {
		var stream string
		for i := range messages {
			stream += packet(i)
		}
		dialect, _, _ := strings.Cut(name, ",")
		c, _ := newListener(dialect, 0)
		c.place.Recovery = strings.Contains(name, "offset")
		for cut := range len(stream) {
			cl := c.expect(messages)
			if err := hearAll(c, cl, stream[:cut], stream[cut:]); err != nil {
				t.Fatalf("%s, cut at %d: %v", name, cut, err)
			}
			if c.delivered != messages || c.whole != messages || c.report.Counted != messages ||
				c.times.Count() != uint64(cut+1)*messages || len(cl.part) != 0 {
				t.Fatalf("%s, cut at %d: got %d deliveries, %d of them whole, %d counted, and %d bytes are left, with %d timed so "+
					"far; want %d of each, and none", name, cut, c.delivered, c.whole, c.report.Counted, len(cl.part), c.times.Count(),
					messages)
			}
			if got := string(cl.offset[:cl.offLen]); c.place.Recovery && got != "abc.5" {
				t.Fatalf("%s, cut at %d: the offset is %q; want that of the last message", name, cut, got)
			}
		}
	}
}

func TestAMessageThatIsMissingDoubledOrBrokenEndsTheRun(t *testing.T) {
	frame := func(number uint32) string { return serverFrame(`42["message","` + messageText(number, 5) + `"]`) }
	broken := []byte(frame(1))
	broken[len(broken)-4] ^= 1
	for name, second := range map[string]string{"missing": frame(2), "doubled": frame(0), "broken": string(broken)} {
		c, cl := newListener("socketio", 3)
		if err := hearAll(c, cl, frame(0), second); err == nil {
			t.Errorf("%s: the crowd took it", name)
		}
	}
}

func TestWhatIsLostAndDoubledIsCountedWhereTheRunGoesOn(t *testing.T) {
	frame := func(number uint32) string { return serverFrame(`42["message","` + messageText(number, 5) + `"]`) }
	c, cl := newListener("socketio", 6)
	c.tolerant = true
	if err := hearAll(c, cl, frame(0), frame(3), frame(3), frame(4)); err != nil {
		t.Fatal(err)
	}
	if c.report.Lost != 2 || c.report.Twice != 1 || c.delivered != 3 {
		t.Errorf("got %d lost, %d doubled, %d delivered; want 2, 1 and 3", c.report.Lost, c.report.Twice, c.delivered)
	}
}

func TestNumbersAndTimesSurviveAsLetters(t *testing.T) {
	for _, v := range []uint32{0, 1, 0x12345678, 0xdeadbeef, 1<<32 - 1} {
		if got := fromLetters(toLetters(v)); got != v {
			t.Errorf("got %#x, want %#x", got, v)
		}
	}
	c, cl := newListener("socketio", 1)
	at := c.now() - int64(40*time.Millisecond)
	if err := hearAll(c, cl, serverFrame(`42["message","`+messageText(0, at)+`"]`)); err != nil {
		t.Fatal(err)
	}
	if got := c.times.Max(); got < 40*time.Millisecond || got > 10*time.Second {
		t.Errorf("a message of 40 ms ago took %v", got)
	}
}

func BenchmarkTake(b *testing.B) {
	const joined = 64
	c, cl := newListener("socketio", 0)
	var stream []byte
	for i := range joined {
		stream = append(stream, serverFrame(`42["message","`+messageText(uint32(i), 5)+`"]`)...)
	}
	for b.Loop() {
		cl.next = 0
		if _, err := c.take(cl, stream); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*joined), "ns/delivery")
}
