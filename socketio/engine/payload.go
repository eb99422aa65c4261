package engine

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"unicode/utf8"
)

// A payload is the packets in the body of one polling request or answer.
//
// Revision 4 puts 0x1E between packets, and writes binary ones as "b" and base64.
//
// Revision 3 writes the length of each in UTF-16 code units, a colon and the packet, a binary one as "b4" and base64.
// If anything is binary and the client did not ask for b64, each packet is instead 0 for text or 1 for binary, the
// decimal digits of the length in bytes, one byte (0 to 9) for each, 0xFF, and the bytes.

const separator = 0x1e

var (
	errLength = errors.New("a payload whose length makes no sense")
	errUTF8   = errors.New("a payload that is not UTF-8")
)

// maxLengthDigits bounds what is read as a length. MaxPayload bounds what it can mean.
const maxLengthDigits = 9

// parsePayload gives take each packet of a body.
func parsePayload(body []byte, older, octets bool, take func(packet) error) error {
	switch {
	case octets && !older:
		return errors.New("a binary payload in revision 4")
	case octets:
		return parseOctets(body, take)
	case !utf8.Valid(body): // it would break the WebSockets that it is sent on to
		return errUTF8
	case older:
		return parseLengths(body, take)
	}
	for more := true; more; {
		var p []byte
		p, body, more = bytes.Cut(body, []byte{separator})
		if err := takeText(p, false, take); err != nil {
			return err
		}
	}
	return nil
}

func takeText(p []byte, older bool, take func(packet) error) error {
	k, err := parseText(p, older)
	if err != nil {
		return err
	}
	return take(k)
}

func parseLengths(body []byte, take func(packet) error) error {
	if len(body) == 0 {
		return errEmptyPacket
	}
	for len(body) > 0 {
		colon := bytes.IndexByte(body[:min(len(body), maxLengthDigits+1)], ':')
		if colon <= 0 {
			return errLength
		}
		units, err := strconv.ParseUint(string(body[:colon]), 10, 32)
		if err != nil {
			return errLength
		}
		body = body[colon+1:]
		n, ok := bytesOfUnits(body, int(units))
		if !ok {
			return errLength
		}
		if err := takeText(body[:n], true, take); err != nil {
			return err
		}
		body = body[n:]
	}
	return nil
}

// bytesOfUnits is how many bytes at the front of p, which is UTF-8, are so many UTF-16 code units.
func bytesOfUnits(p []byte, units int) (n int, ok bool) {
	if units > len(p) {
		return 0, false
	}
	for units > 0 && n < len(p) {
		if p[n] < utf8.RuneSelf {
			n, units = n+1, units-1
			continue
		}
		_, size := utf8.DecodeRune(p[n:])
		n, units = n+size, units-1
		if size == 4 {
			units--
		}
	}
	return n, units == 0
}

// utf16Units is how many UTF-16 code units p, which is UTF-8, has: one for each rune, two for those of four bytes.
func utf16Units(p []byte) (n int) {
	for _, c := range p {
		if c&0xc0 != 0x80 {
			n++
		}
		if c >= 0xf0 {
			n++
		}
	}
	return n
}

func parseOctets(body []byte, take func(packet) error) error {
	if len(body) == 0 {
		return errEmptyPacket
	}
	for len(body) > 0 {
		binary := body[0]
		end := bytes.IndexByte(body[:min(len(body), maxLengthDigits+2)], 0xff)
		if binary > 1 || end < 2 {
			return errLength
		}
		size := 0
		for _, digit := range body[1:end] {
			if digit > 9 {
				return errLength
			}
			size = size*10 + int(digit)
		}
		body = body[end+1:]
		if size > len(body) {
			return errLength
		}
		p := body[:size]
		body = body[size:]
		if binary == 0 {
			if !utf8.Valid(p) {
				return errUTF8
			}
			if err := takeText(p, true, take); err != nil {
				return err
			}
			continue
		}
		k, err := parseBinary(p, true)
		if err != nil {
			return err
		}
		if err := take(k); err != nil {
			return err
		}
	}
	return nil
}

// appendPayload appends the payload of messages. It says whether that is binary.
func appendPayload(b []byte, list []*Message, older, b64 bool) (payload []byte, octets bool) {
	size, binary := 0, false
	for _, m := range list {
		size += len(m.frames)
		for _, p := range m.binary {
			size += len(p)/3 + 16
			binary = true
		}
		size += 12
	}
	b = slices.Grow(b, size)
	octets = older && binary && !b64
	for _, m := range list {
		if len(m.text) > 0 {
			b = appendTextPacket(b, m.text, older, octets)
		}
		for _, p := range m.binary {
			b = appendBinaryPacket(b, p, older, octets)
		}
	}
	return b, octets
}

func appendTextPacket(b, p []byte, older, octets bool) []byte {
	switch {
	case octets:
		b = appendOctetsLength(append(b, 0), len(p))
	case older:
		b = append(strconv.AppendInt(b, int64(utf16Units(p)), 10), ':')
	case len(b) > 0:
		b = append(b, separator)
	}
	return append(b, p...)
}

func appendBinaryPacket(b, p []byte, older, octets bool) []byte {
	if octets {
		b = appendOctetsLength(append(b, 1), 1+len(p))
		return append(append(b, typeMessage-'0'), p...)
	}
	if older {
		b = strconv.AppendInt(b, int64(2+base64.StdEncoding.EncodedLen(len(p))), 10)
		b = append(b, ":b4"...)
	} else {
		if len(b) > 0 {
			b = append(b, separator)
		}
		b = append(b, 'b')
	}
	return base64.StdEncoding.AppendEncode(b, p)
}

func appendOctetsLength(b []byte, size int) []byte {
	first := len(b)
	b = strconv.AppendInt(b, int64(size), 10)
	for i := first; i < len(b); i++ {
		b[i] -= '0'
	}
	return append(b, 0xff)
}
