package engine

import (
	"encoding/base64"
	"errors"
	"fmt"
)

// Types of packets, as they are written in text.
const (
	typeOpen    = '0'
	typeClose   = '1'
	typePing    = '2'
	typePong    = '3'
	typeMessage = '4'
	typeUpgrade = '5'
	typeNoop    = '6'
)

// packet is what one side says to the other.
type packet struct {
	kind   byte
	binary bool
	data   []byte // borrowed
}

var (
	errEmptyPacket = errors.New("an empty packet")
	errBase64      = errors.New("a packet that is not base64")
)

func unknownType(c byte) error { return fmt.Errorf("a packet of unknown type %q", c) }

// parseText reads a packet in the form that text has: its type and its data; or "b" and base64, with the type in
// between in revision 3.
func parseText(p []byte, older bool) (packet, error) {
	if len(p) == 0 {
		return packet{}, errEmptyPacket
	}
	if p[0] == 'b' {
		return parseBase64(p[1:], older)
	}
	if p[0] < typeOpen || p[0] > typeNoop {
		return packet{}, unknownType(p[0])
	}
	return packet{kind: p[0], data: p[1:]}, nil
}

func parseBase64(p []byte, older bool) (packet, error) {
	kind := byte(typeMessage)
	if older {
		if len(p) == 0 {
			return packet{}, errEmptyPacket
		}
		if kind, p = p[0], p[1:]; kind < typeOpen || kind > typeNoop {
			return packet{}, unknownType(kind)
		}
	}
	for len(p) > 0 && p[len(p)-1] == '=' { // not every client pads
		p = p[:len(p)-1]
	}
	data := make([]byte, base64.RawStdEncoding.DecodedLen(len(p)))
	n, err := base64.RawStdEncoding.Decode(data, p)
	if err != nil {
		return packet{}, errBase64
	}
	return packet{kind: kind, binary: true, data: data[:n]}, nil
}

// parseBinary reads a packet in the form that a binary WebSocket message has: revision 3 begins with the type.
func parseBinary(p []byte, older bool) (packet, error) {
	if !older {
		return packet{kind: typeMessage, binary: true, data: p}, nil
	}
	if len(p) == 0 {
		return packet{}, errEmptyPacket
	}
	if p[0] > typeNoop-'0' {
		return packet{}, unknownType(p[0])
	}
	return packet{kind: '0' + p[0], binary: true, data: p[1:]}, nil
}
