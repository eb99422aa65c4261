package recording

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

func TestManyIdleSessionsThatMoveHoldNoDescriptorsEach(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("descriptors cannot be counted here")
	}
	s := openStore(t, Options{SegmentSize: 256 << 10, JournalLimit: 512 << 10, Sync: SyncNone})
	var logs []*Log
	for range 300 {
		logs = append(logs, begin(t, s, Policy{}))
	}
	before, _ := os.ReadDir("/proc/self/fd")
	awaitMoved(t, s, logs...)
	after, _ := os.ReadDir("/proc/self/fd")
	if grown := len(after) - len(before); grown > 50 {
		t.Errorf("%d more descriptors for 300 idle sessions; want a few", grown)
	}
	for _, l := range logs {
		l.End(session.End{Cause: session.Done})
	}
}

func TestATimeIsFoundWhileTheSessionLivesWhileItIsSealedAndAfterwards(t *testing.T) {
	sealed := make(chan session.Summary, 1)
	s := openStore(t, Options{OnSealed: func(sum session.Summary) { sealed <- sum }})
	l := begin(t, s, Policy{})
	for range 5 {
		durably(t, l, session.Received, []byte("x"))
		for now := time.Now().UnixMicro(); time.Now().UnixMicro() == now; { // the events differ in time
		}
	}
	c := l.Cursor(1)
	var third session.Event
	for third.Number != 3 {
		events, err := c.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		third = events[len(events)-1]
		for _, e := range events {
			if e.Number == 3 {
				third = e
			}
		}
	}
	at := third.Time
	c.Close()
	check := func(when string, numberAt func(int64) (uint64, error)) {
		t.Helper()
		if n, err := numberAt(at); n != 3 || err != nil {
			t.Errorf("%s: %d, %v; want event 3", when, n, err)
		}
	}
	check("live", l.NumberAt)
	l.End(session.End{Cause: session.Done})
	sum := <-sealed
	check("the log after it was sealed", l.NumberAt)
	rec, err := s.Recording(sum.ID, sum.Start)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	check("the sealed file", rec.NumberAt)
}

func kill(t *testing.T, from string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestARemovedRecordingDoesNotComeBackAfterACrash(t *testing.T) {
	dir := t.TempDir()
	sealed := make(chan session.Summary, 1)
	s := openStore(t, Options{Dir: dir, OnSealed: func(sum session.Summary) { sealed <- sum }})
	pins := begin(t, s, Policy{}) // keeps the segment that holds the other's records
	durably(t, pins, session.Received, []byte("x"))
	l := begin(t, s, Policy{})
	durably(t, l, session.Received, []byte("private"))
	l.End(session.End{Cause: session.Done})
	sum := <-sealed
	if err := s.Remove(sum.ID, sum.Start); err != nil {
		t.Fatal(err)
	}
	durably(t, pins, session.Received, []byte("y")) // whatever Remove has to say in the journal is on disk with this
	s2 := openStore(t, Options{Dir: kill(t, dir)})
	if err := s2.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s2.sealedPath(sum.ID, sum.Start)); err == nil {
		t.Error("the removed recording is there again after the next start")
	}
	pins.End(session.End{Cause: session.Done})
}

func TestAMessageOfARoomIsOneEventHoweverLong(t *testing.T) {
	s := openStore(t, Options{})
	l := begin(t, s, Policy{})
	m := session.RoomMessage{Offset: 7, From: l.ID(), Bytes: bytes.Repeat([]byte("x"), 1<<20)}
	if _, err := l.Append(session.Message, m.Append(nil)); err != nil {
		t.Fatal(err)
	}
	l.End(session.End{Cause: session.Done})
	events := readAll(t, l.Cursor(1))
	if len(events) != 3 {
		t.Fatalf("%d events; want opened, message, closed", len(events))
	}
	got, err := session.ParseRoomMessage(events[1].Data)
	if err != nil || !bytes.Equal(got.Bytes, m.Bytes) {
		t.Errorf("the message has %d bytes, %v; want %d", len(got.Bytes), err, len(m.Bytes))
	}
}

// A far end can have its terminal resized as fast as it can send.
func TestResizesShareChunks(t *testing.T) {
	s := openStore(t, Options{})
	l := begin(t, s, Policy{})
	const resizes = 5000
	for i := range resizes - 1 {
		if _, err := l.Append(session.Resized, []byte([]string{"100x30", "120x40"}[i%2])); err != nil {
			t.Fatal(err)
		}
	}
	durably(t, l, session.Resized, []byte("80x24"))
	l.mu.Lock()
	places := len(l.durable)
	l.mu.Unlock()
	l.End(session.End{Cause: session.Done})
	if places > resizes/10 {
		t.Errorf("%d resizes are in %d chunks; want a few", resizes, places)
	}
}
