package engine

import (
	"sync/atomic"

	"github.com/switchboard-relay/switchboard/transport"
)

// Message is one Engine.IO message, or several that belong together, encoded once for all who get it. It never changes.
type Message struct {
	frames []byte   // of WebSocket; revision 3 has the same where nothing is binary
	text   []byte   // the packet within frames, with its type; nil if there is none
	binary [][]byte // the data of binary packets, within frames
	older  atomic.Pointer[[]byte]
}

// NewMessage is a text message, which must be UTF-8, and the binary ones behind it. The bytes are copied.
func NewMessage(text []byte, attachments ...[]byte) *Message {
	return newMessage(typeMessage, text, true, attachments)
}

// NewBinary is a binary message. The bytes are copied.
func NewBinary(p []byte) *Message {
	return newMessage(typeMessage, nil, false, [][]byte{p})
}

// newPacket is a packet of any type.
func newPacket(kind byte, data []byte) *Message { return newMessage(kind, data, true, nil) }

var (
	closePacket = newPacket(typeClose, nil)
	pingPacket  = newPacket(typePing, nil)
	noopPacket  = newPacket(typeNoop, nil)
)

func newMessage(kind byte, text []byte, hasText bool, attachments [][]byte) *Message {
	size := 0
	if hasText {
		size = headerSize(1+len(text)) + 1 + len(text)
	}
	for _, p := range attachments {
		size += headerSize(len(p)) + len(p)
	}
	m := &Message{}
	b := make([]byte, 0, size)
	if hasText {
		b = transport.AppendFrameHeader(b, transport.OpText, 1+len(text))
		start := len(b)
		b = append(append(b, kind), text...)
		m.text = b[start:len(b):len(b)]
	}
	if len(attachments) > 0 {
		m.binary = make([][]byte, len(attachments))
	}
	for i, p := range attachments {
		b = transport.AppendFrameHeader(b, transport.OpBinary, len(p))
		start := len(b)
		b = append(b, p...)
		m.binary[i] = b[start:len(b):len(b)]
	}
	m.frames = b
	return m
}

// Text is the text message, without its type; nil if there is none. It must not be changed.
func (m *Message) Text() []byte {
	if m.text == nil {
		return nil
	}
	return m.text[1:]
}

// Binary is the binary messages. They must not be changed.
func (m *Message) Binary() [][]byte { return m.binary }

// Size is how many bytes of payload there are.
func (m *Message) Size() int {
	n := max(0, len(m.text)-1)
	for _, p := range m.binary {
		n += len(p)
	}
	return n
}

// perMessage is what a waiting message takes besides its bytes.
const perMessage = 32

func (m *Message) cost() int { return perMessage + len(m.frames) }

// framesFor are the frames for a revision.
func (m *Message) framesFor(older bool) []byte {
	if !older || len(m.binary) == 0 {
		return m.frames
	}
	if made := m.older.Load(); made != nil {
		return *made
	}
	b := make([]byte, 0, len(m.frames)+len(m.binary)*3) // a type each, which may need a larger header
	if len(m.text) > 0 {
		b = append(transport.AppendFrameHeader(b, transport.OpText, len(m.text)), m.text...)
	}
	for _, p := range m.binary {
		b = append(transport.AppendFrameHeader(b, transport.OpBinary, 1+len(p)), typeMessage-'0')
		b = append(b, p...)
	}
	m.older.Store(&b)
	return b
}

func headerSize(size int) int {
	switch {
	case size < 126:
		return 2
	case size < 1<<16:
		return 4
	}
	return 10
}

// Batch is messages that go to many connections together. It belongs to one goroutine; its zero value is empty.
type Batch struct {
	messages []*Message
	size     int
	cost     int
	binary   bool
	joined   [2][]byte // frames of all, for revisions 4 and 3, made when first asked for
}

// maxKept is how large a buffer may be that is kept for the next time.
const maxKept = 128 << 10

// Add appends a message.
func (b *Batch) Add(m *Message) {
	b.messages = append(b.messages, m)
	b.size += m.Size()
	b.cost += m.cost()
	b.binary = b.binary || len(m.binary) > 0
	b.unjoin()
}

// Reset empties the batch. Its memory is used again.
func (b *Batch) Reset() {
	clear(b.messages)
	b.messages = b.messages[:0]
	b.size, b.cost, b.binary = 0, 0, false
	b.unjoin()
}

func (b *Batch) unjoin() {
	for i, p := range b.joined {
		if cap(p) > maxKept {
			p = nil
		}
		b.joined[i] = p[:0]
	}
}

// Size is how many bytes of payload there are.
func (b *Batch) Size() int { return b.size }

// Len is how many messages there are.
func (b *Batch) Len() int { return len(b.messages) }

func (b *Batch) framesFor(older bool) []byte {
	if len(b.messages) == 1 {
		return b.messages[0].framesFor(older)
	}
	revision := 0
	if older && b.binary {
		revision = 1
	}
	if len(b.joined[revision]) == 0 {
		for _, m := range b.messages {
			b.joined[revision] = append(b.joined[revision], m.framesFor(older)...)
		}
	}
	return b.joined[revision]
}
