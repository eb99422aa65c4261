package frame_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/frame"
)

// benched are framers with a message of theirs of 64 bytes or somewhat more.
func benched(t testing.TB) []struct {
	name    string
	dialect *frame.Dialect
	message []byte
} {
	pay := strings.Repeat("abcdefg ", 8)
	type row = struct {
		name    string
		dialect *frame.Dialect
		message []byte
	}
	one := func(f frame.FramerSpec) *frame.Dialect { return compile(t, frame.Spec{Framers: frame.FramerSpecs{f}}) }
	rows := []row{
		{"raw", dialect(t, "raw"), []byte(pay)},
		{"line", dialect(t, "line"), []byte(pay + "\r\n")},
		{"delimiters", one(frame.FramerSpec{Type: "delimiters", Delimiters: []string{`##\r\n`, "##", ";"}}), []byte(pay + "##\r\n")},
		{"delimiters that begin alike", one(frame.FramerSpec{Type: "delimiters", Delimiters: []string{`##\r\n`, "##"}}), []byte(pay + "##\r\n")},
		{"between", one(frame.FramerSpec{Type: "between", Start: "(", End: ")"}), []byte("(" + pay + ")")},
		{"between, with escapes", one(frame.FramerSpec{Type: "between", Start: "hex:7e", End: "hex:7e", Escape: map[string]string{"hex:7d02": "hex:7e", "hex:7d01": "hex:7d"}}),
			[]byte("~" + pay + "}\x02 ~")},
		{"fixed", one(frame.FramerSpec{Type: "fixed", Size: 64}), []byte(pay)},
		{"length", one(frame.FramerSpec{Type: "length", Width: 2}), append([]byte{0, 64}, pay...)},
		{"length with sync and crc16-x25", one(frame.FramerSpec{Type: "length", Offset: 2, Width: 2, Sync: "hex:7878", Adjust: 2, Check: "crc16-x25"}),
			nil},
		{"etung", dialect(t, "etung"), []byte(pay)},
		{"usr-dtu", dialect(t, "usr-dtu"), []byte(pay)},
		{"gt06", dialect(t, "gt06"), nil},
		{"jt808", dialect(t, "jt808"), nil},
		{"h02", dialect(t, "h02"), []byte("*HQ,135790246811220,V2,102403,A,2234.0297,N,11405.9101,E,000.0,FFFFFBFF#")},
		{"h02, binary", dialect(t, "h02"), unhex(t, "2441060116601245431311165035313006004318210e000000fffffbffff0024")},
		{"tk103", dialect(t, "tk103"), []byte("(013632782450BR00101201A2234.0297N11405.9101E000.0040137178.4800000000L00000000)")},
		{"gps103", dialect(t, "gps103"), []byte("imei:359769031878322,tracker,2611221234,,F,123456.000,A,2234.0297,N,11405.9101,E,0.00,;")},
		{"teltonika", dialect(t, "teltonika"), unhex(t, "000000000000003508010000014f8e016420002141bbaf0f4e96a7fffa0000120000000602010047030242669c92000002c7000000009100000000000100002df3")},
		{"modbus-tcp", dialect(t, "modbus-tcp"), append([]byte{0, 1, 0, 0, 0, 67, 1, 3, 64}, pay...)},
		{"modbus-rtu", dialect(t, "modbus-rtu"), nil},
		{"tpkt", dialect(t, "tpkt"), append([]byte{3, 0, 0, 71, 2, 0xf0, 0x80}, pay...)},
	}
	for i := range rows {
		switch r := &rows[i]; r.name {
		case "gt06":
			r.message = gt06([]byte("\x22" + pay + "\x00\x01"))
		case "length with sync and crc16-x25":
			r.message = append([]byte{0x78, 0x78, 0, 64}, pay...)
			c := ^bitwise(0x8408, 0xffff, r.message)
			r.message = append(r.message, byte(c>>8), byte(c))
		case "jt808":
			r.message = jt808(append(unhex(t, "0200004001391234567800b7"), pay...))
		case "modbus-rtu":
			r.message = crcModbus(append([]byte{1, 3, 64}, pay...))
		}
	}
	return rows
}

// gt06 makes a message of a type, content and a serial number.
func gt06(content []byte) []byte {
	b := append([]byte{0x78, 0x78, byte(len(content) + 2)}, content...)
	c := ^bitwise(0x8408, 0xffff, b[2:])
	return append(b, byte(c>>8), byte(c), '\r', '\n')
}

// jt808 makes a message of a header and a body that need no escapes.
func jt808(content []byte) []byte {
	var x byte
	for _, c := range content {
		x ^= c
	}
	return append(append([]byte{0x7e}, content...), x, 0x7e)
}

func crcModbus(content []byte) []byte {
	c := bitwise(0xa001, 0xffff, content)
	return append(content, byte(c), byte(c>>8))
}

// bitwise is a reflected CRC-16, bit by bit.
func bitwise(polynomial, c uint16, p []byte) uint16 {
	for _, b := range p {
		c ^= uint16(b)
		for range 8 {
			if c&1 != 0 {
				c = c>>1 ^ polynomial
			} else {
				c >>= 1
			}
		}
	}
	return c
}

func BenchmarkReader(b *testing.B) {
	for _, row := range benched(b) {
		b.Run(row.name, func(b *testing.B) {
			const many = 256
			piece := bytes.Repeat(row.message, many)
			r := row.dialect.Reader(false)
			bytes, flagged := int64(0), 0
			each := func(m *frame.Message) error {
				bytes += m.End - m.Start
				if m.Flags != 0 || m.Kind != frame.Data {
					flagged++
				}
				return nil
			}
			b.SetBytes(int64(len(piece)))
			b.ReportAllocs()
			fed := int64(0)
			for b.Loop() {
				if row.name == "raw" || row.name == "etung" || row.name == "usr-dtu" {
					for rest := piece; len(rest) > 0; rest = rest[len(row.message):] {
						if err := r.Feed(rest[:len(row.message)], noon, each); err != nil {
							b.Fatal(err)
						}
					}
				} else if err := r.Feed(piece, noon, each); err != nil {
					b.Fatal(err)
				}
				fed += int64(len(piece))
			}
			if bytes != fed || flagged != 0 {
				b.Fatalf("fed %d bytes: got messages of %d, %d of them not in order", fed, bytes, flagged)
			}
		})
	}
}

// BenchmarkReaderPieces is for messages that come in pieces: what is held is copied once.
func BenchmarkReaderPieces(b *testing.B) {
	for _, row := range benched(b) {
		b.Run(row.name, func(b *testing.B) {
			piece := bytes.Repeat(row.message, 64)
			r := row.dialect.Reader(false)
			b.SetBytes(int64(len(piece)))
			b.ReportAllocs()
			for b.Loop() {
				for rest := piece; len(rest) > 0; {
					n := min(len(rest), 50)
					if err := r.Feed(rest[:n], noon, func(*frame.Message) error { return nil }); err != nil {
						b.Fatal(err)
					}
					rest = rest[n:]
				}
			}
		})
	}
}
