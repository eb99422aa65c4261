package socketio

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// packetType is the first character of a packet; see "Packet encoding" of the Socket.IO protocol, revision 5.
type packetType byte

const (
	typeConnect      packetType = '0'
	typeDisconnect   packetType = '1'
	typeEvent        packetType = '2'
	typeAck          packetType = '3'
	typeConnectError packetType = '4'
	typeBinaryEvent  packetType = '5'
	typeBinaryAck    packetType = '6'
)

// packet is one Socket.IO packet. Its slices may be borrowed.
type packet struct {
	kind        packetType
	namespace   string // begins with a slash
	query       string // of a CONNECT of revision 4: what followed the question mark
	id          uint64
	hasID       bool
	attachments int    // announced
	data        []byte // JSON, or empty
	binary      [][]byte
}

// Limits of a packet, besides the engine's of its size.
const (
	maxNamespaceName = 256
	maxIDDigits      = 16 // 2^53 has as many
)

var errPacket = errors.New("malformed packet")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errPacket, fmt.Sprintf(format, args...))
}

// parsePacket reads the text of a packet. What it says is checked as far as it can be without the attachments. data is
// borrowed by the packet.
func parsePacket(p []byte, maxAttachments int) (packet, error) {
	out := packet{namespace: "/"}
	if len(p) == 0 {
		return out, malformed("it is empty")
	}
	if !utf8.Valid(p) {
		return out, malformed("it is no UTF-8")
	}
	out.kind = packetType(p[0])
	if out.kind < typeConnect || out.kind > typeBinaryAck {
		return out, malformed("no type is %q", p[0])
	}
	p = p[1:]
	var err error
	if out.kind == typeBinaryEvent || out.kind == typeBinaryAck {
		if out.attachments, p, err = parseAttachments(p, maxAttachments); err != nil {
			return out, err
		}
	}
	if p, err = out.parseNamespace(p); err != nil {
		return out, err
	}
	if p, err = out.parseID(p); err != nil {
		return out, err
	}
	out.data = trimSpace(p)
	return out, out.check()
}

func parseAttachments(p []byte, most int) (int, []byte, error) {
	n := 0
	for i, c := range p {
		switch {
		case c >= '0' && c <= '9' && i < 4:
			n = n*10 + int(c-'0')
			continue
		case c == '-' && i > 0 && n > 0 && n <= most:
			return n, p[i+1:], nil
		}
		break
	}
	return 0, nil, malformed("the number of attachments must be 1 to %d", most)
}

func (k *packet) parseNamespace(p []byte) ([]byte, error) {
	if len(p) == 0 || p[0] != '/' {
		return p, nil
	}
	end := 0
	for end < len(p) && p[end] != ',' {
		end++
	}
	name, rest := p[:end], p[min(end+1, len(p)):]
	for i, c := range name {
		if c == '?' {
			k.query, name = string(name[i+1:]), name[:i]
			break
		}
	}
	if len(name) > maxNamespaceName {
		return nil, malformed("a namespace of %d bytes; %d at most", len(name), maxNamespaceName)
	}
	if len(name) > 1 {
		k.namespace = string(name)
	}
	return rest, nil
}

func (k *packet) parseID(p []byte) ([]byte, error) {
	n := 0
	for n < len(p) && p[n] >= '0' && p[n] <= '9' {
		k.id = k.id*10 + uint64(p[n]-'0')
		if n++; n > maxIDDigits {
			return nil, malformed("an acknowledgement's id of more than %d digits", maxIDDigits)
		}
	}
	k.hasID = n > 0
	return p[n:], nil
}

// check holds the payload to what the type asks for.
func (k *packet) check() error {
	if len(k.data) > 0 && !json.Valid(k.data) {
		return malformed("its payload is no JSON")
	}
	switch k.kind {
	case typeConnect:
		if len(k.data) > 0 && k.data[0] != '{' {
			return malformed("the payload of a CONNECT must be an object")
		}
	case typeDisconnect:
		if len(k.data) > 0 {
			return malformed("a DISCONNECT has no payload")
		}
	case typeConnectError:
		return malformed("a client sends no CONNECT_ERROR")
	case typeAck, typeBinaryAck:
		if len(k.data) == 0 || k.data[0] != '[' || !k.hasID {
			return malformed("an ACK has an id and an array")
		}
	default:
		return k.checkEvent()
	}
	return nil
}

func (k *packet) checkEvent() error {
	if len(k.data) == 0 || k.data[0] != '[' {
		return malformed("the payload of an event must be an array")
	}
	first, _ := nextElement(k.data[1:])
	if len(first) == 0 || first[0] != '"' && first[0] != '-' && (first[0] < '0' || first[0] > '9') {
		return malformed("the first element of an event must be its name")
	}
	if first[0] != '"' {
		return nil
	}
	name, plain := plainString(first)
	if !plain && json.Unmarshal(first, &name) != nil || reserved(name) {
		return malformed("the event %s is reserved", first)
	}
	return nil
}

// reserved reports whether an event's name is one that the clients use themselves.
func reserved(name string) bool {
	switch name {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

// nextElement cuts the first element off the inside of a valid JSON array: p begins behind the bracket or a comma. It
// returns an empty element at the array's end.
func nextElement(p []byte) (element, rest []byte) {
	start := 0
	for start < len(p) && isSpace(p[start]) {
		start++
	}
	p = p[start:]
	depth := 0
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '"':
			i = endOfString(p, i)
		case '[', '{':
			depth++
		case ']', '}':
			if depth == 0 {
				return trimSpace(p[:i]), nil
			}
			depth--
		case ',':
			if depth == 0 {
				return trimSpace(p[:i]), p[i+1:]
			}
		}
	}
	return trimSpace(p), nil
}

// endOfString is the index of the quote that ends the string that begins at i, or the last index.
func endOfString(p []byte, i int) int {
	for i++; i < len(p); i++ {
		switch p[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(p) - 1
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func trimSpace(p []byte) []byte {
	for len(p) > 0 && isSpace(p[len(p)-1]) {
		p = p[:len(p)-1]
	}
	return p
}

// appendHead appends everything in front of the payload.
func appendHead(b []byte, kind packetType, attachments int, namespace string) []byte {
	if attachments > 0 {
		switch kind {
		case typeEvent:
			kind = typeBinaryEvent
		case typeAck:
			kind = typeBinaryAck
		}
	}
	b = append(b, byte(kind))
	if attachments > 0 {
		b = strconv.AppendInt(b, int64(attachments), 10)
		b = append(b, '-')
	}
	if namespace != "/" {
		b = append(b, namespace...)
		b = append(b, ',')
	}
	return b
}
