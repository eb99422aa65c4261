package threeend

import (
	"encoding/binary"
	"strconv"
)

// AppendHeader appends the header of a frame whose payload, of at most MaxPayload bytes, is written behind it.
func AppendHeader(dst []byte, t Type, length int) []byte {
	return binary.BigEndian.AppendUint32(append(dst, byte(t)), uint32(length))
}

// AppendFrame appends a frame; several, where payload is longer than MaxPayload.
func AppendFrame(dst []byte, t Type, payload []byte) []byte {
	for len(payload) > MaxPayload {
		dst = append(AppendHeader(dst, t, MaxPayload), payload[:MaxPayload]...)
		payload = payload[MaxPayload:]
	}
	return append(AppendHeader(dst, t, len(payload)), payload...)
}

// AppendView appends the frame that says the view's size: each side from 1 to MaxSide.
func AppendView(dst []byte, cols, rows int) []byte {
	at := len(dst)
	dst = AppendHeader(dst, View, 0)
	dst = strconv.AppendInt(dst, int64(cols), 10)
	dst = append(dst, 'x')
	dst = strconv.AppendInt(dst, int64(rows), 10)
	binary.BigEndian.PutUint32(dst[at+1:], uint32(len(dst)-at-HeaderSize))
	return dst
}
