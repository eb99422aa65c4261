package recording

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/switchboard-relay/switchboard/session"
)

func TestSmallRecordsAreJoinedInASessionsOwnFile(t *testing.T) {
	sealed := make(chan session.Summary, 1)
	s := openStore(t, Options{OnSealed: func(sum session.Summary) { sealed <- sum }})
	l := begin(t, s, Policy{})
	live := l.Cursor(1)
	const keys = 300
	for i := range keys {
		durably(t, l, session.Received, fmt.Appendf(nil, "key %d", i))
		durably(t, l, session.Sent, fmt.Appendf(nil, "echo %d", i))
		if i == keys/2 { // as large as a record may be that is joined with none
			durably(t, l, session.Sent, bytes.Repeat([]byte("a long answer "), 20<<10))
			durably(t, l, session.Named, []byte("ada"))
			durably(t, l, session.Watched, session.JSON(session.Watch{By: "ada"}))
		}
	}
	l.End(session.End{Cause: session.HungUp})
	want := readAll(t, live)
	sum := <-sealed
	r, err := s.Recording(sum.ID, sum.Start)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := readAll(t, r.Cursor(1)); !reflect.DeepEqual(got, want) {
		t.Errorf("the recording has %d events that are not the %d of the live session", len(got), len(want))
	}
	if n := len(r.entries); n > 20 {
		t.Errorf("%d events take %d records; want few", len(want), n)
	}
	for _, from := range []uint64{2, 57, keys + 5, 2 * keys} {
		events := readAll(t, r.Cursor(from))
		checkOnceInOrder(t, events, from)
	}
	a, err := r.Activity(context.Background(), 0, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var received, sent uint64
	for i := range a.Received {
		received, sent = received+a.Received[i], sent+a.Sent[i]
	}
	if received != sum.ReceivedBytes || sent != sum.SentBytes {
		t.Errorf("%d and %d bytes passed over time, %d and %d in all", received, sent, sum.ReceivedBytes, sum.SentBytes)
	}
	if len(a.Watched) != 1 || a.Watched[0].By != "ada" {
		t.Errorf("%+v looked on; want ada", a.Watched)
	}
}

func TestADamagedRecordIsNotJoined(t *testing.T) {
	const n = 40
	_, content := segmentOf(t, t.TempDir(), n, false)
	at := bytes.Index(content, []byte("event 20"))
	if at < 0 {
		t.Fatal("the segment has no event 20")
	}
	content[at] ^= 1
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "journal"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "journal", "00000001.seg"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	sealed := make(chan session.Summary, 1)
	s := openStore(t, Options{Dir: dir, OnSealed: func(sum session.Summary) { sealed <- sum }})
	sum := <-sealed
	path := s.sealedPath(sum.ID, sum.Start)
	if lost := lostIn(t, path, sum.Events); lost != 1 {
		t.Errorf("%d events are lost of which one was damaged", lost)
	}
	if n := len(entriesOf(t, path)); n > 6 {
		t.Errorf("there are %d records: the others are not joined", n)
	}
}
