//go:build linux

package benchkit

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"github.com/switchboard-relay/switchboard/session"
)

// Past writes a session that was, in recorded time, as docs/recording-format.md says: segments of the journal as a crash
// leaves them, out of which the next start makes a recording. Its records are those of a live session that is alone: they end
// by their age.
type Past struct {
	folder  string
	segment int
	file    []byte
	encoder *zstd.Encoder

	id          session.ID
	next        uint64 // number of the next event
	began, last int64  // of the open record, Unix µs
	count       uint32
	payload     []byte
	flags       byte
}

const (
	pastAge     = 200_000  // µs in a record
	pastRecord  = 60 << 10 // bytes in one
	pastLeast   = 512      // that are compressed
	pastSegment = 32 << 20 // bytes
	pastOpens   = 1 << 1   // flags of records
	pastPacked  = 1 << 0
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// NewPast begins a session in the journal of a data folder, at its segment of a number and those that follow.
func NewPast(data string, segment int, info session.Info) (*Past, error) {
	p := &Past{folder: filepath.Join(data, "journal"), segment: segment, id: info.ID, next: 1}
	opened, err := json.Marshal(info)
	if err != nil {
		return nil, err
	}
	p.encoder, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(256<<10), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, err
	}
	p.flags = pastOpens
	return p, errOr(os.MkdirAll(p.folder, 0o700), func() error { return p.Add(session.Opened, info.Start, opened) })
}

func errOr(err error, f func() error) error {
	if err != nil {
		return err
	}
	return f()
}

// Add adds an event; its time, Unix µs, must not be before the last.
func (p *Past) Add(kind session.Kind, at int64, data []byte) error {
	if p.count > 0 && (at-p.began > pastAge || len(p.payload)+len(data) > pastRecord) {
		if err := p.write(); err != nil {
			return err
		}
	}
	if p.count == 0 {
		p.began = at
	}
	p.payload = binary.LittleEndian.AppendUint32(p.payload, uint32(kind)|uint32(len(data))<<8)
	p.payload = binary.LittleEndian.AppendUint32(p.payload, uint32(at-p.began))
	p.payload = append(p.payload, data...)
	p.last = at
	p.count++
	return nil
}

// Events is how many there are.
func (p *Past) Events() uint64 { return p.next - 1 + uint64(p.count) }

// Close writes what is left.
func (p *Past) Close() error { return errOr(p.write(), p.flush) }

// write ends the open record.
func (p *Past) write() error {
	if p.count == 0 {
		return nil
	}
	stored, flags := p.payload, p.flags
	if len(stored) >= pastLeast {
		if packed := p.encoder.EncodeAll(stored, nil); len(packed) < len(stored)-len(stored)/16 {
			stored, flags = packed, flags|pastPacked
		}
	}
	h := make([]byte, 96)
	le := binary.LittleEndian
	copy(h, "SBc1")
	le.PutUint32(h[8:], crc32.Checksum(stored, castagnoli))
	le.PutUint32(h[12:], uint32(len(stored)))
	le.PutUint32(h[16:], uint32(len(p.payload)))
	le.PutUint32(h[20:], p.count)
	le.PutUint64(h[24:], p.next)
	le.PutUint64(h[32:], uint64(p.began))
	le.PutUint64(h[40:], uint64(p.last))
	h[48] = flags
	copy(h[64:], p.id)
	le.PutUint32(h[4:], crc32.Checksum(h[8:], castagnoli))
	if len(p.file) == 0 {
		p.file = append(p.file, "SBSEG1\r\n"...)
	}
	p.file = append(append(p.file, h...), stored...)
	p.next += uint64(p.count)
	p.count, p.payload, p.flags = 0, p.payload[:0], 0
	if len(p.file) < pastSegment {
		return nil
	}
	return p.flush()
}

// flush writes the segment.
func (p *Past) flush() error {
	if len(p.file) == 0 {
		return nil
	}
	err := os.WriteFile(filepath.Join(p.folder, fmt.Sprintf("%08d.seg", p.segment)), p.file, 0o600)
	p.segment++
	p.file = p.file[:0]
	return err
}
