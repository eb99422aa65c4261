package command_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/command"
	"github.com/switchboard-relay/switchboard/device"
)

func TestACommandToADeviceThatIsThereIsWrittenAtOnce(t *testing.T) {
	h := open(t)
	d := h.connect("8601")
	c := h.add(text("8601", "reboot\n"))
	d.gets("reboot\n")
	c = h.ends(c, device.Done)
	if c.Session != d.peer.id || c.WrittenAt < c.Created || c.By != "vera" || c.When != "now" || string(c.Data) != "reboot\n" || c.AnsweredAt != 0 ||
		c.Expires-c.Created != time.Hour.Microseconds() {
		t.Errorf("it is %+v", c)
	}
	if n := h.q.Waiting("fleet", "8601"); n != 0 {
		t.Errorf("%d wait; want none", n)
	}
}

func TestCommandsWaitForTheirDeviceInOrderAlsoWhileSwitchboardIsAway(t *testing.T) {
	h := open(t)
	var all []device.Command
	for i := range 20 {
		all = append(all, h.add(text("8601", fmt.Sprintf("command %02d;", i))))
	}
	if n := h.q.Waiting("fleet", "8601"); n != 20 || h.state(all[19]) != device.Queued {
		t.Errorf("%d wait, the last is %s; want 20, queued", n, h.state(all[19]))
	}
	h.reopen()
	h.add(text("8601", "command 20;"))
	d := h.connect("8601")
	for i := range 21 {
		d.gets(fmt.Sprintf("command %02d;", i))
	}
	h.ends(all[19], device.Done)
}

func TestOneCommandIsInFlight(t *testing.T) {
	h := open(t)
	d := h.connect("8601")
	first, second := h.add(acked(text("8601", "one;"), "any")), h.add(acked(text("8601", "two;"), "any"))
	d.gets("one;")
	h.is(first, device.Written)
	d.getsNothing()
	if got := h.state(second); got != device.Queued {
		t.Errorf("the second is %s; want queued", got)
	}
	d.says("PING") // says only that it is there
	d.says("done")
	d.gets("two;")
	if c := h.ends(first, device.Acknowledged); string(c.Answer) != "done" || c.AnsweredAt < c.WrittenAt || c.WrittenAt == 0 {
		t.Errorf("it is %+v", c)
	}
	d.says("done as well")
	h.ends(second, device.Acknowledged)
}

func TestACommandForTheNextUplinkIsWrittenBehindIt(t *testing.T) {
	h := open(t)
	d := h.connect("8601")
	uplink := func(r *device.CommandRequest) { r.When = "uplink" }
	first := h.add(with(text("8601", "later;"), uplink))
	second := h.add(with(acked(text("8601", "last;"), "any"), uplink))
	now := h.add(text("8601", "now;"))
	d.gets("now;")
	h.ends(now, device.Done)
	if got := h.state(first); got != device.Queued {
		t.Fatalf("without an uplink it is %s; want queued", got)
	}
	d.says("PING") // an uplink is any message
	d.gets("later;last;")
	h.ends(first, device.Done)
	third := h.add(with(text("8601", "third;"), uplink))
	d.says("12.5 degrees")
	d.gets("third;")
	h.ends(second, device.Acknowledged)
	h.ends(third, device.Done)
}

func TestADeviceThatSleepsAgainIsNotSentWhatWasForItsUplink(t *testing.T) {
	h := open(t)
	d := h.connect("8601")
	first := h.add(with(text("8601", "one;"), func(r *device.CommandRequest) {
		r.When, r.Ack = "uplink", &device.AckRule{By: "any", Timeout: "100ms"}
	}))
	second := h.add(with(text("8601", "two;"), func(r *device.CommandRequest) { r.When = "uplink" }))
	d.says("awake")
	d.gets("one;")
	h.ends(first, device.Unanswered)
	if got := h.state(second); got != device.Queued {
		t.Errorf("the second is %s; want queued", got)
	}
	d.says("awake again")
	d.gets("two;")
}

func TestWhatWasNotWrittenInTimeIsExpired(t *testing.T) {
	h := open(t)
	soon := with(text("8601", "soon;"), func(r *device.CommandRequest) { r.TTL = "50ms" })
	if c := h.ends(h.add(soon), device.Expired); c.WrittenAt != 0 || c.Session != "" {
		t.Errorf("it is %+v", c)
	}
	c := h.add(soon)
	if err := h.q.Close(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(time.UnixMicro(c.Expires)))
	h.open()
	h.ends(c, device.Expired)
	d := h.connect("8601")
	h.add(text("8601", "alive;"))
	d.gets("alive;")
}

