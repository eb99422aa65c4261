package export

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/netip"
	"strings"

	"github.com/switchboard-relay/switchboard/capture"
	"github.com/switchboard-relay/switchboard/session"
)

// ErrNoConversation means that a recording has messages of many, and is no conversation of two ends that packets could show.
var ErrNoConversation = errors.New("a room's recording is no conversation of two ends: export a member's session as pcapng, or this one as jsonl")

// packets is a session as a capture file: what crossed the wire, in packets that could have carried it. TLS, WebSocket and SSH
// are taken off, as on the record.
type packets struct {
	w     *capture.Writer
	info  session.Info
	tcp   *capture.TCP
	udp   *capture.UDP
	cut   cutter
	at    int64 // of the newest event, Unix µs
	over  bool
	about *about
}

func writePackets(w io.Writer, open func() (Reader, error)) error {
	a, err := lookThrough(open)
	if err != nil {
		return err
	}
	if a.info.Transport == "room" {
		return ErrNoConversation
	}
	out := bufio.NewWriterSize(w, bufferSize)
	p := newPackets(out, &a)
	if err := each(open, a.last, out, p); err != nil {
		return err
	}
	p.end()
	if err := p.w.Close(p.at); err != nil {
		return err
	}
	return out.Flush()
}

func newPackets(out io.Writer, a *about) *packets {
	ends, notes := endsOf(&a.info)
	text := fmt.Sprintf("session %s on %s: %s %s", a.info.ID, a.info.Listener, a.info.Transport, a.info.Remote)
	if a.title != "" {
		text += ", named " + a.title
	}
	names := map[netip.Addr]string{}
	if a.title != "" {
		names[ends[capture.Client].Addr()] = a.title
	}
	p := &packets{cut: cutter{cuts: a.cuts}, about: a, info: a.info, at: a.start}
	p.w = capture.NewWriter(out, capture.About{Program: "Switchboard", Comment: strings.Join(append([]string{text}, notes...), "\n"),
		Interface: a.info.Listener, Names: names})
	if a.info.Transport == "udp" {
		p.udp = p.w.UDP(ends)
	} else {
		p.tcp = p.w.TCP(a.start, ends, firstNumbers(a.info.ID))
	}
	return p
}

// What stands for an end that has no address of the internet: addresses that are kept for documentation (RFC 5737, RFC 3849).
var (
	nearIPv4 = netip.MustParseAddr("192.0.2.1")
	farIPv4  = netip.MustParseAddr("192.0.2.2")
	nearIPv6 = netip.MustParseAddr("2001:db8::1")
)

const (
	nearPort = 49151
	farPort  = 49152 // and the 16,383 above: the session's id says which
)

// endsOf are the far end, as the client, and the near one, and what is to be said of them.
func endsOf(info *session.Info) (ends capture.Ends, notes []string) {
	far, isFar := addressOf(info.Remote)
	near, isNear := addressOf(info.Local)
	if !isFar {
		far = netip.AddrPortFrom(farIPv4, farPort+uint16(mix(info.ID)%16384))
		notes = append(notes, fmt.Sprintf("%s stands for the far end, which has no address of IP", far))
	}
	if !isNear || near.Addr().IsUnspecified() {
		addr, port := nearIPv4, near.Port()
		if isFar && far.Addr().Is6() {
			addr = nearIPv6
		}
		if !isNear {
			port = nearPort
		}
		near = netip.AddrPortFrom(addr, port)
		notes = append(notes, fmt.Sprintf("%s stands for Switchboard's own address, which is not on record", near))
	}
	if far.Addr().Is4() != near.Addr().Is4() {
		far = netip.AddrPortFrom(netip.AddrFrom16(far.Addr().As16()), far.Port())
		near = netip.AddrPortFrom(netip.AddrFrom16(near.Addr().As16()), near.Port())
	}
	switch info.Transport {
	case "tls", "wss", "ssh":
		notes = append(notes, "what passed was encrypted; it is shown as it was before and behind that")
	}
	switch info.Transport {
	case "ws", "wss", "socketio":
		notes = append(notes, "each message is shown as a segment, without the frames around it")
	}
	return capture.Ends{far, near}, notes
}

// addressOf reads an address as sessions have it.
func addressOf(text string) (netip.AddrPort, bool) {
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		return a, false
	}
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port()), true
}

// firstNumbers are where the two directions begin to count: the same at each export, and others in each session.
func firstNumbers(id session.ID) [2]uint32 {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], mix(id))
	return [2]uint32{binary.BigEndian.Uint32(b[:]), binary.BigEndian.Uint32(b[4:])}
}

func mix(id session.ID) uint64 {
	h := fnv.New64a()
	h.Write([]byte(id))
	return h.Sum64()
}

func (p *packets) event(e session.Event) {
	if e.Kind == session.Closed {
		p.closed(e)
		return
	}
	p.at = max(p.at, e.Time)
	switch e.Kind {
	case session.Received:
		p.data(capture.Client, e.Data)
	case session.Sent, session.SentErr:
		if len(e.Data) == 0 {
			p.data(capture.Server, nil)
		}
		p.cut.each(e.Data, func(part []byte) { p.data(capture.Server, part) })
	case session.ReceivedEnd:
		p.finish(capture.Client)
	case session.SentEnd:
		p.finish(capture.Server)
	case session.Named:
		p.w.Comment("named " + string(e.Data))
	case session.Noted:
		p.w.Comment(string(e.Data))
	case session.Gap, session.Unsent, session.Upgraded:
		p.w.Comment((&Lines{}).tale(e))
		p.gap(e)
	}
}

func (p *packets) data(from capture.Side, data []byte) {
	if p.udp != nil {
		p.udp.Data(p.at, from, data)
		return
	}
	p.tcp.Data(p.at, from, data)
}

func (p *packets) finish(from capture.Side) {
	if p.tcp != nil {
		p.tcp.End(p.at, from)
	}
}

// gap leaves bytes out where some are missing. Which way they went is not on record: one of each direction stands for them.
func (p *packets) gap(e session.Event) {
	if e.Kind == session.Gap && p.tcp != nil {
		p.tcp.Missing(capture.Client, 1)
		p.tcp.Missing(capture.Server, 1)
	}
}

// closed ends the connection as it ended. Of a session whose end nobody saw, none is shown.
func (p *packets) closed(e session.Event) {
	var end session.End
	if json.Unmarshal(e.Data, &end) != nil {
		return
	}
	p.at = max(p.at, cmp.Or(end.Time, e.Time)) // when it happened, not when it was recorded
	p.over = true
	p.w.Comment("ended: " + end.Error())
	if p.tcp == nil {
		return
	}
	switch end.Cause {
	case session.Interrupted, session.LostNode:
	case session.Reset:
		p.tcp.Reset(p.at, capture.Client)
	case session.Slow:
		p.tcp.Reset(p.at, capture.Server)
	case session.HungUp:
		p.tcp.End(p.at, capture.Client)
		p.tcp.End(p.at, capture.Server)
	default:
		p.tcp.End(p.at, capture.Server)
		p.tcp.End(p.at, capture.Client)
	}
}

func (p *packets) end() {
	if !p.over {
		p.w.Comment("the session went on")
	}
}
