package export

import (
	"github.com/switchboard-relay/switchboard/session"
)

// Alis makes the messages of ALiS of a session's events, from any of them on. It is for one goroutine.
type Alis struct {
	screen *screen
	to     *alisPlayer
}

// NewAlis begins a stream of a session with a start (Unix µs). What was received is sent if input says so. A message is
// borrowed by send, whose first error is the last call.
func NewAlis(start int64, input bool, send func(message []byte) error) *Alis {
	to := &alisPlayer{send: send}
	return &Alis{to: to, screen: newScreen(to, input, &about{start: start})}
}

// Join has the viewer's terminal begin: with a size, behind an event of a time (Unix µs), and with what brings it into its state
// there. Called again it begins anew, for a viewer who has missed something.
func (a *Alis) Join(size session.Size, at int64, screen []byte) error {
	if !a.to.joined {
		a.to.joined = true
		a.to.message([]byte(AlisMagic))
	}
	a.screen.at = max(at-a.screen.about.start, 0)
	a.to.join(a.screen.at, size, screen)
	return a.to.err
}

// Event sends an event. The error is that of send.
func (a *Alis) Event(e session.Event) error {
	if e.Kind == session.Closed {
		a.screen.about.exit = exitOf(e.Data)
	}
	a.screen.event(e)
	return a.to.err
}

// End ends the stream, with the exit status if one was told. With it asciinema's player drops what it has buffered and not shown
// yet: who wants that seen waits a moment.
func (a *Alis) End() error {
	a.screen.end()
	return a.to.err
}

// alisPlayer is the player that sends frames.
type alisPlayer struct {
	send     func([]byte) error
	joined   bool
	err      error
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

// join sends a beginning. A character of which only a part was sent is held back.
func (p *alisPlayer) join(at int64, size session.Size, screen []byte) {
	p.decoders = [2]Decoder{}
	whole, _ := p.decoders[0].Take(screen)
	init := AlisFrame{Kind: AlisInit, ID: p.id, Time: uint64(at), Size: size, Text: string(lossy(whole))}
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
