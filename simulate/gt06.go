package simulate

import (
	"bytes"
	"encoding/binary"
	"time"
)

// gt06 is frames of 78 78 with a length of one byte, or 79 79 with one of two, and CRC-16/X25 behind the serial number.
type gt06 struct{}

// Types of frames.
const (
	gt06Login   = 0x01
	gt06Beat    = 0x13
	gt06Text    = 0x15 // the answer to a command
	gt06Place   = 0x22
	gt06Beat2   = 0x23
	gt06Command = 0x80
)

func (p gt06) register(b []byte, v *voice) []byte {
	v.awaits = true
	return gt06Frame(b, v, gt06Login, bcd(make([]byte, 0, 8), v.name))
}

func (p gt06) message(b []byte, v *voice, number uint64, at time.Time, size int) []byte {
	var space [512]byte
	t := at.UTC()
	body := append(space[:0], byte(t.Year()-2000), byte(t.Month()), byte(t.Day()), byte(t.Hour()), byte(t.Minute()), byte(t.Second()))
	body = append(body, 0xc9)                   // satellites
	body = append(body, 0x02, 0x6b, 0xea, 0x1a) // 22.567 N
	body = append(body, 0x0c, 0x3d, 0x5d, 0xb0) // 114.098 E
	body = append(body, 0, 0x14, 0)             // speed, course, and that it is a fix
	body = append(body, 0x01, 0xcc, 0, 0x28, 0x7d, 0, 0x1f, 0xb8, 1, 0, 0)
	overhead := 10 + len(body)
	if size > 260 {
		overhead++
	}
	body = appendMark(body, v.name, number, at, size-overhead)
	return gt06Frame(b, v, gt06Place, body)
}

func (p gt06) heartbeat(b []byte, v *voice) []byte {
	return gt06Frame(b, v, gt06Beat, []byte{0x44, 0x06, 0x04, 0x00, 0x02})
}

// gt06Frame appends a frame with the next serial number.
func gt06Frame(b []byte, v *voice, what byte, body []byte) []byte {
	v.serial++
	return gt06FrameOf(b, what, body, v.serial)
}

func gt06FrameOf(b []byte, what byte, body []byte, serial uint16) []byte {
	begin := len(b) + 2
	if n := 5 + len(body); n <= 0xff {
		b = append(b, 0x78, 0x78, byte(n), what)
	} else {
		b = append(b, 0x79, 0x79, byte(n>>8), byte(n), what)
	}
	b = append(b, body...)
	b = binary.BigEndian.AppendUint16(b, serial)
	b = binary.BigEndian.AppendUint16(b, crcX25(b[begin:]))
	return append(b, '\r', '\n')
}

func (p gt06) take(b []byte, v *voice, in []byte) (int, heard, []byte) {
	if len(in) < 2 {
		return 0, incomplete, b
	}
	var head, total int
	switch {
	case in[0] == 0x78 && in[1] == 0x78:
		if len(in) < 3 {
			return 0, incomplete, b
		}
		head, total = 3, int(in[2])+5
	case in[0] == 0x79 && in[1] == 0x79:
		if len(in) < 4 {
			return 0, incomplete, b
		}
		head, total = 4, int(binary.BigEndian.Uint16(in[2:]))+6
	default:
		if i := bytes.IndexByte(in[1:], 0x78); i >= 0 {
			return i + 1, noise, b
		}
		return len(in), noise, b
	}
	if len(in) < total {
		return 0, incomplete, b
	}
	if total < head+7 || binary.BigEndian.Uint16(in[total-4:]) != crcX25(in[2:total-4]) {
		return total, noise, b
	}
	switch in[head] {
	case gt06Login:
		return total, accepted, b
	case gt06Beat, gt06Beat2, gt06Place:
		return total, reply, b
	case gt06Command:
		return total, aCommand, p.answer(b, v, in[head+1:total-6])
	}
	return total, noise, b
}

// answer is the text of the command under the server's mark.
func (gt06) answer(b []byte, v *voice, body []byte) []byte {
	if !v.answers || len(body) < 5 {
		return b
	}
	n := min(max(int(body[0]), 4), len(body)-1)
	text := append(append([]byte(nil), body[:1+n]...), 0, 2)
	return gt06Frame(b, v, gt06Text, text)
}

// crcX25 is CRC-16/X25.
func crcX25(p []byte) uint16 { return ^crc(p, 0xffff, 0x8408) }

// crcIBM is CRC-16/IBM, which is ARC.
func crcIBM(p []byte) uint16 { return crc(p, 0, 0xa001) }

// crc is a reflected CRC of 16 bits.
func crc(p []byte, sum, polynomial uint16) uint16 {
	for _, c := range p {
		sum ^= uint16(c)
		for range 8 {
			if low := sum & 1; low != 0 {
				sum = sum>>1 ^ polynomial
			} else {
				sum >>= 1
			}
		}
	}
	return sum
}
