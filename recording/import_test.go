package recording

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// elsewhere is a session that began at a time.
func elsewhere(start int64) session.Info {
	return session.Info{ID: session.NewID("n1"), Listener: "import", Transport: "file", Remote: "demo.cast", Start: start,
		Terminal: "80x24"}
}

// someday is in 2023.
const someday = 1_700_000_000_000_000

// filling adds the events, whose times are since someday.
func filling(events []session.Event, end session.End) func(AddFunc) (session.End, error) {
	return func(add AddFunc) (session.End, error) {
		for _, e := range events {
			if err := add(e.Kind, e.Time, e.Data); err != nil {
				return end, err
			}
		}
		return end, nil
	}
}

// events reads a sealed recording.
func eventsOf(t *testing.T, s *Store, sum session.Summary) []session.Event {
	t.Helper()
	r, err := s.Recording(sum.ID, sum.Start)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := r.Summary()
	got.Pinned = sum.Pinned
	if !reflect.DeepEqual(got, sum) {
		t.Errorf("the file says %+v; want %+v", got, sum)
	}
	events := readAll(t, r.Cursor(1))
	checkOnceInOrder(t, events, 1)
	return events
}

func checkNoDamage(t *testing.T, s *Store) {
	t.Helper()
	if _, err := Verify(s.opt.Dir, func(d Damage) { t.Error(d) }); err != nil {
		t.Fatal(err)
	}
}

