package hub_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
)

// program is a service that does what it is given, and then waits until the far end hangs up.
type program struct{ acts chan []act }

func (p program) Serve(_ context.Context, s *hub.Session) error {
	for acts := range p.acts {
		for _, a := range acts {
			if a.data == nil {
				s.Resize(a.size.Cols, a.size.Rows)
			} else if _, err := s.Write(a.data); err != nil {
				return err
			}
		}
	}
	_, err := io.Copy(io.Discard, s)
	return err
}

// run has a program served, and returns its session and the far end, which reads all that comes.
func (n *node) run(p program) (session.ID, net.Conn) {
	n.t.Helper()
	c := dial(n.t, n.listen(hub.ListenerConfig{Name: "program", Terminal: "80x24"}, p))
	c.SetDeadline(time.Time{})
	go io.Copy(io.Discard, c) // ends with the connection
	id := n.only(session.Live).ID
	select {
	case p.acts <- nil: // it is served: all that begins with a session has begun
	case <-time.After(time.Minute):
		n.t.Fatal("the program is not served")
	}
	return id, c
}

// settle waits until the session has all events that the acts make.
func (n *node) settle(id session.ID, events uint64) {
	n.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		sum, err := n.Find(context.Background(), string(id))
		if err != nil {
			n.t.Fatal(err)
		}
		if sum.Events >= events {
			return
		}
		if time.Now().After(deadline) {
			n.t.Fatalf("%d events; want %d", sum.Events, events)
		}
	}
}

