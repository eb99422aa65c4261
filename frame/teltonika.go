package frame

import "encoding/binary"

// teltonikaCutter cuts what trackers of Teltonika send: on TCP an IMEI with its length, a ping of one byte, and data: four zeros, a
// length, a codec, records and CRC-16/IBM; in datagrams packets with an IMEI and records.
type teltonikaCutter struct{ limit int }

// Codecs of records, which are acknowledged with their number; others are answers to commands.
const (
	codec8, codec8Extended, codec16 = 0x08, 0x8e, 0x10
)

var teltonikaAccept, teltonikaRefuse = []byte{1}, []byte{0}

func (c teltonikaCutter) begins(p []byte) answer {
	if p[0] == 0xff {
		return yes
	}
	return c.frame(p)
}

// frame reports whether p begins as an IMEI or data do.
func (c teltonikaCutter) frame(p []byte) answer {
	if p[0] != 0 {
		return no
	}
	if len(p) < 2 {
		return unsure
	}
	if n := int(p[1]); n != 0 { // an IMEI
		if n < 8 || n > 20 {
			return no
		}
		for _, b := range p[2:min(len(p), 2+n)] {
			if b < '0' || b > '9' {
				return no
			}
		}
		if len(p) < 2+n {
			return unsure
		}
		return yes
	}
	for _, b := range p[2:min(len(p), 4)] {
		if b != 0 {
			return no
		}
	}
	if len(p) < 9 {
		return unsure
	}
	if n := binary.BigEndian.Uint32(p[4:]); n < 4 || n > uint32(c.limit-12) {
		return no
	}
	switch p[8] {
	case 7, codec8, codec8Extended, codec16, 0x0c, 0x0d, 0x0e, 0x0f:
		return yes
	}
	return no
}

func (c teltonikaCutter) cut(p []byte, w *work) int {
	if p[0] == 0xff {
		w.m.Kind = Heartbeat
		return w.message(p, 1)
	}
	if w.final && c.datagram(p, w) {
		return w.message(p, len(p))
	}
	switch c.frame(p) {
	case no:
		return w.seek(p, c.frame)
	case unsure:
		return w.more(len(p) + 1)
	}
	if n := int(p[1]); n != 0 {
		w.m.Kind = Registration
		w.m.Reply, w.m.Refusal = teltonikaAccept, teltonikaRefuse
		w.say(p[2 : 2+n])
		return w.message(p, 2+n)
	}
	n := 12 + int(binary.BigEndian.Uint32(p[4:]))
	if len(p) < n {
		if w.final { // the length may lie: a message may begin within
			return c.within(p, w)
		}
		return w.more(n)
	}
	data, count := p[8:n-4], p[9]
	if binary.BigEndian.Uint32(p[n-4:]) != uint32(crcIBM(data)) {
		if data[len(data)-1] != count { // the length is wrong as well: a message may begin within
			if i := c.within(p[:n], w); i > 0 {
				return i
			}
		}
		return w.flagged(p, n, BadCheck)
	}
	switch p[8] {
	case codec8, codec8Extended, codec16:
		w.answer(append(w.reply[:0], 0, 0, 0, count))
	}
	return w.message(p, n)
}

// within makes a message of what is before the beginning of another in p, if there is one.
func (c teltonikaCutter) within(p []byte, w *work) int {
	for i := 1; i < len(p); i++ {
		if c.frame(p[i:]) == yes {
			return w.flagged(p, i, BadCheck|BadLength)
		}
	}
	return 0
}

// datagram reports whether p is a packet of UDP: its length, an id, 01, an id of the data, an IMEI with its length, and records.
func (teltonikaCutter) datagram(p []byte, w *work) bool {
	if len(p) < 10 || int(binary.BigEndian.Uint16(p)) != len(p)-2 || p[4] != 1 {
		return false
	}
	imei := int(binary.BigEndian.Uint16(p[6:]))
	if len(p) < 8+imei+2 || !isDigits(p[8:8+imei]) {
		return false
	}
	w.say(p[8 : 8+imei])
	w.answer(append(w.reply[:0], 0, 5, p[2], p[3], 1, p[5], p[8+imei+1]))
	return true
}