func TestAnImportedRecordingIsLikeEveryOtherWithItsOwnTimes(t *testing.T) {
	var told []session.Summary
	s := openStore(t, Options{OnSealed: func(sum session.Summary) { told = append(told, sum) }})
	random := rand.New(rand.NewPCG(1, 2))
	var events []session.Event
	var sent, received []byte
	at := int64(someday)
	for i := range 5000 {
		at += random.Int64N(50_000)
		data := bytes.Repeat([]byte{byte(i), byte(i >> 8)}, random.IntN(200))
		kind := session.Sent
		if i%3 == 0 {
			kind = session.Received
			received = append(received, data...)
		} else {
			sent = append(sent, data...)
		}
		events = append(events, session.Event{Kind: kind, Time: at, Data: data})
	}
	large := make([]byte, 300_000)
	for i := range large {
		large[i] = byte(random.Uint32())
	}
	sent = append(sent, large...)
	events = append(events, session.Event{Kind: session.Sent, Time: at, Data: large},
		session.Event{Kind: session.Named, Time: at, Data: []byte("vim")},
		session.Event{Kind: session.Resized, Time: at, Data: []byte("100x30")})
	three := 3
	sum, err := s.Import(Import{Info: elsewhere(someday),
		Fill: filling(events, session.End{Time: at + 1e6, Cause: session.Done, Exit: &three})})
	if err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || !reflect.DeepEqual(told[0], sum) {
		t.Errorf("told of %+v; want %+v", told, sum)
	}
	if sum.Start != someday || sum.End != at+1e6 || sum.Name != "vim" || sum.SentBytes != uint64(len(sent)) ||
		sum.ReceivedBytes != uint64(len(received)) || sum.State != session.Recorded || sum.Size == 0 {
		t.Errorf("the summary is %+v", sum)
	}
	got := eventsOf(t, s, sum)
	if last := string(got[len(got)-1].Data); !strings.Contains(last, `"exit":3`) {
		t.Errorf("closed says %s", last)
	}
	for _, e := range got[1 : len(got)-1] {
		switch e.Kind {
		case session.Sent:
			sent = bytes.TrimPrefix(sent, e.Data)
		case session.Received:
			received = bytes.TrimPrefix(received, e.Data)
		}
		for len(events) > 0 && events[0].Time < e.Time {
			events = events[1:]
		}
		if len(events) == 0 || events[0].Time != e.Time {
			t.Fatalf("event %d is at %d, where none was added", e.Number, e.Time)
		}
	}
	if len(sent)+len(received) > 0 {
		t.Errorf("%d sent and %d received bytes did not come back", len(sent), len(received))
	}
	checkNoDamage(t, s)
	if left, _ := filepath.Glob(filepath.Join(s.journalDir(), "*"+importExt)); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	r, err := s.Recording(sum.ID, sum.Start)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	a, err := r.Activity(t.Context(), 0, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	total := uint64(0)
	for _, n := range a.Sent {
		total += n
	}
	if total != sum.SentBytes {
		t.Errorf("its activity has %d sent bytes; want %d", total, sum.SentBytes)
	}
}

func TestWhatWouldEndInTheFutureEndsNowAndWhatHasNoStartEndsWhenItIsTold(t *testing.T) {
	s := openStore(t, Options{})
	began := time.Now().UnixMicro()
	const hour = int64(3600e6)
	for name, c := range map[string]struct{ start, ends, want int64 }{
		"in the past":   {someday, 0, someday + 2*hour},
		"in the future": {began, 0, began},
		"told":          {began, someday, someday},
		"told too late": {began, began + hour, began},
	} {
		events := []session.Event{{Kind: session.Sent, Time: c.start + 1, Data: []byte("a")},
			{Kind: session.Sent, Time: c.start + hour, Data: []byte("b")}}
		sum, err := s.Import(Import{Info: elsewhere(c.start), Ends: c.ends,
			Fill: filling(events, session.End{Time: c.start + 2*hour, Cause: session.Done})})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if late := sum.End - c.want; late < 0 || late > time.Since(time.UnixMicro(began)).Microseconds() && late != 0 {
			t.Errorf("%s: it ends %d µs late", name, late)
		}
		got := eventsOf(t, s, sum)
		if !strings.Contains(string(got[0].Data), `"start":`) || got[0].Time != sum.Start || sum.End-sum.Start != 2*hour ||
			got[1].Time != sum.Start+1 || got[2].Time != sum.Start+hour || got[3].Time != sum.End {
			t.Errorf("%s: %v", name, got)
		}
	}
	checkNoDamage(t, s)
}

func TestAnImportThatFailsLeavesNothing(t *testing.T) {
	s := openStore(t, Options{OnSealed: func(session.Summary) { t.Error("told of a recording that is none") }})
	broken := errors.New("broken")
	many := func(add AddFunc) (session.End, error) {
		for i := range int64(100) {
			if err := add(session.Sent, someday+i, make([]byte, 50_000)); err != nil {
				return session.End{}, err
			}
		}
		return session.End{}, broken
	}
	long := filling([]session.Event{{Kind: session.Noted, Time: someday, Data: make([]byte, 70_000)}}, session.End{})
	for want, im := range map[string]Import{
		"broken":        {Info: elsewhere(someday), Fill: many},
		"kind noted":    {Info: elsewhere(someday), Fill: long},
		"not a session": {Info: session.Info{ID: "x"}},
		"begun before":  {Info: elsewhere(someday), Ends: 1, Fill: filling(nil, session.End{Time: someday + 10})},
		"is too long":   {Info: session.Info{ID: session.NewID("n1"), Name: strings.Repeat("n", 70_000)}},
	} {
		if _, err := s.Import(im); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want %q", err, want)
		}
	}
	err := filepath.WalkDir(s.opt.Dir, func(path string, d os.DirEntry, err error) error {
		if ext := filepath.Ext(path); ext == importExt || ext == ".sbr" || ext == ".tmp" {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatACrashLeftOfAnImportIsGoneAtTheNextStart(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, Options{Dir: dir})
	left := filepath.Join(s.journalDir(), string(session.NewID("n1"))+importExt)
	if err := os.WriteFile(left, []byte(sealedMagic), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	openStore(t, Options{Dir: dir})
	if exists(left) {
		t.Error("the file is still there")
	}
}

func TestAStoreThatClosesEndsItsImports(t *testing.T) {
	s := openStore(t, Options{})
	ended, begun := make(chan error), make(chan struct{})
	go func() {
		_, err := s.Import(Import{Info: elsewhere(someday), Fill: func(add AddFunc) (end session.End, err error) {
			close(begun)
			for at := int64(someday); err == nil; at += 1e6 {
				err = add(session.Sent, at, []byte("x"))
			}
			return end, err
		}})
		ended <- err
	}()
	<-begun
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Errorf("the import ended with %v", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := s.Import(Import{Info: elsewhere(someday)}); !errors.Is(err, ErrClosed) {
		t.Errorf("an import of a closed store: %v", err)
	}
}

func TestAPinnedImportIsPinnedWhenItIsToldOf(t *testing.T) {
	var s *Store
	pinned := false
	s = openStore(t, Options{OnSealed: func(sum session.Summary) { pinned = sum.Pinned && s.Pinned(sum.ID, sum.Start) }})
	sum, err := s.Import(Import{Info: elsewhere(someday), Fill: filling(nil, session.End{Cause: session.Done}),
		Pin: func(sum session.Summary) bool { return sum.End == someday }})
	if err != nil || !pinned || !sum.Pinned {
		t.Errorf("got %+v, %v; want it pinned", sum, err)
	}
}

func TestALongSessionOfWhichLittleWasSaidHasFewChunks(t *testing.T) {
	s := openStore(t, Options{})
	sum, err := s.Import(Import{Info: elsewhere(someday - 200_000_000e6), Fill: func(add AddFunc) (session.End, error) {
		at := int64(someday - 200_000_000e6)
		for range 200_000 { // a thousand seconds apart: 6 years
			at += 1_000e6
			if err := add(session.Sent, at, []byte("x")); err != nil {
				return session.End{}, err
			}
		}
		return session.End{Time: at, Cause: session.Done}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Size > 12<<20 {
		t.Errorf("200,000 events take %d bytes", sum.Size)
	}
	eventsOf(t, s, sum)
}

func TestDatagramsThatAreImportedStayWhole(t *testing.T) {
	s := openStore(t, Options{})
	info := elsewhere(someday)
	info.Transport = "udp"
	var events []session.Event
	for i := range 40 {
		events = append(events, session.Event{Kind: session.Received, Time: someday, Data: bytes.Repeat([]byte{byte(i)}, 1+i*1600)})
	}
	sum, err := s.Import(Import{Info: info, Fill: filling(events, session.End{Time: someday, Cause: session.Done})})
	if err != nil || sum.ReceivedEvents != 40 {
		t.Fatalf("got %+v, %v; want 40 datagrams", sum, err)
	}
	for i, e := range eventsOf(t, s, sum)[1:41] {
		if !bytes.Equal(e.Data, events[i].Data) {
			t.Errorf("datagram %d has %d bytes; want %d", i, len(e.Data), len(events[i].Data))
		}
	}
}
