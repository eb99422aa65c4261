package export

import (
	"github.com/switchboard-relay/switchboard/session"
)

// Screen is a terminal that can tell what brings another one into its state.
type Screen interface {
	Write(p []byte) (int, error)
	Resize(cols, rows int)
	// AppendSnapshot appends it; not ok means that it cannot now.
	AppendSnapshot(dst []byte) (_ []byte, ok bool)
}

// Alis makes the messages of ALiS of a session's events. Those before Join are not sent: a terminal shows what they led to.
// It is for one goroutine.
type Alis struct {
	screen *screen
	to     *alisPlayer
}

// NewAlis begins a stream of a session with a size and a start (Unix µs). Who has no terminal to draw from joins before the
// first event. What was received is sent if input says so. A message is borrowed by send, whose first error is the last call.
func NewAlis(size session.Size, start int64, terminal Screen, input bool, send func(message []byte) error) *Alis {
	to := &alisPlayer{size: size, terminal: terminal, send: send}
	return &Alis{to: to, screen: newScreen(to, input, &about{start: start, size: size})}
}

// Join sends the beginning: AlisMagic, and the terminal as it is now. Called again it draws the terminal anew, for a viewer
// who has missed something.
func (a *Alis) Join() error {
	if !a.to.joined {
		a.to.joined = true
		a.to.message([]byte(AlisMagic))
	}
	a.to.join(a.screen.at)
	return a.to.err
}

// Event takes an event, and sends it if the viewer has joined. The last one ends the stream, and with it asciinema's player
// drops what it has buffered and not shown yet: who wants that seen waits a moment with it. The error is that of send.
func (a *Alis) Event(e session.Event) error {
	if e.Kind == session.Closed {
		a.closed(e)
		return a.to.err
	}
	a.screen.event(e)
	return a.to.err
}

// closed ends the stream.
func (a *Alis) closed(e session.Event) {
	a.screen.event(e)
	a.screen.about.exit = exitOf(e.Data)
	a.screen.end()
}

// alisPlayer is the player that sends frames.
type alisPlayer struct {
	send     func([]byte) error
	joined   bool
	err      error
	terminal Screen // nil: there is none to draw from
	size     session.Size
	id       uint64
	at       int64 // of the frame before, µs since the start
	decoders [2]Decoder
	buf      []byte
}

func (p *alisPlayer) begin(*about) {}

func (p *alisPlayer) message(b []byte) {
	if p.err == nil && p.joined {
		p.err = p.send(b)
	}
}

// join draws the terminal. While that cannot be done, which is in the midst of a very long sequence, it stays blank.
func (p *alisPlayer) join(at int64) {
	init := AlisFrame{Kind: AlisInit, ID: p.id, Time: uint64(max(at, 0)), Size: p.size}
	if p.terminal != nil {
		if text, ok := p.terminal.AppendSnapshot(nil); ok {
			init.Text = string(lossy(text))
		}
	}
	p.message(init.Append(nil))
	p.at = at
}

// frame sends one, with the next id.
func (p *alisPlayer) frame(at int64, f AlisFrame) {
	p.id++
	f.ID = p.id
	f.Time = uint64(max(at-p.at, 0))
	p.at = max(at, p.at)
	p.buf = f.Append(p.buf[:0])
	p.message(p.buf)
}

func (p *alisPlayer) output(at int64, data []byte) {
	if whole, _ := p.decoders[0].Take(data); len(whole) > 0 {
		p.shown(at, lossy(whole))
	}
}

func (p *alisPlayer) shown(at int64, text []byte) {
	if p.terminal != nil {
		p.terminal.Write(text)
	}
	p.frame(at, AlisFrame{Kind: AlisOutput, Text: string(text)})
}

func (p *alisPlayer) input(at int64, data []byte) {
	if whole, _ := p.decoders[1].Take(data); len(whole) > 0 {
		p.typed(at, lossy(whole))
	}
}

func (p *alisPlayer) typed(at int64, text []byte) {
	p.frame(at, AlisFrame{Kind: AlisInput, Text: string(text)})
}

func (p *alisPlayer) resize(at int64, size session.Size) {
	p.size = size
	if p.terminal != nil {
		p.terminal.Resize(size.Cols, size.Rows)
	}
	p.frame(at, AlisFrame{Kind: AlisResize, Size: size})
}

func (p *alisPlayer) mark(at int64, text string) {
	p.frame(at, AlisFrame{Kind: AlisMarker, Text: string(lossy([]byte(text)))})
}

func (p *alisPlayer) lost(at int64, text string) {
	p.release(at)
	p.mark(at, text)
}

// release sends the beginnings of characters whose rest has not come.
func (p *alisPlayer) release(at int64) {
	if rest := p.decoders[0].Release(); len(rest) > 0 {
		p.shown(at, lossy(rest))
	}
	if rest := p.decoders[1].Release(); len(rest) > 0 {
		p.typed(at, lossy(rest))
	}
}

func (p *alisPlayer) exit(at int64, status int) {
	p.release(at)
	p.frame(at, AlisFrame{Kind: AlisExit, Status: uint64(max(status, 0))})
}

func (p *alisPlayer) end(at int64) {
	p.release(at)
	f := AlisFrame{Kind: AlisEnd, Time: uint64(max(at-p.at, 0))}
	p.message(f.Append(nil))
}
