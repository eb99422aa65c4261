// Package capture turns conversations into packets and back: what passed over a connection becomes a capture file that Wireshark
// reads, and a capture file becomes the conversations whose packets are in it. It reads pcap and pcapng, and writes pcapng
// (draft-ietf-opsawg-pcapng). It does no I/O but on the readers and writers that it is given.
package capture

import (
	"errors"
	"fmt"
)

// Side is an end of a conversation.
type Side uint8

const (
	Client Side = iota // opened the conversation
	Server
)

// Other is the other end.
func (s Side) Other() Side { return 1 - s }

// Error says what is wrong with a capture file, and where.
type Error struct {
	Where string // "packet 7, at byte 1208"
	Err   error
}

func (e *Error) Error() string { return e.Where + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Limits of what is read. What a file has beyond the first ones is refused; what passes the others is given up, and is a gap.
const (
	MaxConversations = 10_000   // of one file
	maxFlows         = 65_536   // of one file, with those in which nothing was said
	maxBlock         = 16 << 20 // bytes of a block of pcapng that is needed, or of a packet
	maxInterfaces    = 4096     // of one section of pcapng
	maxNames         = 10_000   // of addresses

	maxHeld       = 1 << 20  // bytes of one direction that wait for what is missing before them
	maxSegments   = 1024     // the same, segments
	maxAllHeld    = 64 << 20 // bytes, of all conversations together
	maxFragmented = 256      // packets that are being put together of fragments; the oldest goes
	maxFragments  = 1024     // of one packet
	maxUnspooled  = 8 << 20  // bytes of conversations in memory; then they go to the spool
	maxHeaders    = 16       // extension headers of a packet of IPv6
	maxTags       = 4        // of VLANs, of one frame
	maxUnplaced   = 64       // segments of a direction whose beginning is not known that are waited for, for an earlier one
)

var (
	errEmpty = errors.New("there is nothing in it")
	errMany  = fmt.Errorf("it has more than %d conversations: choose some by a port, or divide the file", MaxConversations)
)
