//go:build linux

package main

import (
	"context"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

// ack says that an event of a session is on disk.
type ack struct {
	ID     session.ID
	Start  int64
	Number uint64
}

const writers = 6

// content is what event number n of a session carries: it can be told from the outside, and does not compress.
func content(id session.ID, n uint64) []byte {
	r := rand.New(rand.NewPCG(uint64(crc32.ChecksumIEEE([]byte(id))), n))
	b := make([]byte, 1+r.IntN(8<<10))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// record records until it is killed, and acknowledges each event only once the log says that it is durable.
func record(p *benchkit.Parent) error {
	var dir string
	if err := p.Next(&dir); err != nil {
		return err
	}
	store, err := recording.Open(options(dir))
	if err != nil {
		return err
	}
	var mu sync.Mutex
	say := func(a ack) {
		mu.Lock()
		defer mu.Unlock()
		if p.Reply(a) != nil {
			os.Exit(1)
		}
	}
	failed := make(chan error, writers)
	for i := range writers {
		go func() { // ends with the process
			for {
				events := 1 + rand.IntN(30)
				if i == 0 {
					events = 1 << 40 // one session lives until the kill
				}
				if err := one(store, events, say); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

// one records a session of so many events.
func one(store *recording.Store, events int, say func(ack)) error {
	info := &session.Info{ID: session.NewID("n1"), Listener: "crash", Transport: "tcp", Remote: "127.0.0.1:1", Start: time.Now().UnixMicro()}
	log, err := store.Begin(info, recording.Policy{Record: session.RecordStrict, OnFailure: session.OnFailureEnd})
	if err != nil {
		return err
	}
	for n := uint64(2); events > 0; n, events = n+1, events-1 {
		got, err := log.Append(session.Received, content(info.ID, n))
		if err == nil && got != n {
			err = fmt.Errorf("event %d got number %d", n, got)
		}
		if err == nil {
			err = log.WaitDurable(context.Background(), n)
		}
		if err != nil {
			return err
		}
		say(ack{ID: info.ID, Start: info.Start, Number: n})
	}
	log.End(session.End{Time: time.Now().UnixMicro(), Cause: session.HungUp})
	return nil
}
