package room_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/session"
)

// ownEvents is a sealed session's record as it is, with references to rooms instead of what they refer to.
func (n *node) ownEvents(sum session.Summary) (all []session.Event) {
	n.t.Helper()
	r, err := n.store.Recording(sum.ID, sum.Start)
	if err != nil {
		n.t.Fatal(err)
	}
	defer r.Close()
	c := r.Cursor(1)
	defer c.Close()
	for {
		batch, err := c.TryNext()
		for _, e := range batch {
			e.Data = append([]byte(nil), e.Data...)
			all = append(all, e)
		}
		if err == io.EOF {
			return all
		}
		if err != nil || len(batch) == 0 {
			n.t.Fatalf("session %s: %v after %d events", sum.ID, err, len(all))
		}
	}
}

func TestLeftIsBehindTheLastDeliveryAndSaysWhichThatWas(t *testing.T) {
	n := newNode(t)
	l := n.line("tcp", "chat", true)
	talker := l.join("")
	var stop atomic.Bool
	talked := make(chan struct{})
	go func() {
		defer close(talked)
		for i := 0; !stop.Load(); i++ {
			if _, err := fmt.Fprintf(talker, "message %d ", i); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	const leavers = 60
	heard := map[string]uint64{} // by address
	for range leavers {
		c, err := net.Dial("tcp", l.addr)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(30 * time.Second))
		buf := make([]byte, 4096)
		first, err := c.Read(buf) // it is a member, and the room talks
		if err != nil {
			t.Fatal(err)
		}
		c.(*net.TCPConn).CloseWrite() // it leaves while its connection can still take more
		rest, err := io.Copy(io.Discard, c)
		if err != nil {
			t.Fatal(err)
		}
		heard[c.LocalAddr().String()] = uint64(first) + uint64(rest)
		c.Close()
	}
	stop.Store(true)
	<-talked
	var list []session.Summary
	n.until("all who left are on record", func() bool {
		var err error
		if list, err = n.List(context.Background(), session.Recorded, index.Filter{}); err != nil {
			t.Fatal(err)
		}
		return len(list) == leavers
	})
	for _, sum := range list {
		var delivered, left session.RoomRef
		bytes := uint64(0)
		for _, e := range n.ownEvents(sum) {
			switch e.Kind {
			case session.Delivered:
				if err := json.Unmarshal(e.Data, &delivered); err != nil {
					t.Fatal(err)
				}
				bytes += delivered.Bytes
				if left.Room != "" {
					t.Errorf("%s was given messages %d to %d behind its leaving", sum.ID, delivered.First, delivered.Last)
				}
			case session.Left:
				if err := json.Unmarshal(e.Data, &left); err != nil {
					t.Fatal(err)
				}
			}
		}
		if left.Last != delivered.Last || left.Session != delivered.Session {
			t.Errorf("%s left behind message %d of %s; want %d of %s, the last that it was given", sum.ID, left.Last,
				left.Session, delivered.Last, delivered.Session)
		}
		if bytes != heard[sum.Remote] {
			t.Errorf("%s: %d bytes are on record; the client heard %d", sum.ID, bytes, heard[sum.Remote])
		}
	}
}
