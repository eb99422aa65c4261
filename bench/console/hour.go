//go:build linux

package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/switchboard-relay/switchboard/session"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// writeHour writes a session of an hour, as docs/recording-format.md says: a segment of the journal as a crash leaves it, out
// of which the next start makes a recording. make gives the i-th of so many events a second.
func writeHour(data string, segment int, info session.Info, kind session.Kind, perSecond int, make func(i int) []byte) error {
	folder := filepath.Join(data, "journal")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	opened, err := json.Marshal(info)
	if err != nil {
		return err
	}
	file := []byte("SBSEG1\r\n")
	number := uint64(1)
	for second := range 3600 {
		c := chunk{id: info.ID, first: number, began: info.Start + int64(second)*1e6}
		if second == 0 {
			c.add(session.Opened, info.Start, opened)
		}
		for i := range perSecond {
			c.add(kind, c.began+int64(i)*1e6/int64(perSecond), make(second*perSecond+i))
		}
		number += uint64(c.count)
		file = c.append(file)
	}
	return os.WriteFile(filepath.Join(folder, fmt.Sprintf("%08d.seg", segment)), file, 0o600)
}

// chunk is consecutive events of one session: the payload of a record.
type chunk struct {
	id          session.ID
	first       uint64
	began, last int64 // Unix µs
	count       uint32
	payload     []byte
	flags       byte
}

func (c *chunk) add(kind session.Kind, at int64, data []byte) {
	const opens = 2
	if kind == session.Opened {
		c.flags |= opens
	}
	c.payload = binary.LittleEndian.AppendUint32(c.payload, uint32(kind)|uint32(len(data))<<8)
	c.payload = binary.LittleEndian.AppendUint32(c.payload, uint32(at-c.began))
	c.payload = append(c.payload, data...)
	c.last = at
	c.count++
}

// append appends the record: its header and its payload.
func (c *chunk) append(to []byte) []byte {
	h := make([]byte, 96)
	le := binary.LittleEndian
	copy(h, "SBc1")
	le.PutUint32(h[8:], crc32.Checksum(c.payload, castagnoli))
	le.PutUint32(h[12:], uint32(len(c.payload)))
	le.PutUint32(h[16:], uint32(len(c.payload)))
	le.PutUint32(h[20:], c.count)
	le.PutUint64(h[24:], c.first)
	le.PutUint64(h[32:], uint64(c.began))
	le.PutUint64(h[40:], uint64(c.last))
	h[48] = c.flags
	copy(h[64:], c.id)
	le.PutUint32(h[4:], crc32.Checksum(h[8:], castagnoli))
	return append(append(to, h...), c.payload...)
}