func TestWhoJoinsLateSeesWhatOneSeesWhoWasThereFromTheStart(t *testing.T) {
	n := newNode(t)
	random := rand.New(rand.NewPCG(1, 2))
	acts := readActs(t, lateRounds, random)
	p := program{make(chan []act)}
	id, c := n.run(p)
	parts := slices.Collect(slices.Chunk(acts, len(acts)/4+1)) // of which the last waits to be kept
	numbers := numbersUpTo(uint64(len(acts))+1, lateJoins, random)
	events := uint64(1)
	for i, part := range parts {
		n.play(p, id, &events, part)
		if i < 3 {
			n.KeepScreens()
		}
	}
	close(p.acts)
	w := attend(n.all(id), numbers)
	n.compare("live", id, numbers, w)
	places, err := n.Screens(context.Background(), id)
	if err != nil || len(places) < 10*lateRounds {
		t.Fatalf("%d screens are kept, %v", len(places), err)
	}
	c.Close()
	sum := n.only(session.Recorded)
	if err := n.WaitIndexed(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	n.KeepScreens()
	n.RestScreens()
	file := n.screensFile(sum)
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
	n.compare("sealed", id, numbers, w)
	sealed, err := n.Screens(context.Background(), id)
	if err != nil || len(sealed) < len(places) || !slices.Equal(sealed[:len(places)], places) {
		t.Errorf("sealed, the kept screens are\n%v, %v; want\n%v, or more", sealed, err, places)
	}
	n.RestScreens()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	n.compare("without the file", id, numbers, w)
	if again, err := n.Screens(context.Background(), id); err != nil || !slices.Equal(again, sealed) {
		t.Errorf("made anew, the kept screens are\n%v, %v; want\n%v", again, err, sealed)
	}
}

// all is the events of a session that there are.
func (n *node) all(id session.ID) (list []session.Event) {
	n.t.Helper()
	e, err := n.Events(context.Background(), id, 1)
	if err != nil {
		n.t.Fatal(err)
	}
	defer e.Close()
	for {
		batch, err := e.TryNext()
		for _, ev := range batch {
			ev.Data = bytes.Clone(ev.Data)
			list = append(list, ev)
		}
		if len(batch) == 0 || err != nil {
			return list
		}
	}
}

// screensFile is where a session's screens are kept.
func (n *node) screensFile(sum session.Summary) string {
	return filepath.Join(n.dir, "recordings", time.UnixMicro(sum.Start).UTC().Format("2006/01/02/15"), string(sum.ID)+".screens")
}

// numbersUpTo are so many numbers of events at random, in order.
func numbersUpTo(events uint64, n int, random *rand.Rand) (list []uint64) {
	for range n {
		list = append(list, 1+random.Uint64N(events))
	}
	slices.Sort(list)
	return list
}

// play has a program do a part of what it does, and waits until that is on record.
func (n *node) play(p program, id session.ID, events *uint64, acts []act) {
	n.t.Helper()
	p.acts <- acts
	*events += uint64(len(acts))
	n.settle(id, *events)
}

func TestScreensComeBackAfterACrash(t *testing.T) {
	n := newNode(t)
	random := rand.New(rand.NewPCG(5, 6))
	acts := readActs(t, 1, random)
	p := program{make(chan []act)}
	id, _ := n.run(p)
	events := uint64(1)
	n.play(p, id, &events, acts[:len(acts)/3])
	n.KeepScreens()
	n.awaitDurable(id, events)
	n.RestScreens()
	n.play(p, id, &events, acts[len(acts)/3:2*len(acts)/3])
	n.KeepScreens()
	n.awaitDurable(id, events) // or the journal would be copied while it is written
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(n.dir)); err != nil {
		t.Fatal(err)
	}
	close(p.acts)
	after := newNodeIn(t, dir, hub.Retention{})
	sum := after.only(session.Recorded)
	if err := after.WaitIndexed(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	if size := after.store.ScreensSize(id, sum.Start); size == 0 {
		t.Error("no screens came through the crash")
	}
	numbers := numbersUpTo(sum.Events, 100, random)
	after.compare("after the crash", id, numbers, attend(after.all(id), numbers))
	before, err := after.Screens(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	after.RestScreens()
	os.Remove(after.screensFile(sum))
	if anew, err := after.Screens(context.Background(), id); err != nil || !slices.Equal(anew, before) {
		t.Errorf("made anew, the screens are\n%v, %v; want\n%v", anew, err, before)
	}
}

// awaitDurable waits until the events up to a number are on disk.
func (n *node) awaitDurable(id session.ID, number uint64) {
	n.t.Helper()
	n.Live(id).Flush()
	if err := n.Live(id).WaitDurable(context.Background(), number); err != nil {
		n.t.Fatal(err)
	}
}

func TestAnIdleTerminalIsLetGoAndComesBack(t *testing.T) {
	n := newNode(t)
	random := rand.New(rand.NewPCG(7, 8))
	acts := readActs(t, 1, random)
	p := program{make(chan []act)}
	id, c := n.run(p)
	events := uint64(1)
	if terminals, sessions := n.ScreenTerminals(); terminals != 0 || sessions != 1 {
		t.Errorf("before anything was sent: %d terminals of %d sessions; want none of one", terminals, sessions)
	}
	for part := range slices.Chunk(acts[:4000], 1000) {
		n.play(p, id, &events, part)
		n.KeepScreens()
		if terminals, _ := n.ScreenTerminals(); terminals != 1 {
			t.Errorf("while something is sent: %d terminals; want 1", terminals)
		}
		n.RestScreens()
		if terminals, sessions := n.ScreenTerminals(); terminals != 0 || sessions != 1 {
			t.Errorf("at rest: %d terminals of %d sessions; want none of one", terminals, sessions)
		}
	}
	if n.Live(id).Watchers() != 0 {
		t.Errorf("%d watchers; want none", n.Live(id).Watchers())
	}
	numbers := numbersUpTo(events, 100, random)
	n.compare("after rests", id, numbers, attend(n.all(id), numbers))
	close(p.acts)
	c.Close()
	n.only(session.Recorded)
	n.KeepScreens()
	if terminals, sessions := n.ScreenTerminals(); terminals != 0 || sessions != 0 {
		t.Errorf("after the end: %d terminals of %d sessions; want none", terminals, sessions)
	}
}

func TestWhatScreensTakeIsCountedAndGoesWithTheRecording(t *testing.T) {
	n := newNode(t)
	p := program{make(chan []act)}
	id, c := n.run(p)
	events := uint64(1)
	n.play(p, id, &events, readActs(t, 1, rand.New(rand.NewPCG(9, 9)))[:3000])
	close(p.acts)
	c.Close()
	sum := n.only(session.Recorded)
	ctx := context.Background()
	if err := n.WaitIndexed(ctx, id); err != nil {
		t.Fatal(err)
	}
	n.KeepScreens()
	screens, err := os.Stat(n.screensFile(sum))
	if err != nil {
		t.Fatal(err)
	}
	recording, err := os.Stat(strings.TrimSuffix(n.screensFile(sum), ".screens") + ".sbr")
	if err != nil {
		t.Fatal(err)
	}
	st, err := n.Stats(ctx)
	if want := recording.Size() + screens.Size(); err != nil || st.RecordedBytes != want || n.only(session.Recorded).Size != want {
		t.Errorf("%d bytes in all, %v; want %d", st.RecordedBytes, err, want)
	}
	if _, err := n.Screen(ctx, id, math.MaxUint64); err != nil {
		t.Fatal(err)
	}
	if err := n.Delete(ctx, id); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(n.screensFile(sum)); !os.IsNotExist(err) {
		t.Errorf("the screens are still there: %v", err)
	}
	if _, err := n.Screen(ctx, id, math.MaxUint64); err == nil {
		t.Error("a removed session has a screen")
	}
}

func TestManyAskWhileASessionGoesOnAndEnds(t *testing.T) {
	n := newNode(t)
	acts := readActs(t, 1, rand.New(rand.NewPCG(10, 10)))[:3000]
	p := program{make(chan []act)}
	id, c := n.run(p)
	var asking sync.WaitGroup
	ended := make(chan struct{})
	for i := range 8 {
		asking.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 0))
			for {
				var err error
				switch random.IntN(8) {
				case 0:
					_, err = n.Screens(context.Background(), id)
				case 1:
					_, _, err = n.Terminal(context.Background(), id, math.MaxUint64)
				case 2:
					n.KeepScreens()
				case 3:
					n.RestScreens()
				default:
					_, err = n.Screen(context.Background(), id, random.Uint64N(4000))
				}
				select {
				case <-ended: // and perhaps removed
					return
				default:
				}
				if err != nil {
					t.Errorf("asking: %v", err)
					return
				}
			}
		})
	}
	events := uint64(1)
	for part := range slices.Chunk(acts, 300) {
		n.play(p, id, &events, part)
	}
	close(p.acts)
	c.Close()
	n.only(session.Recorded)
	if err := n.WaitIndexed(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	close(ended)
	if err := n.Delete(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	asking.Wait()
	n.KeepScreens()
	if _, sessions := n.ScreenTerminals(); sessions != 0 {
		t.Errorf("something is known of %d sessions that are gone", sessions)
	}
	left, err := filepath.Glob(filepath.Join(n.dir, "recordings", "*", "*", "*", "*", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestAHostileTerminalCostsLittle(t *testing.T) {
	n := newNode(t)
	p := program{make(chan []act)}
	id, _ := n.run(p)
	events := uint64(1)
	acts := []act{{size: session.Size{Cols: 1000, Rows: 1000}}, {data: []byte("\x1b[2Jbefore\x1b]2;")}}
	for range 160 { // 10 MiB of a title that does not end
		acts = append(acts, act{data: bytes.Repeat([]byte("t"), 64<<10)})
	}
	n.play(p, id, &events, acts)
	n.KeepScreens()
	s, err := n.Screen(context.Background(), id, math.MaxUint64)
	if err != nil || s.Number != events || s.Size != (session.Size{Cols: 500, Rows: 131}) || len(s.Data) > 65<<10 {
		t.Errorf("in a title: behind %d of %d, %v, %d bytes, %v", s.Number, events, s.Size, len(s.Data), err)
	}
	acts = []act{{data: []byte("\aafter")}}
	for i := range 2000 {
		acts = append(acts, act{size: session.Size{Cols: 60 + i%2, Rows: 20 + i%3}})
	}
	n.play(p, id, &events, acts)
	n.KeepScreens()
	places, err := n.Screens(context.Background(), id)
	if err != nil || len(places) > 400 {
		t.Errorf("%d screens are kept, %v; want few", len(places), err)
	}
	close(p.acts)
}

func TestScreensAreNotMadeOfWhatIsNotRecorded(t *testing.T) {
	n := newNode(t)
	p := program{make(chan []act)}
	dial(t, n.listen(hub.ListenerConfig{Name: "program", Terminal: "80x24", Record: session.RecordOff}, p))
	id := n.only(session.Live).ID
	for range 2 {
		if _, err := n.Screen(context.Background(), id, 1); !errors.Is(err, hub.ErrNoScreen) {
			t.Errorf("got %v; want ErrNoScreen", err)
		}
	}
	if _, sessions := n.ScreenTerminals(); sessions != 0 {
		t.Errorf("%d sessions are looked after", sessions)
	}
	close(p.acts)
}

func TestASessionThatIsNoTerminalHasAScreenOnceSomebodyAsks(t *testing.T) {
	n := newNode(t)
	p := program{make(chan []act)}
	dial(t, n.listen(hub.ListenerConfig{Name: "program"}, p))
	id := n.only(session.Live).ID
	events := uint64(1)
	n.play(p, id, &events, []act{{data: []byte("hello")}})
	n.KeepScreens()
	if _, sessions := n.ScreenTerminals(); sessions != 0 {
		t.Errorf("%d sessions are looked after before anybody asks", sessions)
	}
	term, s, err := n.Terminal(context.Background(), id, math.MaxUint64)
	if err != nil || s.Number != 2 || s.Size != session.DefaultSize || string(term.AppendRow(nil, 0)) != "hello" {
		t.Fatalf("%+v, %v: %q", s, err, term.AppendRow(nil, 0))
	}
	if _, sessions := n.ScreenTerminals(); sessions != 1 {
		t.Errorf("%d sessions are looked after; want 1", sessions)
	}
	close(p.acts)
}

func TestATerminalThatIsResizedAllTheTimeTakesNobodyElsesTurn(t *testing.T) {
	n := newNode(t)
	p := program{make(chan []act)}
	id, _ := n.run(p)
	acts := make([]act, 20_000)
	for i := range acts {
		acts[i].size = session.Size{Cols: 499 + i%2, Rows: 131}
	}
	events := uint64(1)
	n.play(p, id, &events, acts)
	n.KeepScreens()
	behind := n.ScreensBehind(id)
	if behind == 0 || behind > 19_900 {
		t.Errorf("%d events are left for the next turn; want some, and fewer than there are", behind)
	}
	for turns := 1; behind > 0; turns++ {
		if turns == 100 {
			t.Fatalf("%d events are left after %d turns", behind, turns)
		}
		n.KeepScreens()
		behind = n.ScreensBehind(id)
	}
	close(p.acts)
}
