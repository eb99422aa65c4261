package recording

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/switchboard-relay/switchboard/session"
)

// A record carries one chunk of one session, in the journal's segments and in sealed files alike.
// docs/recording-format.md describes it byte by byte.
const (
	recordMagic  = 0x31634253 // "SBc1", little-endian
	headerSize   = 96
	idSize       = 32
	maxPayload   = 17 << 20
	maxRaw       = 17 << 20
	maxEventData = 1<<24 - 1

	flagZstd    = 1 << 0 // the payload is compressed
	flagOpens   = 1 << 1 // holds the Opened event
	flagCloses  = 1 << 2 // holds the Closed event
	flagPassed  = 1 << 3 // it is known how many bytes passed: see passed
	flagWatched = 1 << 4 // holds Watched events
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is what stands before a payload.
type header struct {
	payloadCRC uint32
	length     uint32 // of the payload as it is stored
	raw        uint32 // of the payload once decompressed
	count      uint32 // events
	first      uint64 // number of the first event
	t0, t1     int64  // times of the first and the last event, Unix µs
	flags      uint8
	passed     passed
	id         session.ID
}

func (h *header) put(b []byte) {
	clear(b[:headerSize])
	le := binary.LittleEndian
	le.PutUint32(b[0:], recordMagic)
	le.PutUint32(b[8:], h.payloadCRC)
	le.PutUint32(b[12:], h.length)
	le.PutUint32(b[16:], h.raw)
	le.PutUint32(b[20:], h.count)
	le.PutUint64(b[24:], h.first)
	le.PutUint64(b[32:], uint64(h.t0))
	le.PutUint64(b[40:], uint64(h.t1))
	le.PutUint64(b[48:], mark(h.flags, h.passed))
	copy(b[64:headerSize], h.id)
	le.PutUint32(b[4:], crc32.Checksum(b[8:headerSize], castagnoli))
}

var errHeader = errors.New("damaged header")

// parseHeader reads a header and checks it whole: magic, CRC and limits.
func parseHeader(b []byte) (h header, err error) {
	le := binary.LittleEndian
	if len(b) < headerSize || le.Uint32(b) != recordMagic || le.Uint32(b[4:]) != crc32.Checksum(b[8:headerSize], castagnoli) {
		return h, errHeader
	}
	h = header{payloadCRC: le.Uint32(b[8:]), length: le.Uint32(b[12:]), raw: le.Uint32(b[16:]), count: le.Uint32(b[20:]),
		first: le.Uint64(b[24:]), t0: int64(le.Uint64(b[32:])), t1: int64(le.Uint64(b[40:]))}
	h.flags, h.passed = parseMark(le.Uint64(b[48:]))
	id := b[64:headerSize]
	n := 0
	for n < idSize && id[n] != 0 {
		n++
	}
	h.id = session.ID(id[:n])
	if h.length > maxPayload || h.raw > maxRaw || h.count == 0 || h.first == 0 || uint64(h.count)*eventHeader > uint64(h.raw) {
		return h, errHeader
	}
	return h, nil
}

// An event in a payload: kind (1 byte), length of the data (3 bytes), µs since the chunk's first event (4 bytes), data.
const eventHeader = 8

func putEventHeader(b []byte, k session.Kind, n int, delta uint32) {
	binary.LittleEndian.PutUint32(b, uint32(k)|uint32(n)<<8)
	binary.LittleEndian.PutUint32(b[4:], delta)
}

var errPayload = errors.New("damaged payload")

// parseEvents appends the events of a raw payload that begins at number first and time t0. Their data are parts of raw.
func parseEvents(events []session.Event, raw []byte, first uint64, t0 int64) ([]session.Event, error) {
	for number := first; len(raw) > 0; number++ {
		if len(raw) < eventHeader {
			return events, errPayload
		}
		word := binary.LittleEndian.Uint32(raw)
		n := int(word >> 8)
		delta := binary.LittleEndian.Uint32(raw[4:])
		if len(raw)-eventHeader < n {
			return events, errPayload
		}
		events = append(events, session.Event{Number: number, Time: t0 + int64(delta), Kind: session.Kind(word & 0xff),
			Data: raw[eventHeader : eventHeader+n : eventHeader+n]})
		raw = raw[eventHeader+n:]
	}
	return events, nil
}

// unpack checks a stored payload and gives it back raw; dst is reused if it is large enough.
func unpack(h *header, payload, dst []byte) ([]byte, error) {
	if crc32.Checksum(payload, castagnoli) != h.payloadCRC {
		return nil, errPayload
	}
	if h.flags&flagZstd == 0 {
		if uint32(len(payload)) != h.raw {
			return nil, errPayload
		}
		return payload, nil
	}
	raw, err := decoder().DecodeAll(payload, dst[:0])
	if err != nil || uint32(len(raw)) != h.raw {
		return nil, fmt.Errorf("%w: %v", errPayload, err)
	}
	return raw, nil
}
