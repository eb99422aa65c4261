package simulate

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Counts is what a fleet has done and seen. Numbers are since its start, except those that say now.
type Counts struct {
	Seconds   float64 `json:"seconds"`   // since the start
	Devices   int     `json:"devices"`   // of the fleet
	Online    int64   `json:"online"`    // now: devices with a registered connection
	Connected int64   `json:"connected"` // now: connections

	Connects   uint64            `json:"connects"`   // connections that were made
	Failed     map[string]uint64 `json:"failed"`     // connections that were not, by why
	Registered uint64            `json:"registered"` // registrations that were accepted; sent, where a protocol has no answer
	Rejected   uint64            `json:"rejected"`
	Ended      map[string]uint64 `json:"ended"` // connections that the server ended, by how

	Messages   uint64 `json:"messages"`   // said: with a number
	Heartbeats uint64 `json:"heartbeats"` // said
	Sent       uint64 `json:"sent"`       // bytes that the system took, of all
	Behind     uint64 `json:"behind"`     // messages that were not said in their turn: no connection, or the server does not read
	Replies    uint64 `json:"replies"`    // to registrations, heartbeats, messages
	Commands   uint64 `json:"commands"`   // that came
	Answers    uint64 `json:"answers"`    // to commands
	Received   uint64 `json:"received"`   // bytes

	Reconnects uint64 `json:"reconnects"`
	Duplicates uint64 `json:"duplicates"`
	Floods     uint64 `json:"floods"`
	BlackHoles uint64 `json:"black_holes"`
	Vanished   uint64 `json:"vanished"`
}

// tally is the counts as they grow.
type tally struct {
	online, connected                                    atomic.Int64
	connects, registered, rejected                       atomic.Uint64
	messages, heartbeats, sent, behind                   atomic.Uint64
	replies, commands, answers, received                 atomic.Uint64
	reconnects, duplicates, floods, blackHoles, vanished atomic.Uint64

	mu            sync.Mutex
	failed, ended map[string]uint64
}

func (t *tally) end(why string)      { t.count(&t.ended, why) }
func (t *tally) failedTo(why string) { t.count(&t.failed, why) }

func (t *tally) count(m *map[string]uint64, why string) {
	const kinds = 64 // of reasons
	t.mu.Lock()
	defer t.mu.Unlock()
	if *m == nil {
		*m = map[string]uint64{}
	}
	if _, known := (*m)[why]; !known && len(*m) >= kinds {
		why = "other"
	}
	(*m)[why]++
}

// Counts are those of now.
func (f *Fleet) Counts() Counts {
	t := &f.tally
	c := Counts{Devices: len(f.devices), Online: t.online.Load(), Connected: t.connected.Load(),
		Connects: t.connects.Load(), Registered: t.registered.Load(), Rejected: t.rejected.Load(),
		Messages: t.messages.Load(), Heartbeats: t.heartbeats.Load(), Sent: t.sent.Load(), Behind: t.behind.Load(),
		Replies: t.replies.Load(), Commands: t.commands.Load(), Answers: t.answers.Load(), Received: t.received.Load(),
		Reconnects: t.reconnects.Load(), Duplicates: t.duplicates.Load(), Floods: t.floods.Load(), BlackHoles: t.blackHoles.Load(),
		Vanished: t.vanished.Load()}
	if began := f.began.Load(); began != 0 {
		c.Seconds = time.Since(time.Unix(0, began)).Seconds()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c.Failed, c.Ended = maps.Clone(t.failed), maps.Clone(t.ended)
	return c
}

// RestlessError says that devices did not come to rest.
type RestlessError struct {
	Devices int
	cause   error
}

// Error says how many.
func (e *RestlessError) Error() string {
	return fmt.Sprintf("%d devices have no registered connection, or something to send: %v", e.Devices, e.cause)
}

// Unwrap is the context's error.
func (e *RestlessError) Unwrap() error { return e.cause }

// Verdict is what a receiver's ledger says of what a fleet has said.
type Verdict struct {
	LedgerCounts
	Said uint64 `json:"said"` // messages
	Lost uint64 `json:"lost"` // that never came, though their connection lives, or was ended by the device
	Torn uint64 `json:"torn"` // that never came, and whose connection broke, so that they may not have left the device
	// Example is the first that was lost: NAME:FIRST-LAST.
	Example string `json:"example,omitempty"`
}

// Check compares. Call it at rest, or after Run.
func (f *Fleet) Check(l *Ledger) Verdict {
	v := Verdict{LedgerCounts: l.Counts()}
	for _, d := range f.devices {
		d.mu.Lock()
		spans := d.spans
		for _, of := range []*link{d.older, d.link} {
			if of != nil && of.first > 0 {
				spans = append(spans[:len(spans):len(spans)], span{of.first, of.last, of.broken})
			}
		}
		v.Said += d.number
		d.mu.Unlock()
		for _, s := range spans {
			l.missing(d.name, s.first, s.last, func(first, last uint64) {
				if s.torn {
					v.Torn += last - first + 1
					return
				}
				v.Lost += last - first + 1
				if v.Example == "" {
					v.Example = fmt.Sprintf("%s:%d-%d", d.name, first, last)
				}
			})
		}
	}
	return v
}
