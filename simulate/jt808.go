package simulate

import (
	"bytes"
	"encoding/binary"
	"time"
)

// jt808 is frames between 7e and 7e, with 7d as the escape and a check of all bytes by XOR. A device registers, and shows
// the code that it gets for that.
type jt808 struct{}

// Messages.
const (
	jt808Answer    = 0x0001 // of a device, to anything
	jt808Beat      = 0x0002
	jt808Register  = 0x0100
	jt808Show      = 0x0102
	jt808Place     = 0x0200
	jt808Reply     = 0x8001 // of the server, to anything
	jt808RegisterR = 0x8100
)

const jt808Most = 1023 // bytes of a body

func (jt808) register(b []byte, v *voice) []byte {
	v.awaits = true
	body := []byte{0, 44, 1, 0x2f}      // province, city
	body = append(body, "SWBRD"...)     // who made it
	body = append(body, "SIMULATED"...) // its model, 20 bytes
	body = append(body, make([]byte, 11)...)
	body = append(body, v.name[len(v.name)-7:]...) // its own id
	body = append(body, 0)                         // no plate yet
	return jt808Frame(b, v, jt808Register, body)
}

func (jt808) message(b []byte, v *voice, number uint64, at time.Time, size int) []byte {
	var space [jt808Most + 256]byte
	body := append(space[:0], 0, 0, 0, 0, 0, 0, 0, 3)              // no alarm; moving, and where
	body = append(body, 0x01, 0x58, 0x51, 0x5a)                    // 22.565210
	body = append(body, 0x06, 0xcc, 0xf5, 0x60, 0, 30, 0, 0, 0, 0) // 114.095456, height, speed, course
	var clock [12]byte
	body = bcd(body, string(at.UTC().AppendFormat(clock[:0], "060102150405")))
	var text [jt808Most]byte
	const around = 1 + 12 + 1 + 1
	room := min(size, jt808Most) - around - len(body)
	mark := appendMark(text[:0], v.name, number, at, room-2*((room+256)/257))
	for n := 0; len(mark) > 0; n++ { // items of the maker's own, the mark in the first
		part := mark[:min(len(mark), 255)]
		body = append(append(body, 0xf1, byte(len(part))), part...)
		mark = mark[len(part):]
	}
	return jt808Frame(b, v, jt808Place, body)
}

func (jt808) heartbeat(b []byte, v *voice) []byte { return jt808Frame(b, v, jt808Beat, nil) }

// jt808Frame appends a frame with the next serial number.
func jt808Frame(b []byte, v *voice, id uint16, body []byte) []byte {
	v.serial++
	return jt808FrameOf(b, v.name, id, v.serial-1, body)
}

func jt808FrameOf(b []byte, name string, id, serial uint16, body []byte) []byte {
	body = body[:min(len(body), jt808Most)]
	var head [12]byte
	binary.BigEndian.PutUint16(head[:], id)
	binary.BigEndian.PutUint16(head[2:], uint16(len(body)))
	bcd(head[4:4], name)
	binary.BigEndian.PutUint16(head[10:], serial)
	b = append(b, 0x7e)
	var sum byte
	put := func(p []byte) {
		for _, c := range p {
			sum ^= c
			b = jt808Escape(b, c)
		}
	}
	put(head[:])
	put(body)
	return append(jt808Escape(b, sum), 0x7e)
}

func jt808Escape(b []byte, c byte) []byte {
	switch c {
	case 0x7e:
		return append(b, 0x7d, 0x02)
	case 0x7d:
		return append(b, 0x7d, 0x01)
	}
	return append(b, c)
}

func (p jt808) take(b []byte, v *voice, in []byte) (int, heard, []byte) {
	frame, used := between(in, 0x7e, 0x7e)
	if used == 2 { // the end of what was not seen
		return 1, noise, b
	}
	if used == 0 || frame == nil {
		return used, noise, b
	}
	m := bytes.ReplaceAll(frame[1:len(frame)-1], []byte{0x7d, 0x02}, []byte{0x7e})
	m = bytes.ReplaceAll(m, []byte{0x7d, 0x01}, []byte{0x7d})
	var sum byte
	for _, c := range m {
		sum ^= c
	}
	if len(m) < 13 || sum != 0 {
		return used, noise, b
	}
	id, serial, body := binary.BigEndian.Uint16(m), binary.BigEndian.Uint16(m[10:]), m[12:len(m)-1]
	switch {
	case id == jt808RegisterR && len(body) >= 3:
		if body[2] != 0 {
			return used, rejected, b
		}
		return used, halfWay, jt808Frame(b, v, jt808Show, body[3:])
	case id == jt808Reply && len(body) >= 5 && binary.BigEndian.Uint16(body[2:]) == jt808Show:
		if body[4] != 0 {
			return used, rejected, b
		}
		return used, accepted, b
	case id == jt808Reply:
		return used, reply, b
	case id&0x8000 != 0:
		if v.answers {
			b = jt808Frame(b, v, jt808Answer, append(binary.BigEndian.AppendUint16(nil, serial), byte(id>>8), byte(id), 0))
		}
		return used, aCommand, b
	}
	return used, noise, b
}
