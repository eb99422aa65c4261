package frame

import "bytes"

// tk103Cutter cuts the messages of TK103: text from "(" to ")".
type tk103Cutter struct{ betweenCutter }

func makeTK103(limit int) *tk103Cutter {
	return &tk103Cutter{betweenCutter{start: []byte("("), end: []byte(")"), only: -1, restarts: true, limit: limit}}
}

func (c *tk103Cutter) cut(p []byte, w *work) int {
	n := c.betweenCutter.cut(p, w)
	if n == 0 || w.m.Kind == Junk || w.m.Flags != 0 {
		return n
	}
	text := p[1 : n-1]
	w.message(p, n)
	digits := 0
	for digits < len(text) && text[digits] >= '0' && text[digits] <= '9' {
		digits++
	}
	id, kind := text[:digits], bytes.TrimPrefix(text[digits:], comma)
	if digits == 0 || len(kind) < 4 {
		return n
	}
	w.say(id)
	switch string(kind[:4]) {
	case "BP05":
		w.m.Kind = Registration
		w.answer(tk103Reply(w.reply[:0], id, "AP05)"))
	case "BP00":
		w.m.Kind = Heartbeat
		w.answer(tk103Reply(w.reply[:0], id, "AP01HSO)"))
	}
	return n
}

func tk103Reply(b, id []byte, rest string) []byte {
	b = append(b, '(')
	b = append(b, id...)
	return append(b, rest...)
}
