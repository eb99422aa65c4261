// Package telnet tells the bytes of a telnet connection from its commands (RFC 854). It does no I/O.
package telnet

// Commands (RFC 854, page 14; EOF, SUSP and ABORT are of RFC 1184, section 2.1).
const (
	EOF   = 236
	SUSP  = 237
	ABORT = 238
	SE    = 240
	NOP   = 241
	DM    = 242
	BRK   = 243
	IP    = 244
	AO    = 245
	AYT   = 246
	EC    = 247
	EL    = 248
	GA    = 249
	SB    = 250
	WILL  = 251
	WONT  = 252
	DO    = 253
	DONT  = 254
	IAC   = 255
)

// Options.
const (
	Binary          = 0  // RFC 856
	Echo            = 1  // RFC 857
	SuppressGoAhead = 3  // RFC 858
	TerminalType    = 24 // RFC 1091
	WindowSize      = 31 // RFC 1073
)

// Of a terminal type's subnegotiation (RFC 1091, section 2).
const (
	Is   = 0
	Send = 1
)

// Command is what stands between the bytes. Option is of WILL, WONT, DO, DONT and SB alone; Data, which is borrowed, is what
// an SB says, 512 bytes of it at most.
type Command struct {
	Verb   byte
	Option byte
	Data   []byte
}

const maxSub = 512

// Decoder takes the commands out of one direction of a connection. The zero value is ready.
type Decoder struct {
	Typed  bool // what comes is typed: CR LF is the key that CR NUL is, and becomes CR
	Binary bool // carriage returns mean nothing (RFC 856)
	// Unsure says that the far end may not speak telnet: all passes as it is, until it negotiates.
	Unsure bool

	state state
	verb  byte
	sub   []byte // option and data
}

type state uint8

const (
	inData state = iota
	afterCR
	afterIAC
	afterVerb
	inSub
	afterSubIAC
)

// Between reports whether no command has begun and not ended.
func (d *Decoder) Between() bool { return d.state == inData || d.state == afterCR }

// Append appends the bytes in p, without commands, and calls do for each command at its place among them: what was before
// it has been appended to what do is given. do may append to that, and returns it; it may be nil.
func (d *Decoder) Append(out, p []byte, do func(out []byte, c Command) []byte) []byte {
	for len(p) > 0 {
		if d.state == inData {
			n := plain(p)
			out = append(out, p[:n]...)
			if p = p[n:]; len(p) == 0 {
				break
			}
		}
		out = d.step(out, p[0], do)
		p = p[1:]
	}
	return out
}

// plain is how many bytes mean themselves. It looks at none behind them: of many carriage returns each would.
func plain(p []byte) int {
	for i, b := range p {
		if b == IAC || b == '\r' {
			return i
		}
	}
	return len(p)
}

func (d *Decoder) step(out []byte, b byte, do func([]byte, Command) []byte) []byte {
	switch d.state {
	case afterCR:
		d.state = inData
		if b == 0 || b == '\n' && d.Typed {
			return out
		}
		return d.step(out, b, do)
	case afterIAC:
		return d.command(out, b, do)
	case afterVerb:
		d.state, d.Unsure = inData, false
		return call(out, Command{Verb: d.verb, Option: b}, do)
	case inSub:
		if b == IAC {
			d.state = afterSubIAC
		} else {
			d.keep(b)
		}
		return out
	case afterSubIAC:
		return d.endSub(out, b, do)
	}
	switch {
	case b == IAC:
		d.state = afterIAC
		return out
	case b == '\r' && !d.Binary && !d.Unsure:
		d.state = afterCR
	}
	return append(out, b)
}

func (d *Decoder) command(out []byte, b byte, do func([]byte, Command) []byte) []byte {
	d.state = inData
	switch {
	case b >= WILL && b <= DONT:
		d.state, d.verb = afterVerb, b
	case d.Unsure:
		return d.step(append(out, IAC), b, do)
	case b == IAC:
		return append(out, IAC)
	case b == SB:
		d.state, d.sub = inSub, d.sub[:0]
	case b >= EOF:
		return call(out, Command{Verb: b}, do)
	}
	return out // what is no command is left out with its IAC
}

// endSub goes on behind an IAC in a subnegotiation: what is neither doubled nor its end ends it all the same.
func (d *Decoder) endSub(out []byte, b byte, do func([]byte, Command) []byte) []byte {
	if b == IAC {
		d.state = inSub
		d.keep(b)
		return out
	}
	d.state = inData
	if len(d.sub) > 0 {
		out = call(out, Command{Verb: SB, Option: d.sub[0], Data: d.sub[1:]}, do)
	}
	if b != SE {
		return d.command(out, b, do)
	}
	return out
}

func (d *Decoder) keep(b byte) {
	if len(d.sub) <= maxSub {
		d.sub = append(d.sub, b)
	}
}

func call(out []byte, c Command, do func([]byte, Command) []byte) []byte {
	if do == nil {
		return out
	}
	return do(out, c)
}

// Encoder makes of bytes what a telnet connection carries. The zero value is ready.
type Encoder struct {
	Binary bool // carriage returns mean nothing (RFC 856)

	cr bool // the last byte was a carriage return
}

// Append appends p: IAC is doubled, and a carriage return that is not before a line feed gets a NUL behind it, together with
// what follows.
func (e *Encoder) Append(out, p []byte) []byte {
	for _, b := range p {
		if e.cr && b != '\n' {
			out = append(out, 0)
		}
		e.cr = b == '\r' && !e.Binary
		if out = append(out, b); b == IAC {
			out = append(out, IAC)
		}
	}
	return out
}

// AppendSub appends a subnegotiation (RFC 855).
func AppendSub(out []byte, option byte, data ...byte) []byte {
	out = append(out, IAC, SB, option)
	for _, b := range data {
		if out = append(out, b); b == IAC {
			out = append(out, IAC)
		}
	}
	return append(out, IAC, SE)
}