func TestEachWayOfAcknowledging(t *testing.T) {
	for _, test := range []struct {
		data, not, answer string
		rule              device.AckRule
	}{
		{"x;", "PING", "anything", device.AckRule{By: "any"}},
		{"SET 1\r\n", "SET 2", "SET 1", device.AckRule{By: "echo"}},
		{"x;", "done 7.7", "done id-7+7!", device.AckRule{By: "pattern", Pattern: `^done {{id}}!$`}},
		{"x;", "\xc3\xbe", "\xfe\xff", device.AckRule{By: "pattern", Pattern: `^\xfe[\x80-\xff]$`}},
		{"#7x;", "#8", "#7 ok", device.AckRule{By: "sequence"}},
	} {
		h := open(t)
		d := h.connect("8601")
		c := h.add(with(text("8601", test.data), func(r *device.CommandRequest) { r.Ack, r.ID = &test.rule, "id-7+7" }))
		d.gets(test.data)
		h.is(c, device.Written)
		d.says(test.not)
		d.says(test.answer)
		if c = h.ends(c, device.Acknowledged); string(c.Answer) != test.answer {
			t.Errorf("%+v: answered by %q; want %q", test.rule, c.Answer, test.answer)
		}
	}
}

func TestACommandWithoutASequenceNumberFailsBeforeItIsWritten(t *testing.T) {
	h := open(t)
	d := h.connect("8601")
	c := h.ends(h.add(acked(text("8601", "none;"), "sequence")), device.Failed)
	if !strings.Contains(c.Error, "choose another ack.by") || c.WrittenAt != 0 {
		t.Errorf("it is %+v", c)
	}
	h.add(text("8601", "next;"))
	d.gets("next;")
}

func TestAnAnswerThatDoesNotComeInTimeIsToldAndTheNextGoes(t *testing.T) {
	h := open(t)
	d := h.connect("8601")
	c := h.add(with(text("8601", "one;"), func(r *device.CommandRequest) { r.Ack = &device.AckRule{By: "echo", Timeout: "100ms"} }))
	h.add(text("8601", "two;"))
	d.gets("one;two;")
	h.ends(c, device.Unanswered)
	d.says("one;") // too late
	h.ends(c, device.Unanswered)
}

func TestACommandThatWasWrittenStaysWrittenWhenItsDeviceReconnects(t *testing.T) {
	h := open(t)
	d := h.connect("8601")
	c := h.add(with(text("8601", "one;"), func(r *device.CommandRequest) { r.Ack = &device.AckRule{By: "any", Timeout: "10s"} }))
	next := h.add(acked(text("8601", "two;"), "echo"))
	d.gets("one;")
	h.is(c, device.Written)
	d.close()
	h.reopen()
	d = h.connect("8601")
	d.says("LOGIN 8601") // answers nothing: it came over another connection
	h.is(c, device.Written)
	h.ends(c, device.Unanswered)
	d.gets("two;") // and the first not again
	h.is(next, device.Written)
	d.close()
	h.reopen()
	d = h.connect("8601")
	d.says("two;")
	h.ends(next, device.Acknowledged)
}

func TestAConnectionThatEndsDuringTheWriteLeavesItUncertain(t *testing.T) {
	h := open(t)
	d := h.connect("8601")
	big := strings.Repeat("x", command.MaxData)
	var all []device.Command
	for range 300 { // more than the sockets take
		all = append(all, h.add(text("8601", big)))
	}
	done := 0
	for end, since := time.Now().Add(patience), time.Now(); ; time.Sleep(10 * time.Millisecond) {
		for done < len(all) && h.state(all[done]) == device.Done {
			done, since = done+1, time.Now()
		}
		if h.state(all[done]) == device.Writing && time.Since(since) > time.Second { // not for want of a processor
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d were written; want the socket to be full", done)
		}
	}
	other := h.connect("8602") // it goes on for others
	h.add(text("8602", "fine;"))
	other.gets("fine;")
	d.peer.conn.SetReadDeadline(time.Unix(1, 0)) // it ends
	c := h.ends(all[done], device.Uncertain)
	if !strings.Contains(c.Error, "the connection ended while it was written") {
		t.Errorf("error %q", c.Error)
	}
	if got := h.state(all[done+1]); got != device.Queued {
		t.Errorf("the next is %s; want queued", got)
	}
}

