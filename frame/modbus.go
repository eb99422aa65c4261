package frame

import "encoding/binary"

// modbusTCPCutter cuts the messages of Modbus on TCP: a transaction, two zeros, a length, a unit, and a function.
type modbusTCPCutter struct{}

const modbusTCPMax = 260

func (modbusTCPCutter) begins(p []byte) answer {
	for _, c := range p[min(len(p), 2):min(len(p), 4)] {
		if c != 0 {
			return no
		}
	}
	if len(p) > 4 && p[4] > 1 {
		return no
	}
	if len(p) < 8 {
		return unsure
	}
	n, function := binary.BigEndian.Uint16(p[4:]), p[7]
	if n < 2 || n > modbusTCPMax-6 || function == 0 || function >= 0x80 && n != 3 {
		return no
	}
	return yes
}

func (c modbusTCPCutter) cut(p []byte, w *work) int {
	switch c.begins(p) {
	case no:
		return w.seek(p, c.begins)
	case unsure:
		return w.more(len(p) + 1)
	}
	n := 6 + int(binary.BigEndian.Uint16(p[4:]))
	if len(p) < n {
		return w.more(n)
	}
	w.m.Ack = p[:2:2]
	return w.message(p, n)
}

// modbusSequence is the transaction of a request, which its response has as well.
func modbusSequence(p []byte) []byte {
	if len(p) < 8 || (modbusTCPCutter{}).begins(p) != yes {
		return nil
	}
	return p[:2:2]
}

// modbusRTUCutter cuts the messages of Modbus of serial lines: an address, a function, and CRC-16. How long they are follows from
// the function, and depends on whether they are requests or responses: the check sum tells. What has none is ended by silence.
type modbusRTUCutter struct{}

const modbusRTUMax = 256

// modbusGap is the silence unless another is set, in µs: shorter than what masters wait for a response.
const modbusGap = 500_000

func (modbusRTUCutter) begins(p []byte) answer {
	if p[0] > 247 {
		return no
	}
	if len(p) < 2 {
		return unsure
	}
	switch f := p[1] & 0x7f; {
	case f >= 1 && f <= 8, f == 0x0b, f == 0x0c, f >= 0x0f && f <= 0x11, f >= 0x14 && f <= 0x18, f == 0x2b:
		return yes
	}
	return no
}

// sizes are how long a message may be, the shortest first; 0: none. More bytes are needed where whole is false.
func (modbusRTUCutter) sizes(p []byte) (short, long int, whole bool) {
	if len(p) < 4 {
		return 0, 0, false
	}
	counted := 5 + int(p[2])
	short, long = counted, 8
	switch p[1] {
	case 1, 2, 3, 4:
	case 5, 6, 8:
		long = 0
		short = 8
	case 7:
		short, long = 4, 5
	case 0x0b:
		short, long = 4, 8
	case 0x0c, 0x11:
		short, long = 4, counted
	case 0x0f, 0x10:
		if len(p) < 7 {
			return 0, 0, false
		}
		short, long = 8, 9+int(p[6])
	case 0x14, 0x15:
		long = 0
	case 0x16:
		short, long = 10, 0
	case 0x17:
		if len(p) < 11 && len(p) < counted {
			return 0, 0, false
		}
		if long = 0; len(p) >= 11 {
			long = 13 + int(p[10])
		}
	case 0x18:
		short, long = 6, 6+int(binary.BigEndian.Uint16(p[2:]))
	case 0x2b:
		return 0, 0, true
	default:
		short, long = 5, 0
	}
	if long > 0 && long < short {
		short, long = long, short
	}
	return short, long, true
}

// sound is how long the message is with which p begins, by its check sum: yes; or no message does.
func (c modbusRTUCutter) sound(p []byte) (int, answer) {
	if begins := c.begins(p); begins != yes {
		return 0, begins
	}
	short, long, whole := c.sizes(p)
	if !whole {
		return 0, unsure
	}
	for _, n := range [...]int{short, long} {
		if n < 4 || n > modbusRTUMax {
			continue
		}
		if len(p) < n {
			return n, unsure
		}
		if crcModbus(p[:n-2]) == binary.LittleEndian.Uint16(p[n-2:]) {
			return n, yes
		}
	}
	return 0, no
}

func (c modbusRTUCutter) cut(p []byte, w *work) int {
	n, sound := c.sound(p)
	if sound == yes {
		return w.message(p, n)
	}
	if sound == unsure && !w.final {
		return w.more(max(n, len(p)+1))
	}
	if w.final && len(p) >= 4 && len(p) <= modbusRTUMax && crcModbus(p[:len(p)-2]) == binary.LittleEndian.Uint16(p[len(p)-2:]) {
		return w.message(p, len(p)) // a function that is not known
	}
	if n := w.seek(p, func(p []byte) answer { _, is := c.sound(p); return is }); n > 0 {
		w.m.Kind = Data
		return w.flagged(p, n, BadCheck)
	}
	return 0
}

// tpktCutter cuts TPKT, RFC 1006: 3, 0, and a length with which all is counted. S7 goes in it.
type tpktCutter struct{ limit int }

func (c tpktCutter) begins(p []byte) answer {
	if p[0] != 3 || len(p) > 1 && p[1] != 0 {
		return no
	}
	if len(p) < 4 {
		return unsure
	}
	if n := int(binary.BigEndian.Uint16(p[2:])); n < 7 || n > c.limit {
		return no
	}
	return yes
}

func (c tpktCutter) cut(p []byte, w *work) int {
	switch c.begins(p) {
	case no:
		return w.seek(p, c.begins)
	case unsure:
		return w.more(len(p) + 1)
	}
	n := int(binary.BigEndian.Uint16(p[2:]))
	if len(p) < n {
		return w.more(n)
	}
	return w.message(p, n)
}
