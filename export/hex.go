package export

import (
	"strconv"

	"github.com/switchboard-relay/switchboard/session"
)

// dump writes data under the heading as hexdump -C does.
func (l *Lines) dump(e session.Event, data []byte) {
	l.heading(e.Time, e.Kind)
	l.text = strconv.AppendInt(append(l.text, l.head...), int64(len(data)), 10)
	l.text = append(l.text, " bytes\n"...)
	offset := &l.stream(e.Kind).offset
	for len(data) > 0 {
		row := data[:min(perRow, len(data))]
		l.text = append(appendRow(l.text, *offset, row), '\n')
		*offset += uint64(len(row))
		data = data[len(row):]
	}
}

const perRow = 16

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
