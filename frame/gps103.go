package frame

import "bytes"

// gps103Cutter cuts the messages of GPS103, also called Coban: text that ends with ";", "\r" or "\n", and, as a heartbeat, an
// IMEI without anything behind it.
type gps103Cutter struct{ limit int }

const imeiDigits = 15

var (
	gps103Load = []byte("LOAD")
	gps103On   = []byte("ON")
	imeiIs     = []byte("imei:")
)

func (gps103Cutter) begins(p []byte) answer {
	switch c := p[0]; {
	case c == '#', c >= '0' && c <= '9':
		return yes
	}
	return startsWith(p, imeiIs)
}

func (c gps103Cutter) cut(p []byte, w *work) int {
	if p[0] >= '0' && p[0] <= '9' {
		if head := p[:min(len(p), imeiDigits)]; isDigits(head) {
			if len(head) < imeiDigits && !w.final {
				return w.more(len(p) + 1)
			}
			if len(head) == imeiDigits {
				w.m.Kind = Heartbeat
				w.say(head)
				w.m.Reply = gps103On
				return w.message(p, imeiDigits)
			}
		}
	}
	end := min(len(p), c.limit)
	i := bytes.IndexByte(p[w.scan:end], ';')
	if i >= 0 {
		end = w.scan + i
	}
	for _, c := range [...]byte{'\r', '\n'} {
		if k := bytes.IndexByte(p[w.scan:end], c); k >= 0 {
			i, end = k, w.scan+k
		}
	}
	if i < 0 {
		return w.tooLong(p, c.limit)
	}
	text := p[:end]
	if i := bytes.Index(text, imeiIs); i >= 0 {
		id, rest, _ := bytes.Cut(text[i+len(imeiIs):], comma)
		if isDigits(id) && len(id) <= 20 {
			w.say(id)
			if text[0] == '#' && string(rest) == "A" {
				w.m.Kind = Registration
				w.m.Reply = gps103Load
			}
		}
	}
	w.message(p, end)
	return end + 1
}
