package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/session"
)

// viewFlags say how events are shown.
type viewFlags struct {
	Direction string `enum:"received,sent,both" default:"both" help:"Which way the bytes went: received, sent or both."`
	Hex       bool   `xor:"view" help:"Bytes as a hex dump."`
	Raw       bool   `xor:"view" help:"The bytes alone, unchanged."`
}

// view writes events for people to read (or, with raw, the bytes alone). It is for one goroutine.
type view struct {
	w         io.Writer
	flags     viewFlags
	stamp     func(us int64) string // what stands at the beginning of an event's lines
	datagrams bool                  // each event is a message of its own
	day       string                // of the last line, if the stamp is a time of day
	held      [2]heldBytes          // by direction: the first bytes of a character that the next event completes
	err       error
}

type heldBytes struct {
	time int64
	data []byte
}

// clockStamp is the local time of day.
func clockStamp(us int64) string { return time.UnixMicro(us).Format("15:04:05.000") }

// offsetStamp is the time since start.
func offsetStamp(start int64) func(int64) string {
	return func(us int64) string { return fmt.Sprintf("%11s", formatOffset(us-start, true)) }
}

// shows reports whether the view has anything to say of the event.
func (v *view) shows(ev session.Event) bool {
	direction, _ := export.ParseDirection(v.flags.Direction) // kong has checked it
	return direction.Shows(ev.Kind) && (ev.IsData() || !v.flags.Raw)
}

// event writes one event. The first error of the writer stays.
func (v *view) event(ev session.Event) error {
	switch {
	case v.err != nil || !v.shows(ev):
		return v.err
	case v.flags.Raw:
		_, v.err = v.w.Write(ev.Data)
		return v.err
	}
	var out bytes.Buffer
	v.divideDays(&out, ev.Time)
	switch {
	case !ev.IsData():
		if ev.Kind == session.Closed || ev.Kind == session.ReceivedEnd || ev.Kind == session.SentEnd {
			v.release(&out)
		}
		v.line(&out, ev.Time, arrow(ev.Kind), ev.Kind, printable(tell(ev)))
	case v.flags.Hex:
		v.line(&out, ev.Time, arrow(ev.Kind), ev.Kind, fmt.Sprintf("%d bytes", len(ev.Data)))
		dump := strings.TrimSuffix(hex.Dump(ev.Data), "\n")
		for line := range strings.SplitSeq(dump, "\n") {
			if line != "" {
				out.WriteString("  " + line + "\n")
			}
		}
	default:
		v.text(&out, ev)
	}
	_, v.err = v.w.Write(out.Bytes())
	return v.err
}

// note writes a line of the viewer's own between the events.
func (v *view) note(text string) {
	if v.err == nil && !v.flags.Raw {
		_, v.err = fmt.Fprintf(v.w, "── %s ──\n", text)
	}
}

// divideDays says the date where it changes, so that the lines need not.
func (v *view) divideDays(out *bytes.Buffer, us int64) {
	day := time.UnixMicro(us).Format(time.DateOnly)
	if v.stamp != nil || day == v.day {
		return
	}
	if v.day != "" {
		fmt.Fprintf(out, "── %s ──\n", day)
	}
	v.day = day
}

func (v *view) line(out *bytes.Buffer, us int64, arrow string, kind session.Kind, text string) int {
	stamp := clockStamp
	if v.stamp != nil {
		stamp = v.stamp
	}
	head := fmt.Sprintf("%s %s %-8s  ", stamp(us), arrow, kind)
	out.WriteString(strings.TrimRight(head+text, " "))
	out.WriteByte('\n')
	return utf8.RuneCountInString(head)
}

// text writes data as quoted text, a line of text on each line. Bytes that begin a character whose rest has not come
// yet are held back for the next event in the same direction.
func (v *view) text(out *bytes.Buffer, ev session.Event) {
	data, mark := ev.Data, ""
	if !v.datagrams {
		held := &v.held[ev.Kind&1]
		data = append(held.data, ev.Data...)
		cut := len(data) - unfinished(data)
		if cut < len(data) {
			mark = " …"
		}
		*held = heldBytes{ev.Time, bytes.Clone(data[cut:])}
		data = data[:cut]
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	if len(lines) > 1 && len(lines[len(lines)-1]) == 0 {
		lines = lines[:len(lines)-1]
	}
	indent := 0
	for i, line := range lines {
		text := strconv.Quote(string(line))
		if i == len(lines)-1 {
			text += mark
		}
		if i == 0 {
			indent = v.line(out, ev.Time, arrow(ev.Kind), ev.Kind, text)
			continue
		}
		out.WriteString(strings.Repeat(" ", indent) + text + "\n")
	}
}

// release writes what is held back when nothing more will come.
func (v *view) release(out *bytes.Buffer) {
	for _, kind := range []session.Kind{session.Received, session.Sent} {
		held := &v.held[kind&1]
		if len(held.data) > 0 {
			v.line(out, held.time, arrow(kind), kind, strconv.Quote(string(held.data)))
		}
		*held = heldBytes{}
	}
}

// forget drops what is held back, for a jump to another place.
func (v *view) forget() { v.held, v.day = [2]heldBytes{}, "" }

// unfinished is how many bytes at the end of b begin a UTF-8 character without ending it.
func unfinished(b []byte) int {
	for n := 1; n <= min(utf8.UTFMax-1, len(b)); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

// arrow shows the way of an event as seen from Switchboard: ← came in from the far end, → went out to it.
func arrow(k session.Kind) string {
	switch k {
	case session.Received, session.ReceivedEnd:
		return "←"
	case session.Sent, session.SentEnd, session.Unsent:
		return "→"
	}
	return "·"
}

// tell says what an event that carries no bytes of the wire tells.
func tell(ev session.Event) string {
	switch ev.Kind {
	case session.Opened:
		var info session.Info
		if json.Unmarshal(ev.Data, &info) == nil {
			text := fmt.Sprintf("%s %s on %s, %s", info.Transport, info.Remote, info.Listener,
				time.UnixMicro(info.Start).Format("2006-01-02 15:04:05 MST"))
			if info.Record == session.RecordOff {
				text += ", not recorded: only what comes from now on"
			}
			return text
		}
	case session.Closed:
		var end session.End
		if json.Unmarshal(ev.Data, &end) == nil {
			return end.Error()
		}
	case session.Gap:
		var missing session.Missing
		if json.Unmarshal(ev.Data, &missing) == nil {
			return fmt.Sprintf("%d events with %d bytes are missing: %s", missing.Events, missing.Bytes, missing.Reason)
		}
	case session.Joined, session.Left, session.Delivered:
		var ref session.RoomRef
		if json.Unmarshal(ev.Data, &ref) == nil {
			return "room " + ref.Room
		}
	case session.Unsent:
		return fmt.Sprintf("the far end never took the last %s bytes", ev.Data)
	case session.ReceivedEnd:
		return "the far end sends no more"
	case session.SentEnd:
		return "nothing more is sent to the far end"
	}
	return string(ev.Data)
}
