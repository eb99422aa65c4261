package simulate

import (
	"encoding/binary"
	"time"
)

// teltonika is a device's IMEI, then packets of codec 8 extended with CRC-16/IBM, each of which is answered with how many
// records it had. Commands come as codec 12.
type teltonika struct{}

// Codecs, and the types of codec 12.
const (
	codec8E         = 0x8e
	codec12         = 0x0c
	codec12Command  = 5
	codec12Response = 6
)

func (teltonika) register(b []byte, v *voice) []byte {
	v.awaits = true
	return append(binary.BigEndian.AppendUint16(b, uint16(len(v.name))), v.name...)
}

func (teltonika) message(b []byte, v *voice, number uint64, at time.Time, size int) []byte {
	var space [512]byte
	body := append(space[:0], codec8E, 1)
	body = binary.BigEndian.AppendUint64(body, uint64(at.UnixMilli()))
	body = append(body, 0)                                                          // priority
	body = append(body, 0x44, 0x01, 0xb9, 0xb0, 0x0d, 0x73, 0x44, 0xb8)             // 114.1 E, 22.6 N
	body = append(body, 0, 30, 0, 0, 9, 0, 0)                                       // height, angle, satellites, speed
	body = append(body, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x27, 0x10, 0, 0) // no event; one element, of any length
	at0 := len(body)
	body = appendMark(body, v.name, number, at, size-len(body)-1-12)
	binary.BigEndian.PutUint16(body[at0-2:], uint16(len(body)-at0))
	return teltonikaFrame(b, append(body, 1))
}

// teltonikaFrame appends a packet around what stands between its length and its check.
func teltonikaFrame(b, body []byte) []byte {
	b = binary.BigEndian.AppendUint32(append(b, 0, 0, 0, 0), uint32(len(body)))
	b = append(b, body...)
	return binary.BigEndian.AppendUint32(b, uint32(crcIBM(body)))
}

func (teltonika) heartbeat(b []byte, v *voice) []byte { return append(b, 0xff) }

func (teltonika) take(b []byte, v *voice, p []byte) (int, heard, []byte) {
	if v.awaits {
		if p[0] == 1 {
			return 1, accepted, b
		}
		return 1, rejected, b
	}
	if len(p) < 4 {
		return 0, incomplete, b
	}
	if binary.BigEndian.Uint32(p) != 0 {
		return 4, reply, b
	}
	if len(p) < 8 {
		return 0, incomplete, b
	}
	total := 12 + int(binary.BigEndian.Uint32(p[4:])&0xffff)
	if len(p) < total {
		return 0, incomplete, b
	}
	body := p[8 : total-4]
	if uint32(crcIBM(body)) != binary.BigEndian.Uint32(p[total-4:]) || len(body) < 8 || body[0] != codec12 || body[2] != codec12Command {
		return total, noise, b
	}
	if v.answers {
		body = append([]byte(nil), body...)
		body[2] = codec12Response
		b = teltonikaFrame(b, body)
	}
	return total, aCommand, b
}
