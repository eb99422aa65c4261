package source_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/service/source"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// beside is a session of the same source, of which nobody may notice anything.
type beside struct {
	h    *house
	s    *opening
	line *line
}

func (h *house) beside() *beside {
	h.t.Helper()
	o := h.open(context.Background(), "ssh:good")
	l := h.origin.next(false, "good")
	l.show("good")
	o.opened()
	return &beside{h, o, l}
}

// goesOn checks that it is shown what comes, and ends by itself.
func (b *beside) goesOn() {
	b.h.t.Helper()
	b.line.show("as ever")
	b.h.watch(b.s.opened(), "as ever").Close()
	b.line.say([]byte{'5'})
	if end := ended(b.h.t, b.s.session); end.Cause != session.Done || end.Code != 5 {
		b.h.t.Errorf("the session beside it ended as %+v", end)
	}
	b.s.release()
}

// shown opens a session, of which the source shows something.
func (h *house) shown(id string) (*opening, *line) {
	h.t.Helper()
	o := h.open(context.Background(), "ssh:"+id)
	l := h.origin.next(false, id)
	l.show("hello")
	o.opened()
	h.t.Cleanup(o.release)
	return o, l
}

func TestWhatASourceMayNotSendEndsThatSessionAlone(t *testing.T) {
	h := newHouse(t, nil)
	good := h.beside()
	for _, c := range []struct{ bytes, detail string }{
		{"?", "no type of a frame"},
		{"\x00\x00\x00\x00\x00", "no type of a frame"},
		{"4", "no type of a frame"},
		{"D\x00\x00\x00\x01x", "no type of a frame"},
		{"GET / HTTP/1.1\r\n\r\n", "no type of a frame"},
		{"d\x01\x00\x00\x01", "at most 16777216"},
		{"d\xff\xff\xff\xff", "at most 16777216"},
		{"i\x80\x00\x00\x00", "at most 16777216"},
		{"v\x00\x00\x00\x0a1000x1000x", "a view's size of 10 bytes"},
		{"v\xff\xff\xff\xff", "at most 16777216"},
		{"v\x00\x00\x00\x000", "no view's size"},
		{"v\x00\x00\x00\x030x0", "no view's size"},
		{"v\x00\x00\x00\x0680,24\n", "no view's size"},
		{"v\x00\x00\x00\x0780x1001", "no view's size"},
		{"v\x00\x00\x00\x05-1x24", "no view's size"},
		{"d\x00\x00\x00\x01xx", "no type of a frame"},
	} {
		o, l := h.shown("bad")
		l.Write([]byte(c.bytes))
		end := ended(t, o.session)
		empty := c.bytes == "v\x00\x00\x00\x000" // a frame of nothing, then what is none
		if end.Cause != session.Failed || end.Code != 5 || !strings.Contains(end.Detail, c.detail) && !empty ||
			!strings.HasSuffix(end.Detail, "(code 5)") {
			t.Errorf("%q: got %+v, want %q", c.bytes, end, c.detail)
		}
		l.closed()
	}
	good.goesOn()
}

func TestASourceThatSendsWithoutEndIsReadNoFasterThanItIsRecorded(t *testing.T) {
	h := newHouse(t, nil)
	good := h.beside()
	o, l := h.shown("flood")
	stuck := h.watch(o.session, "hello") // and reads no more
	defer stuck.Close()
	const frames, keys = 3, 1 << 20
	burst := threeend.AppendFrame(nil, threeend.Display, bytes.Repeat([]byte("flood!!!"), threeend.MaxPayload/8))
	burst = threeend.AppendFrame(burst, threeend.Input, make([]byte, keys))
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	sent := make(chan error, 1)
	go func() {
		l.SetWriteDeadline(time.Now().Add(5 * patience))
		for range frames {
			if _, err := l.Write(burst); err != nil {
				sent <- err
				return
			}
		}
		_, err := l.Write([]byte{'3'})
		sent <- err
	}()
	most := uint64(0)
	for over := false; !over; {
		select {
		case <-o.session.Context().Done():
			over = true
		case <-time.After(20 * time.Millisecond):
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		case <-time.After(5 * patience):
			t.Fatal("the flood does not end")
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	t.Logf("the heap grew from %d to %d MiB at most", before.HeapAlloc>>20, most>>20)
	if most > before.HeapAlloc+64<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before.HeapAlloc, most)
	}
	end, sum := o.session.Ended(), o.session.Summary()
	if end.Cause != session.Kicked || end.Code != 3 {
		t.Errorf("got %+v", end)
	}
	if want := uint64(len("hello") + frames*threeend.MaxPayload); sum.SentBytes != want {
		t.Errorf("%d bytes that were shown are on record, want %d", sum.SentBytes, want)
	}
	if sum.ReceivedBytes != frames*keys {
		t.Errorf("%d typed bytes are on record, want %d", sum.ReceivedBytes, frames*keys)
	}
	good.goesOn()
}

func TestAFloodOfFramesWithoutPayloadLeavesNothing(t *testing.T) {
	h := newHouse(t, nil)
	o, l := h.shown("empty")
	empty := bytes.Repeat(append(threeend.AppendFrame(nil, threeend.Display, nil), threeend.AppendFrame(nil, threeend.Input, nil)...), 10_000)
	for range 20 {
		l.say(empty)
	}
	l.say([]byte{'5'})
	if end := ended(t, o.session); end.Code != 5 || end.Cause != session.Done {
		t.Errorf("got %+v", end)
	}
	if events := h.record(o.session.ID()); len(events) > 5 {
		t.Errorf("%d events are on record", len(events))
	}
}

