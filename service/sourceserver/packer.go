package sourceserver

import (
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

const (
	maxPiece = 64 << 10 // bytes of one frame's payload
	viewSize = threeend.HeaderSize + len("1000x1000")
)

var (
	lateBy      = time.Second            // who is sent what is so old is to see the screen of now instead,
	lateWaiting = 500 * time.Millisecond // if it was waited for the far end for so long since the last one
)

// packer makes frames of what happens in a session, joined to large writes. It is the hub.Onlooker of a connection.
type packer struct {
	visit *visit
	buf   *[]byte // of buffers, while there is anything in it
	err   error   // of the first write that failed

	oldest  int64         // event in what was not pushed, Unix µs; 0: none
	waiting time.Duration // for the far end, since the screen was drawn
	late    bool
}

// buffers are what frames are joined in, so that viewers who get nothing need none.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, maxPiece+maxPiece/8); return &b }}

// Screen adds the size, and what brings a terminal of it to what is shown.
func (p *packer) Screen(size session.Size, _ int64, data []byte) {
	p.waiting = 0
	p.view(size)
	p.add(threeend.Display, data)
}

// Event adds what there is to see of an event.
func (p *packer) Event(e session.Event) {
	if p.oldest == 0 {
		p.oldest = e.Time
	}
	switch e.Kind {
	case session.Sent, session.SentErr:
		p.add(threeend.Display, e.Data)
	case session.Received:
		p.add(threeend.Input, e.Data)
	case session.Typed:
		_, typed := session.SplitTyped(e.Data)
		p.add(threeend.Input, typed)
	case session.Resized:
		if size, ok := session.ParseSize(string(e.Data)); ok {
			p.view(size)
		}
	}
}

// Push sends what was added, and waits until the far end takes it.
func (p *packer) Push() error {
	p.flush()
	if p.oldest != 0 {
		p.late = p.waiting > lateWaiting && time.Since(time.UnixMicro(p.oldest)) > lateBy
		p.oldest = 0
	}
	return p.err
}

// Waiting is more than nothing once where the far end made what it is sent late. It has all that was sent by then.
func (p *packer) Waiting() int {
	if !p.late {
		return 0
	}
	p.late = false
	return 1
}

func (p *packer) view(size session.Size) {
	p.reserve(viewSize)
	*p.buf = threeend.AppendView(*p.buf, size.Cols, size.Rows)
}

// add adds frames of a payload.
func (p *packer) add(t threeend.Type, payload []byte) {
	for len(payload) > 0 && p.err == nil {
		piece := payload[:min(len(payload), maxPiece)]
		payload = payload[len(piece):]
		p.reserve(threeend.HeaderSize + len(piece))
		*p.buf = threeend.AppendFrame(*p.buf, t, piece)
	}
}

// reserve makes room in the buffer.
func (p *packer) reserve(n int) {
	if p.buf != nil && len(*p.buf)+n > cap(*p.buf) {
		p.flush()
	}
	if p.buf == nil {
		p.buf = buffers.Get().(*[]byte)
	}
}

func (p *packer) flush() {
	if p.buf == nil {
		return
	}
	if p.err == nil {
		before := time.Now()
		p.err = p.visit.write(*p.buf)
		p.waiting += time.Since(before)
	}
	*p.buf = (*p.buf)[:0]
	buffers.Put(p.buf)
	p.buf = nil
}
