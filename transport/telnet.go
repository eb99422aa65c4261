package transport

import (
	"strings"
	"sync"

	"github.com/switchboard-relay/switchboard/telnet"
)

// Telnet is the server's end of a telnet connection, as a Conn of what is typed and shown: commands are answered, and are
// not among the bytes. The far end is offered a terminal: it is echoed to, and asked for size and type. Received are what
// keys mean: interrupt, suspend, and the like are the control characters that a terminal has for them.
type Telnet struct {
	Conn
	sure bool

	// fixed before anything is received
	onSize func(cols, rows int)

	// owned by who receives
	in       telnet.Decoder
	us, them map[byte]*option
	owes     []byte // answers to what was received
	clean    []byte
	heard    bool // answered is closed
	typed    bool // the terminal's type was told, or will not be
	sized    bool // its size, too

	answered chan struct{} // closed once the far end has said anything of telnet's
	settled  chan struct{} // closed once both type and size are told

	mu    sync.Mutex // orders what is written
	out   telnet.Encoder
	wire  []byte
	speak bool // what is written is encoded

	known sync.Mutex
	kind  string // of the far end's terminal
}

// option is one side of an option (RFC 1143 has why both are needed).
type option struct{ asked, on bool }

// What either side is let do.
var (
	ourOptions   = []byte{telnet.Echo, telnet.SuppressGoAhead, telnet.Binary}
	theirOptions = []byte{telnet.SuppressGoAhead, telnet.TerminalType, telnet.WindowSize, telnet.Binary}
)

// NewTelnet makes a connection one of telnet. With unsure, bytes pass as they are until the far end has answered.
func NewTelnet(c Conn, unsure bool) *Telnet {
	keepUrgentInline(c)
	t := &Telnet{Conn: c, sure: !unsure, us: map[byte]*option{}, them: map[byte]*option{}, speak: !unsure,
		answered: make(chan struct{}), settled: make(chan struct{})}
	t.in.Typed, t.in.Unsure = true, unsure
	for _, o := range ourOptions {
		t.us[o] = &option{}
	}
	for _, o := range theirOptions {
		t.them[o] = &option{}
	}
	return t
}

// Begin offers a terminal, or, if it is unsure that the far end speaks telnet, asks one thing to find out. Sizes are told to
// onSize, in the goroutine that receives. It comes before the first Receive.
func (t *Telnet) Begin(onSize func(cols, rows int)) error {
	t.onSize = onSize
	if !t.sure {
		t.ask(telnet.DO, telnet.SuppressGoAhead)
	} else {
		t.offer()
	}
	return t.answer()
}

// Sure reports whether the far end was said to speak telnet.
func (t *Telnet) Sure() bool { return t.sure }

// Answered is closed once the far end does speak telnet.
func (t *Telnet) Answered() <-chan struct{} { return t.answered }

// Settled is closed once the far end has told size and type of its terminal, or that it will not.
func (t *Telnet) Settled() <-chan struct{} { return t.settled }

// Kind is the type of the far end's terminal, in small letters as in xterm-256color; empty if it is not known, or is no name.
func (t *Telnet) Kind() string {
	t.known.Lock()
	defer t.known.Unlock()
	return t.kind
}

// offer asks for all that makes a terminal.
func (t *Telnet) offer() {
	t.ask(telnet.WILL, telnet.Echo)
	t.ask(telnet.WILL, telnet.SuppressGoAhead)
	t.ask(telnet.DO, telnet.SuppressGoAhead)
	t.ask(telnet.DO, telnet.TerminalType)
	t.ask(telnet.DO, telnet.WindowSize)
	t.ask(telnet.WILL, telnet.Binary) // or else clients take the eighth bit away
	t.ask(telnet.DO, telnet.Binary)
}

func (t *Telnet) ask(verb, name byte) {
	o := t.us[name]
	if verb == telnet.DO {
		o = t.them[name]
	}
	if !o.asked && !o.on {
		o.asked = true
		t.owes = append(t.owes, telnet.IAC, verb, name)
	}
}

// Receive implements Conn.
func (t *Telnet) Receive(sink Sink) error {
	for {
		if err := t.Conn.Receive((*telnetArrival)(t)); err != nil {
			return err
		}
		if err := t.answer(); err != nil {
			return err
		}
		if len(t.clean) > 0 {
			return sink.Put(t.clean)
		}
	}
}

// telnetArrival is a Telnet as the Sink of its connection.
type telnetArrival Telnet

// Put implements Sink.
func (a *telnetArrival) Put(p []byte) error {
	t := (*Telnet)(a)
	t.clean = t.in.Append(t.clean[:0], p, t.obey)
	return nil
}

// Take implements Sink.
func (a *telnetArrival) Take(read func([]byte) (int, error)) error {
	buf := streamBuffers.Get().(*[streamBuffer]byte)
	defer streamBuffers.Put(buf)
	n, err := read(buf[:])
	if n > 0 {
		a.Put(buf[:n])
	}
	return err
}

