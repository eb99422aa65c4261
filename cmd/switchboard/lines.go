package main

import (
	"fmt"
	"io"
	"time"

	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/session"
)

// viewFlags say how events are shown.
type viewFlags struct {
	Direction string `enum:"received,sent,both" default:"both" help:"Which way the bytes went: received, sent or both."`
	Hex       bool   `xor:"view" help:"Bytes as a hex dump."`
	Raw       bool   `xor:"view" help:"The bytes alone, unchanged."`
}

// shows reports whether the flags leave anything to say of the event.
func (f viewFlags) shows(ev session.Event) bool {
	direction, _ := export.ParseDirection(f.Direction) // kong has checked it
	return direction.Shows(ev.Kind) && (ev.IsData() || ev.Kind == session.Message || !f.Raw)
}

// bare reports whether telnet's commands are to be left out: for people, and for terminals.
func (f viewFlags) bare(std *stdio) bool { return !f.Hex && (!f.Raw || asTerminal(std.out) != nil) }

// view writes events for people to read (or, with raw, the bytes alone). It is for one goroutine.
type view struct {
	viewFlags
	lines export.Lines
	day   string // of the last line
	days  bool   // the date is told where it changes
	err   error
}

// newView shows events with the time of day, or, where start is not 0, with the time since it (Unix µs).
func newView(w io.Writer, f viewFlags, start int64, datagrams bool) *view {
	v := &view{viewFlags: f, days: start == 0}
	v.lines = export.Lines{Out: w, Hex: f.Hex, Datagrams: datagrams, Zone: time.Local, Stamp: clockStamp}
	v.lines.Direction, _ = export.ParseDirection(f.Direction) // kong has checked it
	if start != 0 {
		v.lines.Stamp = func(b []byte, us int64) []byte { return fmt.Appendf(b, "%11s", formatOffset(us-start, true)) }
	}
	return v
}

// clockStamp is the local time of day.
func clockStamp(b []byte, us int64) []byte { return time.UnixMicro(us).AppendFormat(b, "15:04:05.000") }

// event writes one event. The first error of the writer stays.
func (v *view) event(ev session.Event) error {
	switch {
	case v.err != nil || !v.shows(ev):
	case v.Raw:
		v.raw(ev)
	default:
		v.divideDays(ev.Time)
		v.keep(v.lines.Event(ev))
	}
	return v.err
}

func (v *view) keep(err error) {
	if v.err == nil {
		v.err = err
	}
}

func (v *view) raw(ev session.Event) {
	data := ev.Data
	if m, err := session.ParseRoomMessage(data); ev.Kind == session.Message && err == nil {
		data = m.Bytes
	}
	_, err := v.lines.Out.Write(data)
	v.keep(err)
}

// note writes a line of the viewer's own between the events.
func (v *view) note(text string) {
	if v.err == nil && !v.Raw {
		_, err := fmt.Fprintf(v.lines.Out, "── %s ──\n", text)
		v.keep(err)
	}
}

// divideDays says the date where it changes, so that the lines need not.
func (v *view) divideDays(us int64) {
	day := time.UnixMicro(us).Format(time.DateOnly)
	if !v.days || day == v.day {
		return
	}
	if v.day != "" {
		v.note(day)
	}
	v.day = day
}

// forget drops what is held back, for a jump to another place.
func (v *view) forget() {
	v.lines.Forget()
	v.day = ""
}
