package export

import (
	"strconv"

	"github.com/switchboard-relay/switchboard/session"
)

// dump writes each event's bytes as hexdump -C does. Offsets count the bytes of one direction.
type dump struct {
	page
	offset [2]uint64
	line   []byte
}

func (d *dump) event(e session.Event) {
	d.begin(e)
	if !d.direction.Shows(e.Kind) {
		return
	}
	data := e.Data
	switch e.Kind {
	case session.Received, session.Sent:
	case session.Message:
		if m, err := session.ParseRoomMessage(e.Data); err == nil {
			data = m.Bytes
		}
	default:
		d.tell(e)
		return
	}
	d.heading(e.Time, e.Kind)
	d.line = strconv.AppendInt(d.line[:0], int64(len(data)), 10)
	d.page.line(append(d.line, " bytes"...))
	d.rows(&d.offset[e.Kind&1], data)
}

const perRow = 16

func (d *dump) rows(offset *uint64, data []byte) {
	for len(data) > 0 {
		row := data[:min(perRow, len(data))]
		d.line = append(appendRow(d.line[:0], *offset, row), '\n')
		d.out.Write(d.line)
		*offset += uint64(len(row))
		data = data[len(row):]
	}
}

// appendRow appends one row: the offset, the bytes in two groups of eight, and their characters.
func appendRow(b []byte, offset uint64, row []byte) []byte {
	for shift := 28; shift >= 0; shift -= 4 {
		b = append(b, hexDigits[offset>>shift&15])
	}
	b = append(b, ' ')
	for i := range perRow {
		if i%8 == 0 {
			b = append(b, ' ')
		}
		if i < len(row) {
			b = append(b, hexDigits[row[i]>>4], hexDigits[row[i]&15], ' ')
		} else {
			b = append(b, ' ', ' ', ' ')
		}
	}
	b = append(b, ' ', '|')
	for _, c := range row {
		if c < ' ' || c > '~' {
			c = '.'
		}
		b = append(b, c)
	}
	return append(b, '|')
}

func (d *dump) end() {}