func TestTheSameIDIsTheSameCommand(t *testing.T) {
	h := open(t)
	req := with(text("8601", "once;"), func(r *device.CommandRequest) { r.ID = "order 7" })
	c := h.add(req)
	var same sync.WaitGroup
	for range 20 {
		same.Go(func() {
			if again, existed, err := h.q.Add(t.Context(), req, "otto"); err != nil || !existed || again.Created != c.Created || again.By != "vera" {
				t.Errorf("again: %+v, existed %v, %v", again, existed, err)
			}
		})
	}
	same.Wait()
	_, _, err := h.q.Add(t.Context(), with(req, func(r *device.CommandRequest) { r.Data = []byte(`"other;"`) }), "otto")
	wantError(t, err, command.ErrOther, "other data")
	h.add(with(text("8602", "other;"), func(r *device.CommandRequest) { r.ID = "order 7" })) // of another device
	_, err = h.q.Get(t.Context(), command.Ref{ID: "order 7"})
	var ambiguous *command.AmbiguousError
	if !errors.As(err, &ambiguous) || len(ambiguous.Found) != 2 {
		t.Errorf("by the id alone: %v; want an AmbiguousError of 2", err)
	}
	h.reopen()
	d := h.connect("8601")
	if _, existed, err := h.q.Add(t.Context(), req, "otto"); err != nil || !existed {
		t.Errorf("behind a restart: existed %v, %v", existed, err)
	}
	next := h.add(text("8601", "next;"))
	d.gets("once;next;")
	h.ends(next, device.Done)
	if n := h.q.Counts(); n.Kept != 3 || n.Waiting != 1 || n.Devices != 1 {
		t.Errorf("counts %+v; want 3 kept, and 1 that waits", n)
	}
}

func TestOnlyWhatIsQueuedIsCancelled(t *testing.T) {
	h := open(t)
	c, next := h.add(text("8601", "no;")), h.add(acked(text("8601", "yes;"), "any"))
	ref := command.Ref{ID: c.ID}
	for range 2 {
		if got, err := h.q.Cancel(t.Context(), ref, "otto"); err != nil || got.State != device.Cancelled || got.Error != "by otto" {
			t.Errorf("cancel: %+v, %v", got, err)
		}
	}
	h.reopen()
	d := h.connect("8601")
	d.gets("yes;")
	h.is(next, device.Written)
	_, err := h.q.Cancel(t.Context(), command.Ref{ID: next.ID}, "otto")
	wantError(t, err, command.ErrState, "it is written")
	_, err = h.q.Cancel(t.Context(), command.Ref{ID: "nobody"}, "otto")
	wantError(t, err, command.ErrNotFound, "nobody")
}

func TestSendingAgainIsAnotherCommandThatSaysSo(t *testing.T) {
	h := open(t)
	d := h.connect("8601")
	c := h.ends(h.add(with(text("8601", "again;"), func(r *device.CommandRequest) { r.TTL = "5m" })), device.Done)
	d.gets("again;")
	again, err := h.q.Resend(t.Context(), command.Ref{ID: c.ID}, "otto")
	if err != nil || again.ResendOf != c.ID || again.ID == c.ID || again.By != "otto" || again.Expires-again.Created != (5*time.Minute).Microseconds() {
		t.Fatalf("resend: %+v, %v", again, err)
	}
	d.gets("again;")
	h.ends(again, device.Done)
	waits := h.add(text("8602", "waits;"))
	_, err = h.q.Resend(t.Context(), command.Ref{ID: waits.ID}, "otto")
	wantError(t, err, command.ErrState, "only one that is over")
}

func TestListsShowTheNewestFirst(t *testing.T) {
	h := open(t)
	for i := range 10 {
		h.add(text([]string{"8601", "8602"}[i%2], fmt.Sprint(i)))
	}
	d := h.connect("8602")
	d.gets("13579")
	for _, test := range []struct {
		filter command.Filter
		want   string
	}{
		{command.Filter{}, "9876543210"},
		{command.Filter{Limit: 3}, "987"},
		{command.Filter{Fleet: "fleet", Name: "8601"}, "86420"},
		{command.Filter{Name: "8602", State: device.Queued}, ""},
		{command.Filter{State: device.Queued}, "86420"},
		{command.Filter{Fleet: "none"}, ""},
	} {
		if list := h.list(test.filter); list != test.want {
			t.Errorf("%+v: got %q; want %q", test.filter, list, test.want)
		}
	}
	_, err := h.q.List(t.Context(), command.Filter{Limit: command.MaxList + 1})
	wantError(t, err, command.ErrBad, "from 1 to 1000")
}

func (h *house) list(f command.Filter) string {
	h.t.Helper()
	list, err := h.q.List(h.t.Context(), f)
	if err != nil {
		h.t.Fatal(err)
	}
	var b bytes.Buffer
	for _, c := range list {
		b.Write(c.Data)
	}
	return b.String()
}

