package recording

import (
	"encoding/binary"
	"errors"
	"math"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/switchboard-relay/switchboard/session"
)

// Screen is what a session's terminal showed behind one of its events, as it is kept beside the recording.
type Screen struct {
	Number uint64 // of the event
	Time   int64  // of it, Unix µs
	Size   session.Size
	Data   []byte // what draws it
	Debt   int64  // how far the next one is put off by those before, µs
}

// What is kept of screens.
const (
	MaxScreen           = 8 << 20   // bytes of Data that a Screen may have
	ScreensTogether     = 16        // so many are compressed together,
	ScreenBytesTogether = 512 << 10 // or as many bytes
)

const (
	screensMagic    = "SBSCR1\r\n"
	screensHeader   = 64
	blockMagic      = 0x62734253 // "SBsb"
	blockHeader     = 48
	maxTable        = ScreensTogether * 7 * binary.MaxVarintLen64
	flagComplete    = 1 // of a block: nothing comes behind it
	maxBlockPayload = MaxScreen + ScreenBytesTogether
)

var errScreens = errors.New("damaged screens")

// appendScreensHeader appends the beginning of a file: magic, version of what screens mean, start, id, CRC.
func appendScreensHeader(b []byte, version uint32, id session.ID, start int64) []byte {
	le := binary.LittleEndian
	at := len(b)
	b = append(b, make([]byte, screensHeader)...)
	h := b[at:]
	copy(h, screensMagic)
	le.PutUint32(h[8:], version)
	le.PutUint64(h[16:], uint64(start))
	copy(h[24:56], id)
	le.PutUint32(h[60:], checksum(h[:60]))
	return b
}

// goodScreensHeader reports whether the beginning of a file is whole, whatever it says.
func goodScreensHeader(h []byte) bool {
	return len(h) == screensHeader && string(h[:8]) == screensMagic &&
		binary.LittleEndian.Uint32(h[60:]) == checksum(h[:60])
}

// screenBlock says where a block lies, and what is in it.
type screenBlock struct {
	off         int64 // in the file
	table       uint32
	payload     uint32
	raw         uint32
	count       uint32
	sum         uint32 // CRC of the payload
	flags       uint32
	events      uint64 // that the session has, if the block is the last for ever
	first, last uint64 // numbers of its screens, if it has any
}

func (k *screenBlock) end() int64 {
	return k.off + blockHeader + int64(k.table) + int64(k.payload)
}

// appendScreenBlock appends screens as one block: a header, a table of what they are, and what draws them, compressed.
func appendScreenBlock(b []byte, screens []Screen, flags uint32, events uint64) []byte {
	le := binary.LittleEndian
	at := len(b)
	b = append(b, make([]byte, blockHeader)...)
	var raw []byte
	number, time := uint64(0), int64(0)
	for _, s := range screens {
		b = binary.AppendUvarint(b, s.Number-number)
		b = binary.AppendVarint(b, s.Time-time)
		b = binary.AppendUvarint(b, uint64(s.Size.Cols))
		b = binary.AppendUvarint(b, uint64(s.Size.Rows))
		b = binary.AppendUvarint(b, uint64(len(s.Data)))
		b = binary.AppendUvarint(b, uint64(s.Debt))
		raw = append(raw, s.Data...)
		number, time = s.Number, s.Time
	}
	table := len(b) - at - blockHeader
	body := len(b)
	b = screenEncoder().EncodeAll(raw, b)
	h := b[at:]
	le.PutUint32(h[0:], blockMagic)
	le.PutUint32(h[8:], uint32(table))
	le.PutUint32(h[12:], uint32(len(b)-body))
	le.PutUint32(h[16:], uint32(len(raw)))
	le.PutUint32(h[20:], checksum(b[body:]))
	le.PutUint32(h[24:], uint32(len(screens)))
	le.PutUint32(h[28:], flags)
	le.PutUint64(h[32:], events)
	le.PutUint32(h[4:], checksum(h[8:blockHeader+table]))
	return b
}

