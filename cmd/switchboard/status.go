package main

import (
	"bufio"
	"fmt"
	"strconv"
	"time"
)

// statusLine is the line below what a player shows. A nil statusLine shows nothing.
type statusLine struct {
	w      *bufio.Writer
	width  func() int
	events uint64 // of the session, when playing began
	shown  string
}

// clear removes the line, so that events can be written in its place.
func (s *statusLine) clear() {
	if s != nil && s.shown != "" {
		s.w.WriteString("\r\x1b[K")
		s.w.Flush()
		s.shown = ""
	}
}

// draw writes the line anew if it changed.
func (s *statusLine) draw(p *player) {
	if s == nil {
		return
	}
	text := shorten(s.text(p), max(s.width()-1, 1))
	if text == s.shown {
		return
	}
	s.w.WriteString("\r\x1b[K\x1b[7m" + text + "\x1b[0m")
	s.shown = text
}

func (s *statusLine) text(p *player) string {
	sign, end := "▶", "live"
	if p.paused {
		sign = "❚❚"
	}
	if p.length > 0 {
		end = formatOffset(p.length.Microseconds(), false)
	}
	at := formatOffset(p.now().Truncate(time.Second).Microseconds(), false)
	return fmt.Sprintf(" %s %s / %s  %s×  event %d of %d   space pause  ←→ seek  ↑↓ speed  . step  q quit ",
		sign, at, end, strconv.FormatFloat(p.speed, 'g', 4, 64), p.number, max(s.events, p.number))
}