// obey does what a command says.
func (t *Telnet) obey(out []byte, c telnet.Command) []byte {
	switch c.Verb {
	case telnet.WILL, telnet.WONT:
		t.agree(t.them[c.Option], c, telnet.WILL, telnet.DO, telnet.DONT)
	case telnet.DO, telnet.DONT:
		t.agree(t.us[c.Option], c, telnet.DO, telnet.WILL, telnet.WONT)
	case telnet.SB:
		t.learn(c)
	case telnet.AYT:
		t.owes = append(t.owes, "\r\n[yes]\r\n"...)
	default:
		if key, means := keys[c.Verb]; means {
			out = append(out, key)
		}
	}
	return out
}

// keys are the control characters that commands stand for.
var keys = map[byte]byte{telnet.IP: 'C' & 31, telnet.BRK: 'C' & 31, telnet.SUSP: 'Z' & 31, telnet.ABORT: '\\' & 31,
	telnet.EOF: 'D' & 31, telnet.EL: 'U' & 31, telnet.EC: 0x7f}

// agree answers what was said about an option, unless it answers us; nil is one that is not known.
func (t *Telnet) agree(o *option, c telnet.Command, positive, yes, no byte) {
	on := c.Verb == positive
	switch {
	case o == nil && on:
		t.owes = append(t.owes, telnet.IAC, no, c.Option)
	case o == nil:
	case o.asked:
		o.asked, o.on = false, on
	case o.on != on:
		o.on = on
		answer := no
		if on {
			answer = yes
		}
		t.owes = append(t.owes, telnet.IAC, answer, c.Option)
	}
	t.changed(c)
}

// changed goes on from what was agreed upon.
func (t *Telnet) changed(c telnet.Command) {
	if !t.heard {
		t.heard = true
		close(t.answered)
		if !t.sure {
			t.mu.Lock()
			t.speak = true
			t.mu.Unlock()
			t.offer()
		}
	}
	switch {
	case c.Option == telnet.Binary:
		t.in.Binary = t.them[telnet.Binary].on
		t.mu.Lock()
		t.out.Binary = t.us[telnet.Binary].on
		t.mu.Unlock()
	case c.Verb == telnet.WILL && c.Option == telnet.TerminalType && !t.typed:
		t.owes = telnet.AppendSub(t.owes, telnet.TerminalType, telnet.Send)
	case c.Verb == telnet.WONT && c.Option == telnet.TerminalType:
		t.settle(true, t.sized)
	case c.Verb == telnet.WONT && c.Option == telnet.WindowSize:
		t.settle(t.typed, true)
	}
}

// learn takes what a subnegotiation tells.
func (t *Telnet) learn(c telnet.Command) {
	switch {
	case c.Option == telnet.WindowSize && len(c.Data) == 4 && t.them[telnet.WindowSize].on:
		cols, rows := int(c.Data[0])<<8|int(c.Data[1]), int(c.Data[2])<<8|int(c.Data[3])
		if cols > 0 && rows > 0 && t.onSize != nil {
			t.onSize(cols, rows)
		}
		t.settle(t.typed, true)
	case c.Option == telnet.TerminalType && len(c.Data) > 1 && c.Data[0] == telnet.Is && !t.typed:
		if kind := strings.ToLower(string(c.Data[1:])); isTerminalKind(kind) {
			t.known.Lock()
			t.kind = kind
			t.known.Unlock()
		}
		t.settle(true, t.sized)
	}
}

// settle notes what was told of what was asked for.
func (t *Telnet) settle(typed, sized bool) {
	before := t.typed && t.sized
	t.typed, t.sized = typed, sized
	if typed && sized && !before {
		close(t.settled)
	}
}

// isTerminalKind reports whether a text can be in TERM, where it becomes the name of a file.
func isTerminalKind(kind string) bool {
	if len(kind) == 0 || len(kind) > 64 || kind == "unknown" || kind == "network" {
		return false
	}
	for i := range len(kind) {
		c := kind[i]
		letter := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || strings.IndexByte("+-_.", c) < 0) {
			return false
		}
	}
	return true
}

// answer writes what is owed. It waits behind what is being written: who does not read is not listened to either.
func (t *Telnet) answer() error {
	if len(t.owes) == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err := t.Conn.Write(t.owes)
	t.owes = t.owes[:0]
	return err
}

// Write implements net.Conn.
func (t *Telnet) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.speak {
		return t.Conn.Write(p)
	}
	t.wire = t.out.Append(t.wire[:0], p)
	n, err := t.Conn.Write(t.wire)
	if err != nil {
		return max(0, len(p)-(len(t.wire)-n)), err // of what is doubled, one may count as unsent that was not
	}
	return len(p), nil
}

// Read is Receive for those who bring a buffer. What does not fit is lost.
func (t *Telnet) Read(p []byte) (n int, err error) {
	err = t.Receive(putFunc(func(b []byte) error {
		n = copy(p, b)
		return nil
	}))
	return n, err
}

// TryWrite implements Conn: what is written may have to wait for an answer.
func (t *Telnet) TryWrite([]byte) (int, error) { return 0, nil }

var _ Conn = (*Telnet)(nil)
