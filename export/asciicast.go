package export

import (
	"bufio"
	"strconv"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/session"
)

// asciicast writes version 2 or 3 of asciinema's format: a header and then a line of JSON for each event. Text is cut where
// characters end; what is no UTF-8 becomes U+FFFD.
// See https://docs.asciinema.org/manual/asciicast/v3/ and v2.
type asciicast struct {
	out      *bufio.Writer
	version  int
	written  int64      // the time that the lines add up to, µs: of version 3 whole ms
	at       int64      // of the newest line, µs
	decoders [2]Decoder // of output and input
	line     []byte
}

func (c *asciicast) begin(a *about) {
	b := append(c.line[:0], `{"version":`...)
	b = strconv.AppendInt(b, int64(c.version), 10)
	if c.version == 2 {
		b = appendNumber(b, `,"width":`, int64(a.size.Cols))
		b = appendNumber(b, `,"height":`, int64(a.size.Rows))
	} else {
		b = appendNumber(b, `,"term":{"cols":`, int64(a.size.Cols))
		b = append(appendNumber(b, `,"rows":`, int64(a.size.Rows)), '}')
	}
	b = appendNumber(b, `,"timestamp":`, a.start/1e6)
	if c.version == 2 {
		b = appendSeconds(append(b, `,"duration":`...), a.duration, 6)
	}
	if a.title != "" {
		b = AppendString(append(b, `,"title":`...), a.title)
	}
	c.line = append(b, '}', '\n')
	c.out.Write(c.line)
}

func (c *asciicast) output(at int64, data []byte) { c.text(at, 'o', &c.decoders[0], data) }
func (c *asciicast) input(at int64, data []byte)  { c.text(at, 'i', &c.decoders[1], data) }

// maxText keeps lines short: whoever reads them holds a line in memory.
const maxText = 32 << 10

func (c *asciicast) text(at int64, code byte, d *Decoder, data []byte) {
	for len(data) > 0 {
		part := data[:min(len(data), maxText)]
		data = data[len(part):]
		if whole, _ := d.Take(part); len(whole) > 0 {
			c.event(at, code, whole)
		}
	}
}

func (c *asciicast) resize(at int64, size session.Size) { c.event(at, 'r', []byte(size.String())) }
func (c *asciicast) mark(at int64, text string)         { c.event(at, 'm', []byte(text)) }

func (c *asciicast) lost(at int64, text string) {
	c.release(at)
	c.mark(at, text)
}

func (c *asciicast) exit(at int64, status int) {
	c.release(at)
	if c.version > 2 {
		c.event(at, 'x', strconv.AppendInt(nil, int64(status), 10))
	}
}

// end has the playback last as long as the session did.
func (c *asciicast) end(at int64) {
	c.release(at)
	if at > c.at {
		c.event(at, 'o', nil)
	}
}

// release writes the beginnings of characters whose rest has not come.
func (c *asciicast) release(at int64) {
	for i, code := range []byte{'o', 'i'} {
		if rest := c.decoders[i].Release(); len(rest) > 0 {
			c.event(at, code, rest)
		}
	}
}

func (c *asciicast) event(at int64, code byte, data []byte) {
	b := append(c.line[:0], '[')
	if c.version == 2 {
		b = appendSeconds(b, at, 6)
	} else { // what rounding takes from one interval, the next one gets: long files do not drift
		interval := (at - c.written + 500) / 1000
		c.written += interval * 1000
		b = appendSeconds(b, interval*1000, 3)
	}
	c.at = at
	b = append(b, `, "`...)
	b = append(b, code)
	b = append(b, `", `...)
	b = appendLossy(b, data)
	c.line = append(b, ']', '\n')
	c.out.Write(c.line)
}

// appendLossy appends data as a string of JSON; each byte that is no UTF-8 becomes U+FFFD.
func appendLossy(b, data []byte) []byte {
	b, _ = appendString(b, lossy(data))
	return b
}

// lossy is data as UTF-8: each byte that is none becomes U+FFFD.
func lossy(data []byte) []byte {
	if utf8.Valid(data) {
		return data
	}
	return []byte(string([]rune(string(data))))
}

func appendNumber(b []byte, name string, n int64) []byte {
	return strconv.AppendInt(append(b, name...), n, 10)
}

// appendSeconds appends µs as seconds with so many decimals.
func appendSeconds(b []byte, us int64, decimals int) []byte {
	b = strconv.AppendInt(b, us/1e6, 10)
	fraction := us % 1e6
	b = append(b, '.')
	for unit := int64(1e5); decimals > 0; decimals, unit = decimals-1, unit/10 {
		b = append(b, byte('0'+fraction/unit%10))
	}
	return b
}