// parseBlockHeader reads the fixed part of a block's header; its CRC is that of parseBlockTable.
func parseBlockHeader(h []byte) (k screenBlock, err error) {
	le := binary.LittleEndian
	if len(h) < blockHeader || le.Uint32(h) != blockMagic {
		return k, errScreens
	}
	k = screenBlock{table: le.Uint32(h[8:]), payload: le.Uint32(h[12:]), raw: le.Uint32(h[16:]), sum: le.Uint32(h[20:]),
		count: le.Uint32(h[24:]), flags: le.Uint32(h[28:]), events: le.Uint64(h[32:])}
	if k.table > maxTable || k.count > ScreensTogether || k.payload > maxBlockPayload || k.raw > maxBlockPayload {
		return k, errScreens
	}
	return k, nil
}

// parseBlockTable reads a block's header with its table: screens without what draws them, and how long that is of each.
func parseBlockTable(h []byte) (k screenBlock, list []Screen, lengths []int, err error) {
	if k, err = parseBlockHeader(h); err != nil {
		return k, nil, nil, err
	}
	if len(h) < blockHeader+int(k.table) {
		return k, nil, nil, errScreens
	}
	h = h[:blockHeader+int(k.table)]
	if binary.LittleEndian.Uint32(h[4:]) != checksum(h[8:]) {
		return k, nil, nil, errScreens
	}
	t := tableReader{b: h[blockHeader:], ok: true}
	var s Screen
	total := 0
	for i := range k.count {
		step := t.uvarint(math.MaxInt64)
		s.Number += step
		if s.Time += t.varint(); i > 0 && step == 0 || s.Number > math.MaxInt64 {
			return k, nil, nil, errScreens
		}
		s.Size = session.Size{Cols: int(t.uvarint(session.MaxTerminal)), Rows: int(t.uvarint(session.MaxTerminal))}
		n := int(t.uvarint(MaxScreen))
		s.Debt = int64(t.uvarint(math.MaxInt64))
		if !t.ok || !s.Size.Valid() {
			return k, nil, nil, errScreens
		}
		list, lengths = append(list, s), append(lengths, n)
		total += n
	}
	if len(t.b) != 0 || total != int(k.raw) {
		return k, nil, nil, errScreens
	}
	if k.count > 0 {
		k.first, k.last = list[0].Number, s.Number
	}
	return k, list, lengths, nil
}

// parseScreenBlock reads a whole block.
func parseScreenBlock(b []byte) ([]Screen, error) {
	k, list, lengths, err := parseBlockTable(b)
	if err != nil {
		return nil, err
	}
	payload := b[blockHeader+int(k.table):]
	if len(payload) < int(k.payload) || checksum(payload[:k.payload]) != k.sum {
		return nil, errScreens
	}
	raw, err := screenDecoder().DecodeAll(payload[:k.payload], make([]byte, 0, k.raw))
	if err != nil || len(raw) != int(k.raw) {
		return nil, errScreens
	}
	for i, n := range lengths {
		list[i].Data, raw = raw[:n:n], raw[n:]
	}
	return list, nil
}

// tableReader reads numbers; ok is false once one was wrong.
type tableReader struct {
	b  []byte
	ok bool
}

func (t *tableReader) uvarint(most uint64) uint64 {
	v, n := binary.Uvarint(t.b)
	if n <= 0 || v > most {
		t.ok = false
		return 0
	}
	t.b = t.b[n:]
	return v
}

func (t *tableReader) varint() int64 {
	v, n := binary.Varint(t.b)
	if n <= 0 {
		t.ok = false
		return 0
	}
	t.b = t.b[n:]
	return v
}

// screenEncoder is shared: EncodeAll is safe for concurrent use, one at a time.
var screenEncoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
	if err != nil {
		panic("recording: " + err.Error())
	}
	return e
})

var screenDecoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(maxBlockPayload))
	if err != nil {
		panic("recording: " + err.Error())
	}
	return d
})
