package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/switchboard-relay/switchboard/capture"
)

// flow is what one side of a connection of TCP said.
type flow struct {
	name     string // who said it to whom
	port     uint16 // of the server
	segments [][]byte
	missing  uint64 // bytes that were not captured; what follows them is taken to follow what was before
}

// flowsOf reads the flows of a capture file in which something was said. Each connection is also written as a capture of its own,
// which must read the same.
func flowsOf(path string) ([]*flow, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var flows []*flow
	err = conversations(in, func(c *capture.Conversation) error {
		if c.Transport != "tcp" {
			return nil
		}
		sides, written, err := sidesOf(c)
		if err != nil {
			return err
		}
		if err := sameAgain(sides, written); err != nil {
			return fmt.Errorf("%s, written and read again: %w", sides[capture.Client].name, err)
		}
		for _, f := range sides {
			if len(f.segments) > 0 {
				flows = append(flows, f)
			}
		}
		return nil
	})
	return flows, err
}

// conversations reads a capture file.
func conversations(in io.Reader, each func(c *capture.Conversation) error) error {
	spool, err := os.CreateTemp("", "captures")
	if err != nil {
		return err
	}
	defer os.Remove(spool.Name())
	defer spool.Close()
	file, err := capture.Read(in, spool, capture.Options{})
	if err != nil {
		return err
	}
	for _, c := range file.Conversations {
		if err := each(c); err != nil {
			return err
		}
	}
	return nil
}

// sidesOf are both flows of a connection, and the connection as a capture file that we write.
func sidesOf(c *capture.Conversation) (sides [2]*flow, written []byte, err error) {
	ends := capture.Ends{c.Client, c.Server}
	for _, from := range []capture.Side{capture.Client, capture.Server} {
		sides[from] = &flow{name: fmt.Sprintf("%s to %s", ends[from], ends[from.Other()]), port: c.Server.Port()}
	}
	var out bytes.Buffer
	w := capture.NewWriter(&out, capture.About{Program: "Switchboard"})
	at := c.Start / 1000
	again := w.TCP(at, ends, [2]uint32{})
	for events := c.Events(); ; {
		e, err := events.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return sides, nil, err
		}
		at = e.Time
		f := sides[e.From]
		switch e.Kind {
		case capture.Said:
			f.segments = append(f.segments, bytes.Clone(e.Data))
			again.Data(at, e.From, e.Data)
		case capture.Lost:
			f.missing += e.Missing
			again.Missing(e.From, e.Missing)
		}
	}
	again.End(at, capture.Client)
	again.End(at, capture.Server)
	err = w.Close(at)
	return sides, out.Bytes(), err
}

// mostMissing is how many missing bytes a capture that we write can have for certain: see capture.TCP.Missing.
const mostMissing = 1 << 29

// sameAgain checks that a capture file holds one connection, with these sides.
func sameAgain(sides [2]*flow, file []byte) error {
	read := 0
	err := conversations(bytes.NewReader(file), func(c *capture.Conversation) error {
		read++
		again, _, err := sidesOf(c)
		if err != nil {
			return err
		}
		for i, f := range sides {
			if again[i].name != f.name || again[i].missing != f.missing && f.missing <= mostMissing || !bytes.Equal(slices.Concat(again[i].segments...), slices.Concat(f.segments...)) {
				return fmt.Errorf("%s, %d segments, %d bytes missing, is %s, %d segments, %d bytes missing, or has other bytes",
					f.name, len(f.segments), f.missing, again[i].name, len(again[i].segments), again[i].missing)
			}
		}
		return nil
	})
	if err == nil && read != 1 {
		err = fmt.Errorf("it is %d connections", read)
	}
	return err
}
