package recording

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/switchboard-relay/switchboard/session"
)

// someScreens are screens behind every tenth event.
func someScreens(from, n int) (list []Screen) {
	for i := from; i < from+n; i++ {
		list = append(list, Screen{Number: uint64(10 * (i + 1)), Time: 1_800_000_000_000_000 + int64(i)*10_000_000,
			Size: session.Size{Cols: 80 + i%3, Rows: 24}, Debt: int64(i) * 1000, Data: fmt.Appendf(nil, "\x1bcscreen %d %s", i, bytes.Repeat([]byte("x"), i*7%100))})
	}
	return list
}

const screensEvents = 100_000 // of the session of which the screens are

// recorded is a store with a sealed recording.
func recorded(t *testing.T) (s *Store, sum session.Summary) {
	t.Helper()
	sealed := make(chan session.Summary, 1)
	s, err := Open(Options{Dir: t.TempDir(), OnSealed: func(sum session.Summary) { sealed <- sum }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	l, err := s.Begin(&session.Info{ID: session.NewID("n1"), Start: 1_800_000_000_000_000}, Policy{})
	if err != nil {
		t.Fatal(err)
	}
	l.End(session.End{Cause: session.Done})
	return s, <-sealed
}

// open opens the session's screens anew, as after a restart.
func openScreens(s *Store, sum session.Summary) *Screens {
	return s.Screens(sum.ID, sum.Start, 1, screensEvents)
}

// check compares what is kept with what is expected, at and between its numbers.
func (k *Screens) check(t *testing.T, want []Screen) {
	t.Helper()
	var places []Screen
	if err := k.Each(func(s Screen) { places = append(places, s) }); err != nil {
		t.Fatal(err)
	}
	if len(places) != len(want) || len(want) > 0 && k.Last() != want[len(want)-1].Number {
		t.Fatalf("%d screens, up to %d; want %d", len(places), k.Last(), len(want))
	}
	for i, w := range want {
		for _, number := range []uint64{w.Number, w.Number + 9} {
			if got, ok := k.At(number); !ok || !reflect.DeepEqual(got, w) {
				t.Fatalf("behind %d: got %v, %v; want %v", number, got, ok, w)
			}
		}
		if w.Data = nil; !reflect.DeepEqual(places[i], w) {
			t.Errorf("place %d: %v; want %v", i, places[i], w)
		}
	}
	if got, ok := k.At(9); ok {
		t.Errorf("before the first there is %v", got)
	}
	if got, ok := k.At(math.MaxUint64); ok != (len(want) > 0) || ok && got.Number != k.Last() {
		t.Errorf("the newest: %v, %v", got, ok)
	}
}

func TestScreensComeBackAsTheyWere(t *testing.T) {
	s, sum := recorded(t)
	all := someScreens(0, 100)
	k := openScreens(s, sum)
	k.check(t, nil)
	for from := 0; from < len(all); {
		n := min(1+from%7*3, len(all)-from)
		if err := k.Append(all[from:from+n], 0); err != nil {
			t.Fatal(err)
		}
		if from += n; from%2 == 0 {
			k = openScreens(s, sum)
		}
		k.check(t, all[:from])
	}
	if blocks := len(k.blocks); blocks != 7 {
		t.Errorf("100 screens are in %d blocks; want 7", blocks)
	}
	if k.Complete() {
		t.Error("complete, though more may come")
	}
	if err := k.Append(nil, screensEvents); err != nil || !k.Complete() {
		t.Errorf("%v, complete %v", err, k.Complete())
	}
	k = openScreens(s, sum)
	k.check(t, all)
	if info, err := os.Stat(k.path); err != nil || info.Size() != k.Size() || s.ScreensSize(sum.ID, sum.Start) != k.Size() || !k.Complete() {
		t.Errorf("%v, %v bytes; want %d", err, info, k.Size())
	}
	if err := k.Append(someScreens(100, 1), 0); err != nil {
		t.Fatal(err)
	}
	k.check(t, all)
	stats, err := Verify(s.opt.Dir, func(d Damage) { t.Errorf("verify: %s", d) })
	if err != nil || stats.Files < 2 {
		t.Errorf("verify: %+v, %v", stats, err)
	}
}

func TestScreensThatAreCompleteAndFillTheirBlocksSaySo(t *testing.T) {
	s, sum := recorded(t)
	for _, n := range []int{0, 1, ScreensTogether, 2 * ScreensTogether} {
		os.Remove(screensOf(s.sealedPath(sum.ID, sum.Start)))
		k := openScreens(s, sum)
		if err := k.Append(someScreens(0, n), 0); err != nil {
			t.Fatal(err)
		}
		if err := k.Append(nil, screensEvents); err != nil {
			t.Fatal(err)
		}
		k = openScreens(s, sum)
		if k.check(t, someScreens(0, n)); !k.Complete() {
			t.Errorf("%d screens: not complete", n)
		}
	}
}

func TestScreensOfAnotherRecordingOrVersionAreNotUsed(t *testing.T) {
	s, sum := recorded(t)
	k := openScreens(s, sum)
	if err := k.Append(someScreens(0, 20), screensEvents); err != nil {
		t.Fatal(err)
	}
	for what, other := range map[string]*Screens{"version": s.Screens(sum.ID, sum.Start, 2, screensEvents),
		"start": s.Screens(sum.ID, sum.Start+1, 1, screensEvents), "events": s.Screens(sum.ID, sum.Start, 1, screensEvents-1),
		"fewer events": s.Screens(sum.ID, sum.Start, 1, 200)} {
		if other.Last() != 0 || other.Complete() {
			t.Errorf("of another %s: %d", what, other.Last())
		}
	}
	newer := s.Screens(sum.ID, sum.Start, 2, screensEvents)
	if err := newer.Append(someScreens(3, 2), 0); err != nil {
		t.Fatal(err)
	}
	newer.check(t, someScreens(3, 2))
	s.Screens(sum.ID, sum.Start, 2, screensEvents).check(t, someScreens(3, 2))
}

func TestTheScreensGoWithTheRecordingAndDoNotComeBack(t *testing.T) {
	s, sum := recorded(t)
	k := openScreens(s, sum)
	if err := k.Append(someScreens(0, 20), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(sum.ID, sum.Start); err != nil {
		t.Fatal(err)
	}
	if err := k.Append(someScreens(20, 20), 0); err != nil {
		t.Error(err)
	}
	names, _ := filepath.Glob(filepath.Dir(k.path) + "/*")
	if len(names) > 0 {
		t.Errorf("left: %v", names)
	}
}

// TestDamagedScreensAreNeverWrong flips each byte of a file in turn, and cuts it off behind each.
func TestDamagedScreensAreNeverWrong(t *testing.T) {
	s, sum := recorded(t)
	k := openScreens(s, sum)
	all := someScreens(0, 18)
	if err := k.Append(all, screensEvents); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(k.path)
	if err != nil {
		t.Fatal(err)
	}
	more := someScreens(18, 3)
	for i := range whole {
		for _, damaged := range [][]byte{whole[:i], slices.Concat(whole[:i], []byte{whole[i] ^ 0x55}, whole[i+1:])} {
			if err := os.WriteFile(k.path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			k := openScreens(s, sum)
			for _, n := range []int{0, 9, 17} {
				got, ok := k.At(all[n].Number)
				if ok && !reflect.DeepEqual(got, all[(got.Number/10)-1]) {
					t.Fatalf("byte %d of %d bytes: behind %d there is %v", i, len(damaged), all[n].Number, got)
				}
			}
			if k.Complete() {
				t.Fatalf("byte %d of %d bytes: complete", i, len(damaged))
			}
			left := int(k.Last() / 10)
			if i%97 == 0 {
				if err := k.Append(append(slices.Clone(all[left:]), more...), screensEvents); err != nil {
					t.Fatal(err)
				}
				openScreens(s, sum).check(t, append(slices.Clone(all), more...))
			}
		}
	}
}

func TestVerifyTellsOfDamagedScreens(t *testing.T) {
	s, sum := recorded(t)
	k := openScreens(s, sum)
	if err := k.Append(someScreens(0, 18), screensEvents); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(k.path)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	for i := range whole {
		bad := slices.Clone(whole)
		bad[i] ^= 1
		if err := os.WriteFile(k.path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		found := 0
		if _, err := Verify(s.opt.Dir, func(Damage) { found++ }); err != nil || found != 1 {
			t.Fatalf("byte %d: %d places, %v; want one", i, found, err)
		}
	}
}

// FuzzScreenBlocks reads anything as a block of screens: what is taken means the same when it is written again.
func FuzzScreenBlocks(f *testing.F) {
	f.Add(appendScreenBlock(nil, someScreens(0, 3), 0, 0))
	f.Add(appendScreenBlock(nil, nil, flagComplete, 7))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= blockHeader { // else nothing gets by the checksums
			b = slices.Clone(b)
			if k, err := parseBlockHeader(b); err == nil && len(b) >= blockHeader+int(k.table) {
				payload := b[blockHeader+int(k.table):]
				binary.LittleEndian.PutUint32(b[20:], checksum(payload[:min(len(payload), int(k.payload))]))
				binary.LittleEndian.PutUint32(b[4:], checksum(b[8:blockHeader+int(k.table)]))
			}
		}
		list, err := parseScreenBlock(b)
		if err != nil {
			return
		}
		back, err := parseScreenBlock(appendScreenBlock(nil, list, 0, 0))
		if err != nil || len(back) != len(list) {
			t.Fatalf("%v came back as %v, %v", list, back, err)
		}
		for i := range list {
			if !bytes.Equal(back[i].Data, list[i].Data) || back[i].Number != list[i].Number || back[i].Size != list[i].Size {
				t.Fatalf("%v came back as %v", list[i], back[i])
			}
		}
	})
}