func TestADeviceHasOnlySoManyCommandsThatWait(t *testing.T) {
	h := open(t)
	first := with(text("8601", "x"), func(r *device.CommandRequest) { r.ID = "first" })
	h.add(first)
	var adding sync.WaitGroup
	for range command.MaxWaiting - 1 {
		adding.Go(func() {
			if _, _, err := h.q.Add(t.Context(), text("8601", "x"), "vera"); err != nil {
				t.Error(err)
			}
		})
	}
	adding.Wait()
	_, _, err := h.q.Add(t.Context(), text("8601", "x"), "vera")
	wantError(t, err, command.ErrFull, "1000 of 8601 wait already")
	if _, existed, err := h.q.Add(t.Context(), first, "vera"); err != nil || !existed {
		t.Errorf("the same again: existed %v, %v", existed, err)
	}
	h.add(text("8602", "x"))
}

func TestAwaitReturnsWithItsContext(t *testing.T) {
	h := open(t)
	c := h.add(text("8601", "x"))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if got, err := h.q.Await(ctx, command.Ref{ID: c.ID}); err != nil || got.State != device.Queued {
		t.Errorf("it is %s, %v; want queued", got.State, err)
	}
}

func TestNothingIsTakenBehindClose(t *testing.T) {
	h := open(t)
	h.q.Close()
	_, _, err := h.q.Add(t.Context(), text("8601", "x"), "vera")
	wantError(t, err, command.ErrClosed, "stops")
}

func TestADiskThatIsFullIsToldAndNothingIsForgotten(t *testing.T) {
	h := open(t)
	d := h.connect("8601")
	waits := h.add(text("8602", "early;"))
	h.q.FillDisk(t)
	_, _, err := h.q.Add(t.Context(), text("8601", strings.Repeat("x", 60<<10)), "vera")
	if err == nil || !strings.Contains(err.Error(), "full") {
		t.Fatalf("with a full disk: %v; want an error that says so", err)
	}
	h.q.EmptyDisk(t)
	c := h.add(text("8601", "late;"))
	d.gets("late;")
	h.ends(c, device.Done)
	h.connect("8602").gets("early;")
	h.ends(waits, device.Done)
	if n := h.q.Counts(); n.Kept != 2 || n.Waiting != 0 {
		t.Errorf("counts %+v; want 2 kept, and none that waits", n)
	}
}

func TestHistoryGoesWhenThereIsTooMuchOfIt(t *testing.T) {
	h := open(t)
	h.connect("8601")
	waits := h.add(text("8602", "waits"))
	h.add(with(text("8601", "a"), func(r *device.CommandRequest) { r.ID = "first" }))
	for range 4 {
		var adding sync.WaitGroup
		for range command.MaxWaiting / 2 {
			adding.Go(func() {
				if _, _, err := h.q.Add(t.Context(), text("8601", "b"), "vera"); err != nil {
					t.Error(err)
				}
			})
		}
		adding.Wait()
		h.ends(h.add(text("8601", "b")), device.Done) // behind them
	}
	h.ends(h.add(text("8601", "c")), device.Done)
	h.q.PruneNow(t)
	if n := h.q.Counts(); n.Kept != command.MaxHistory+1 || n.Waiting != 1 {
		t.Errorf("counts %+v; want %d kept, and 1 that waits", n, command.MaxHistory+1)
	}
	_, err := h.q.Get(t.Context(), command.Ref{ID: "first"})
	wantError(t, err, command.ErrNotFound, "the oldest that are over are removed")
	if h.state(waits) != device.Queued {
		t.Error("what waits went as well")
	}
	h.reopen()
	if n := h.q.Counts(); n.Kept != command.MaxHistory+1 {
		t.Errorf("behind a restart: %+v", n)
	}
}

func TestHistoryGoesWhenItIsOld(t *testing.T) {
	h := open(t)
	d := h.connect("8601")
	old, waits := h.ends(h.add(text("8601", "a")), device.Done), h.add(text("8602", "b"))
	d.gets("a")
	h.q.PruneAt(t, time.Now().Add(command.HistoryAge-time.Hour))
	h.state(old)
	h.q.PruneAt(t, time.Now().Add(command.HistoryAge+time.Hour))
	_, err := h.q.Get(t.Context(), command.Ref{ID: old.ID})
	wantError(t, err, command.ErrNotFound, old.ID)
	h.state(waits)
}

func TestAFileOfANewerProgramIsLeftAlone(t *testing.T) {
	h := open(t)
	h.q.SetVersion(t, 99)
	h.q.Close()
	_, err := command.Open(command.Options{Path: h.path})
	if err == nil || !strings.Contains(err.Error(), "version 99") || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("got %v", err)
	}
}
