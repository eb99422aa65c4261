package announce

import (
	"bytes"

	"github.com/switchboard-relay/switchboard/telnet"
)

// follower follows what a program shows, as far as it takes to know where its sequences end (ECMA-48, section 5.4) and which
// title it gave its window.
type follower struct {
	telnet *telnet.Decoder // nil: none of its commands are in what is shown
	clean  []byte

	state state
	more  uint8 // bytes of a character that are still to come
	lead  byte  // its first byte

	command []byte // of OSC, as far as it may set a title
	titled  bool   // a title was set since it was asked
	title   string // the one that was set last
}

type state uint8

const (
	ground  state = iota
	escape        // behind ESC, and what stands between it and the final byte
	control       // in CSI
	command       // in OSC
	text          // in DCS, SOS, PM or APC
)

const (
	esc      = 0x1b
	maxTitle = 256 // bytes; the window keeps longer ones by itself
)

// between reports whether no sequence, and no character, has begun and not ended.
func (f *follower) between() bool {
	return f.state == ground && f.more == 0 && (f.telnet == nil || f.telnet.Between())
}

func (f *follower) follow(p []byte) {
	if f.telnet != nil {
		f.clean = f.telnet.Append(f.clean[:0], p, nil)
		p = f.clean
	}
	for len(p) > 0 {
		if f.state != ground || f.more > 0 {
			f.step(p[0])
			p = p[1:]
			continue
		}
		n := behindOSC(p)
		f.steps(p[lastESC(p[:n]):n])
		p = p[n:]
	}
}

// behindOSC is where the first OSC of what is shown has begun, or the end.
func behindOSC(p []byte) int {
	if at := bytes.Index(p, []byte("\x1b]")); at >= 0 {
		p = p[:at+2]
	}
	if at := bytes.Index(p, []byte("\u009d")); at >= 0 {
		p = p[:at+2]
	}
	return len(p)
}

// lastESC is where to begin so as to know what state the end is in: ESC ends all that was before it, and only an OSC means
// more than that. Much that is shown is passed over so.
func lastESC(p []byte) int { return max(bytes.LastIndexByte(p, esc), 0) }

func (f *follower) steps(p []byte) {
	for _, b := range p {
		if f.state == ground && f.more == 0 && b < 0x80 && b != esc {
			continue
		}
		f.step(b)
	}
}

func (f *follower) step(b byte) {
	switch {
	case f.more > 0 && b&0xc0 == 0x80:
		f.more--
		f.keep(b)
		if f.lead == 0xc2 && b < 0xa0 && f.state == ground { // C1 as a character
			f.begin(b - 0x40)
		}
		return
	case b >= 0xc2 && b < 0xf5:
		f.lead, f.more = b, 1
		if b >= 0xe0 {
			f.more++
		}
		if b >= 0xf0 {
			f.more++
		}
		f.keep(b)
		return
	}
	f.more = 0
	switch {
	case b == esc:
		f.end(f.state == command)
		f.state = escape
	case b == 0x18 || b == 0x1a: // CAN, SUB
		f.end(false)
	case f.state == escape && b >= 0x30 && b < 0x7f:
		f.begin(b)
	case f.state == control && b >= 0x40 && b < 0x7f:
		f.state = ground
	case f.state == command && b == 7:
		f.end(true)
	default:
		f.keep(b)
	}
}

// begin goes on from the byte that says which sequence it is.
func (f *follower) begin(final byte) {
	switch final {
	case '[':
		f.state = control
	case ']':
		f.state, f.command = command, f.command[:0]
	case 'P', 'X', '^', '_':
		f.state = text
	default:
		f.state = ground
	}
}

func (f *follower) keep(b byte) {
	if f.state == command && len(f.command) <= maxTitle {
		f.command = append(f.command, b)
	}
}

// end ends a sequence; whole says that it means something.
func (f *follower) end(whole bool) {
	f.state = ground
	if c := f.command; whole && len(c) >= 2 && len(c) <= maxTitle && (c[0] == '0' || c[0] == '2') && c[1] == ';' {
		f.titled, f.title = true, printable(string(c[2:]))
	}
	f.command = f.command[:0]
}
