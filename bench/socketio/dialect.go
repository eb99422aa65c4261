//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// dialect is how clients and a server understand each other over WebSocket.
type dialect struct {
	path     string
	joins    bool // several packets in a frame, each on a line of its own
	upgraded func(c *crowd, cl *client) error
	packet   func(c *crowd, cl *client, p []byte) error      // one that is no message of ours
	publish  func(c *crowd, b []byte, message []byte) []byte // appends the packet that says a message
}

var dialects = map[string]*dialect{
	"socketio": {
		path:     "/socket.io/?EIO=4&transport=websocket",
		upgraded: func(*crowd, *client) error { return nil },
		packet:   socketIOPacket,
		publish: func(_ *crowd, b, message []byte) []byte {
			return append(append(append(b, `42["clientmessage","`...), message...), `"]`...)
		},
	},
	"centrifugo": {
		path:     "/connection/websocket",
		joins:    true,
		upgraded: centrifugoUpgraded,
		packet:   centrifugoPacket,
		publish: func(c *crowd, b, message []byte) []byte {
			c.ids++
			b = strconv.AppendInt(append(b, `{"id":`...), int64(c.ids)+2, 10)
			return append(append(append(b, `,"publish":{"channel":"room","data":"`...), message...), `"}}`...)
		},
	},
}

// socketIOPacket takes packets of Engine.IO 4 and, within them, of Socket.IO 5.
func socketIOPacket(c *crowd, cl *client, p []byte) error {
	switch {
	case len(p) == 1 && p[0] == '2':
		return c.send(cl, "3")
	case len(p) > 0 && p[0] == '0':
		cl.state = joining
		return c.send(cl, "40"+cl.claim())
	case bytes.HasPrefix(p, []byte("40")):
		return c.connectedAs(cl, p[2:])
	case bytes.HasPrefix(p, []byte("42")): // an event that we did not say, such as a welcome
		if c.place.Recovery {
			cl.keepOffset(p)
		}
		return nil
	}
	return fmt.Errorf("got %q", p[:min(len(p), 200)])
}

// claim is what a client says of itself when it comes back.
func (cl *client) claim() string {
	if cl.pid == "" {
		return ""
	}
	b, _ := json.Marshal(map[string]string{"pid": cl.pid, "offset": string(cl.offset[:cl.offLen])})
	return string(b)
}

// connectedAs takes the answer to a CONNECT.
func (c *crowd) connectedAs(cl *client, p []byte) error {
	var as struct{ SID, PID string }
	if err := json.Unmarshal(p, &as); err != nil || as.SID == "" {
		return fmt.Errorf("CONNECT was answered by %q", p)
	}
	if c.tolerant && cl.pid != "" {
		c.back(cl, as.PID == cl.pid)
	}
	if c.place.Recovery {
		cl.pid = as.PID
	}
	c.welcomed(cl)
	return nil
}

func centrifugoUpgraded(c *crowd, cl *client) error {
	if cl.publisher {
		return c.send(cl, `{"id":1,"connect":{}}`)
	}
	return c.send(cl, `{"id":1,"connect":{}}`+"\n"+`{"id":2,"subscribe":{"channel":"room"}}`)
}

func centrifugoPacket(c *crowd, cl *client, p []byte) error {
	for line := range bytes.SplitSeq(p, []byte("\n")) {
		switch {
		case string(line) == "{}":
			if err := c.send(cl, "{}"); err != nil {
				return err
			}
		case bytes.HasPrefix(line, []byte(`{"id":1,"connect":{`)) && cl.publisher,
			bytes.HasPrefix(line, []byte(`{"id":2,"subscribe":{`)):
			c.welcomed(cl)
		case bytes.HasPrefix(line, []byte(`{"id":1,"connect":{`)):
		case cl.publisher && bytes.HasSuffix(line, []byte(`"publish":{}}`)):
		default:
			return fmt.Errorf("got %q", line[:min(len(line), 200)])
		}
	}
	return nil
}
