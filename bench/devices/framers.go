//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/simulate"
)

const (
	framerPiece  = 32 << 10 // bytes that are fed at once
	framerStream = 1 << 20  // bytes of a stream, at least
	framerRounds = 5
	framerLasts  = 200 * time.Millisecond
	framerSize   = 64 // bytes of a message, or more
)

// framed is a framer with what it is to cut.
type framed struct {
	name string
	spec frame.FramerSpec
	make func() ([]byte, error)
}

// simulated is what a simulated device of a protocol says.
func simulated(protocol string) func() ([]byte, error) {
	return func() ([]byte, error) {
		b, err := simulate.Stream(protocol, 100, framerSize)
		return b, err
	}
}

// repeated is one message, with its number at an offset.
func repeated(message string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(message), nil }
}

// filler is what messages hold.
var filler = string(bytes.Repeat([]byte("0123456789abcde "), 8))

func framersToTry() []framed {
	list := []framed{
		{"raw", frame.FramerSpec{Type: "raw"}, repeated(filler[:64])},
		{"line", frame.FramerSpec{Type: "line"}, repeated(filler[:63] + "\n")},
		{"delimiters", frame.FramerSpec{Type: "delimiters", Delimiters: []string{"##\r\n", "##"}}, repeated(filler[:60] + "##\r\n")},
		{"between", frame.FramerSpec{Type: "between", Start: "(", End: ")"}, repeated("(" + filler[:62] + ")")},
		{"between, with escapes", frame.FramerSpec{Type: "between", Start: `\x7e`, End: `\x7e`, Escape: map[string]string{`\x7d\x02`: `\x7e`, `\x7d\x01`: `\x7d`}},
			repeated("\x7e" + filler[:58] + "\x7d\x02\x7d\x01\x7e")},
		{"fixed", frame.FramerSpec{Type: "fixed", Size: 64}, repeated(filler[:64])},
		{"length", frame.FramerSpec{Type: "length", Offset: 0, Width: 2}, repeated("\x00\x3e" + filler[:62])},
		{"length, with crc16-modbus", frame.FramerSpec{Type: "length", Offset: 0, Width: 2, Check: "crc16-modbus", CheckTo: -2, CheckEndian: "little"}, checked},
		{"gap", frame.FramerSpec{Type: "gap", Gap: "50ms"}, repeated(filler[:64])},
		{"modbus-tcp", frame.FramerSpec{Preset: "modbus-tcp"}, repeated("\x00\x01\x00\x00\x00\x3a\x01\x03\x37" + filler[:55])},
		{"modbus-rtu", frame.FramerSpec{Preset: "modbus-rtu"}, readRegisters},
		{"tpkt", frame.FramerSpec{Preset: "tpkt"}, repeated("\x03\x00\x00\x40" + filler[:60])},
		{"usr-dtu", frame.FramerSpec{Preset: "usr-dtu"}, repeated(filler[:64])},
	}
	for _, protocol := range simulate.Protocols() {
		if protocol != "raw" && protocol != "line" {
			list = append(list, framed{protocol, frame.FramerSpec{Preset: protocol}, simulated(protocol)})
		}
	}
	return list
}

// checked is a message with a length and a CRC behind it.
func checked() ([]byte, error) {
	return withCRC("\x00\x3e" + filler[:60]), nil
}

// readRegisters is what a device of Modbus answers.
func readRegisters() ([]byte, error) { return withCRC("\x01\x03\x3b" + filler[:59]), nil }

// withCRC appends the check of Modbus.
func withCRC(message string) []byte {
	b := []byte(message)
	sum := uint16(0xffff)
	for _, c := range b {
		sum ^= uint16(c)
		for range 8 {
			if odd := sum&1 != 0; odd {
				sum = sum>>1 ^ 0xa001
			} else {
				sum >>= 1
			}
		}
	}
	return binary.LittleEndian.AppendUint16(b, sum)
}

// framers takes what each framer does with a stream that lies in memory, cut into pieces anywhere.
func framers(r *benchkit.Run) error {
	for _, f := range framersToTry() {
		if err := cut(r, f); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	r.Note("framers: a stream of messages of %d bytes, or of as few more as their protocol needs, fed in pieces of %d KiB; each message is looked at, none is kept; per second of CPU. "+
		"raw and gap make one message of each piece.", framerSize, framerPiece>>10)
	return nil
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var t unix.Timespec
	unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t)
	return time.Duration(t.Nano())
}

func cut(r *benchkit.Run, f framed) error {
	d, err := frame.Compile(frame.Spec{Framers: []frame.FramerSpec{f.spec}})
	if err != nil {
		return err
	}
	once, err := f.make()
	if err != nil {
		return err
	}
	stream := bytes.Repeat(once, framerStream/len(once)+1)
	reader := d.Reader(false)
	var messages, flagged, at int64
	each := func(m *frame.Message) error {
		messages++
		if m.Flags != 0 || m.Kind == frame.Junk {
			flagged++
		}
		return nil
	}
	feed := func() error {
		for b := stream; len(b) > 0; b = b[min(len(b), framerPiece):] {
			at += 1000
			if f.spec.Type == "gap" {
				at += 1_000_000
			}
			if err := reader.Feed(b[:min(len(b), framerPiece)], at, each); err != nil {
				return err
			}
		}
		return nil
	}
	speed := benchkit.Series{}
	for round := range framerRounds {
		r.Progress("framer %s, round %d of %d", f.name, round+1, framerRounds)
		start, began, fed := time.Now(), processorTime(), 0
		for time.Since(start) < framerLasts {
			if err := feed(); err != nil {
				return err
			}
			fed += len(stream)
		}
		speed = append(speed, float64(fed)/(processorTime()-began).Seconds())
	}
	if flagged > 0 || messages == 0 {
		return fmt.Errorf("%d of %d messages are junk, or flagged", flagged, messages)
	}
	before := messages
	allocs := testing.AllocsPerRun(5, func() { feed() })
	each1 := allocs * 6 / float64(messages-before)
	r.Add(benchkit.Row{Name: "framer " + f.name, Ours: speed, Unit: benchkit.GBPerSec, Target: benchkit.AtLeast(0.5e9, benchkit.GBPerSec)})
	r.Add(benchkit.Row{Name: "the same, allocations a message", Ours: benchkit.One(each1), Unit: benchkit.Decimal,
		Target: benchkit.Exactly(0, benchkit.Decimal)})
	return nil
}
