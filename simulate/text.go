package simulate

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// plain has no registration: its messages are nothing but a mark, with or without an end.
type plain struct{ end string }

func (plain) register(b []byte, v *voice) []byte { return b }

func (p plain) message(b []byte, v *voice, number uint64, at time.Time, size int) []byte {
	return append(appendMark(b, v.name, number, at, size-len(p.end)), p.end...)
}

func (p plain) heartbeat(b []byte, v *voice) []byte { return append(append(b, "PING"...), p.end...) }

// take takes all that there is for one command, unless it begins with what a registration is answered.
func (plain) take(b []byte, v *voice, p []byte) (int, heard, []byte) {
	if v.awaits && v.reply != "" {
		switch {
		case len(p) < len(v.reply) && strings.HasPrefix(v.reply, string(p)):
			return 0, incomplete, b
		case bytes.HasPrefix(p, []byte(v.reply)):
			return len(v.reply), accepted, b
		}
	}
	return len(p), aCommand, echo(b, v, p)
}

func echo(b []byte, v *voice, p []byte) []byte {
	if v.answers {
		b = append(b, p...)
	}
	return b
}

// etung registers as protocol document, section 5, says; its messages are lines.
type etung struct{ plain }

func (etung) register(b []byte, v *voice) []byte {
	v.awaits = v.reply != ""
	return fmt.Appendf(b, "ETUNG:%s\n", v.name)
}

func (etung) message(b []byte, v *voice, number uint64, at time.Time, size int) []byte {
	return append(appendMark(b, v.name, number, at, size-1), '\n')
}

func (etung) heartbeat(b []byte, v *voice) []byte { return append(b, "PING\n"...) }

// h02 is text between * and #. It has no registration: each message says who the device is.
type h02 struct{}

func (h02) report(b []byte, v *voice, at time.Time) []byte {
	b = append(append(append(b, "*HQ,"...), v.name...), ",V1,"...)
	b = at.UTC().AppendFormat(b, "150405")
	b = append(b, ",A,2234.0297,N,11405.9101,E,0.00,000,"...)
	b = at.UTC().AppendFormat(b, "020106")
	return append(b, ",FFFFFBFF"...)
}

func (p h02) register(b []byte, v *voice) []byte { return append(p.report(b, v, time.Now()), '#') }

func (p h02) message(b []byte, v *voice, number uint64, at time.Time, size int) []byte {
	begin := len(b)
	b = append(p.report(b, v, at), ',')
	return append(appendMark(b, v.name, number, at, size-1-(len(b)-begin)), '#')
}

func (h02) heartbeat(b []byte, v *voice) []byte { return fmt.Appendf(b, "*HQ,%s,HTBT,100#", v.name) }

func (h02) take(b []byte, v *voice, p []byte) (int, heard, []byte) {
	frame, used := between(p, '*', '#')
	if used == 0 || frame == nil {
		return used, noise, b
	}
	fields := strings.Split(string(frame[1:len(frame)-1]), ",")
	if len(fields) < 3 {
		return used, noise, b
	}
	switch fields[2] {
	case "V4", "R12":
		return used, reply, b
	}
	if v.answers {
		b = fmt.Appendf(b, "*HQ,%s,V4,%s,%s#", v.name, strings.Join(fields[2:], ","), time.Now().UTC().Format("20060102150405"))
	}
	return used, aCommand, b
}

// between finds a frame from start to end. What comes before is used without one.
func between(p []byte, start, end byte) (frame []byte, used int) {
	i := bytes.IndexByte(p, start)
	if i != 0 {
		if i < 0 {
			i = len(p)
		}
		return nil, i
	}
	n := bytes.IndexByte(p[1:], end)
	if n < 0 {
		return nil, 0
	}
	return p[:n+2], n + 2
}

// tk103 is text in parentheses, after a name of 12 digits and a word of four.
type tk103 struct{}

const tk103Place = "A2234.0297N11405.9101E000.0"

func (tk103) register(b []byte, v *voice) []byte {
	v.awaits = true
	at := time.Now().UTC()
	return fmt.Appendf(b, "(%sBP05000%s%s%s%s000.0001000000L00000000)", v.name, v.name, at.Format("060102"), tk103Place, at.Format("150405"))
}

func (tk103) message(b []byte, v *voice, number uint64, at time.Time, size int) []byte {
	begin := len(b)
	b = append(append(append(b, '('), v.name...), "BR00"...)
	b = at.UTC().AppendFormat(b, "060102")
	b = append(b, tk103Place...)
	b = at.UTC().AppendFormat(b, "150405")
	b = append(b, "000.0001000000L00000000,"...)
	return append(appendMark(b, v.name, number, at, size-1-(len(b)-begin)), ')')
}

func (tk103) heartbeat(b []byte, v *voice) []byte { return fmt.Appendf(b, "(%sBP00HSO)", v.name) }

func (tk103) take(b []byte, v *voice, p []byte) (int, heard, []byte) {
	frame, used := between(p, '(', ')')
	if used == 0 || len(frame) < 18 {
		return used, noise, b
	}
	switch string(frame[13:17]) {
	case "AP05":
		return used, accepted, b
	case "AP01":
		return used, reply, b
	}
	return used, aCommand, echo(b, v, frame)
}

// gps103 is text that ends in ;. What the server says has no end.
type gps103 struct{}

func (gps103) register(b []byte, v *voice) []byte {
	v.awaits = true
	return fmt.Appendf(b, "##,imei:%s,A;", v.name)
}

func (gps103) message(b []byte, v *voice, number uint64, at time.Time, size int) []byte {
	begin := len(b)
	b = append(append(append(b, "imei:"...), v.name...), ",tracker,"...)
	b = at.UTC().AppendFormat(b, "0601021504")
	b = append(b, ",,F,"...)
	b = at.UTC().AppendFormat(b, "150405")
	b = append(b, ".000,A,2234.0297,N,11405.9101,E,0.00,"...)
	return append(appendMark(b, v.name, number, at, size-1-(len(b)-begin)), ';')
}

func (gps103) heartbeat(b []byte, v *voice) []byte { return append(b, v.name...) }

func (gps103) take(b []byte, v *voice, p []byte) (int, heard, []byte) {
	for word, h := range map[string]heard{"LOAD": accepted, "ON": reply} {
		if len(p) < len(word) && strings.HasPrefix(word, string(p)) {
			return 0, incomplete, b
		}
		if bytes.HasPrefix(p, []byte(word)) {
			return len(word), h, b
		}
	}
	if i := bytes.IndexByte(p, ';'); i >= 0 && i+1 < len(p) {
		p = p[:i+1]
	}
	return len(p), aCommand, echo(b, v, p)
}