func TestASourceThatDribblesIsHeardOrGivenUp(t *testing.T) {
	h := newHouse(t, func(c *source.Config) { c.AnswerTimeout = time.Second })
	o := h.open(context.Background(), "ssh:slow")
	l := h.origin.next(false, "slow")
	l.Write([]byte{'d', 0, 0}) // the beginning of an answer is none
	o.wait()
	var over *threeend.OverError
	if !errors.As(o.err, &over) || over.Asked || over.Answer.Code != 5 || !strings.Contains(o.err.Error(), "did not answer within 1s") {
		t.Errorf("got %v", o.err)
	}
	l.closed()

	h.conf.AnswerTimeout = patience
	h.configure(h.conf)
	o, l = h.shown("drip")
	text := "中文, a byte at a time"
	l.SetNoDelay(true)
	for _, b := range append(threeend.AppendView(nil, 132, 43), threeend.AppendFrame(nil, threeend.Display, []byte(text))...) {
		l.say([]byte{b})
		time.Sleep(time.Millisecond) // so that they are not read together
	}
	l.say([]byte{'5'})
	ended(t, o.session)
	var shown, sizes strings.Builder
	for _, e := range h.record(o.session.ID()) {
		switch e.Kind {
		case session.Sent:
			shown.Write(e.Data)
		case session.Resized:
			sizes.Write(e.Data)
		}
	}
	if shown.String() != "hello"+text || sizes.String() != "132x43" {
		t.Errorf("got %q, and the sizes %q", shown.String(), sizes.String())
	}
}

func TestWhatComesBehindAControlIsNotHeard(t *testing.T) {
	h := newHouse(t, nil)
	o, l := h.shown("after")
	l.say(append([]byte{'3'}, threeend.AppendFrame(nil, threeend.Display, []byte("more"))...))
	if end := ended(t, o.session); end.Code != 3 {
		t.Errorf("got %+v", end)
	}
	for range 1000 { // until the relay's close is felt
		if _, err := l.Write(make([]byte, 64<<10)); err != nil {
			break
		}
	}
	for _, e := range h.record(o.session.ID()) {
		if bytes.Contains(e.Data, []byte("more")) {
			t.Errorf("it is on record: %+v", e)
		}
	}
}

// misbehave is what a source may do to a session, chosen by chance.
func misbehave(l *line, chance *rand.Rand) {
	defer l.Close()
	l.SetDeadline(time.Now().Add(patience))
	if l.kick {
		l.Write([][]byte{{'3'}, {'5'}, {'?'}, nil}[chance.IntN(4)])
		return
	}
	frame := threeend.AppendFrame(threeend.AppendView(nil, 1+chance.IntN(1000), 1+chance.IntN(1000)), threeend.Display, make([]byte, chance.IntN(100_000)))
	for range chance.IntN(5) {
		l.Write(frame)
	}
	switch chance.IntN(8) {
	case 0:
		l.Write([]byte{'3'})
	case 1:
		l.Write([]byte{'5'})
	case 2:
		l.Write([]byte{0xff})
	case 3:
		l.Write([]byte{'d', 0xff, 0xff, 0xff, 0xff})
	case 4:
		l.Write(frame[:chance.IntN(len(frame))])
	case 5:
		l.cut()
	case 6:
		var b [1]byte
		l.Read(b[:]) // silent until the relay has gone
	}
}

func TestNothingStaysBehindSourcesThatMisbehave(t *testing.T) {
	h := newHouse(t, func(c *source.Config) { c.AnswerTimeout = 500 * time.Millisecond })
	var acting sync.WaitGroup
	acting.Go(func() {
		for n := uint64(0); ; n++ {
			select {
			case l := <-h.origin.asked:
				chance := rand.New(rand.NewPCG(6, n))
				acting.Go(func() { misbehave(l, chance) })
			case <-t.Context().Done():
				return
			}
		}
	})
	var crowd sync.WaitGroup
	var mu sync.Mutex
	ids := map[session.ID]bool{}
	round := func(n int) {
		for who := range 8 {
			crowd.Go(func() {
				chance := rand.New(rand.NewPCG(66, uint64(who)))
				for range n {
					r := ref("ssh:" + string(rune('a'+chance.IntN(12))))
					s, release, err := h.sources.Open(t.Context(), r, "ada")
					if err == nil {
						mu.Lock()
						ids[s.ID()] = true
						mu.Unlock()
					}
					if chance.IntN(6) == 0 {
						h.sources.Kick(t.Context(), r, "ada", "")
					}
					if err == nil {
						release()
					}
				}
			})
		}
		crowd.Wait()
		until(t, "nothing is held", func() bool { return h.sources.Held() == 0 })
	}
	round(5)
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	round(25)
	until(t, "goroutines and descriptors are as before", func() bool {
		return runtime.NumGoroutine() <= goroutines+8 && descriptors(t) <= files+8
	})
	if len(ids) < 20 {
		t.Errorf("only %d sessions were opened", len(ids))
	}
	for id := range ids {
		events := h.record(id)
		last := events[len(events)-1]
		if last.Kind != session.Closed || !bytes.Contains(last.Data, []byte(`"code":`)) {
			t.Errorf("session %s ends with %s %s", id, last.Kind, last.Data)
		}
	}
}
