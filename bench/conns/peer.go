//go:build linux

package main

import (
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

// peerRole is a plain Go server: a goroutine and a buffer of 4 KiB for each connection, which is registered under its
// first message and answered with its own bytes.
const peerRole = "peer"

type registry struct {
	mu    sync.Mutex
	conns map[string]registration
}

type registration struct {
	conn  net.Conn
	since time.Time
}

func servePeer(p *benchkit.Parent) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	reg := &registry{conns: map[string]registration{}}
	go func() { // ends with the process
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go reg.serve(c)
		}
	}()
	if err := p.Reply(ln.Addr().String()); err != nil {
		return err
	}
	return benchkit.Serve(p, func(struct{}) (bool, error) {
		runtime.GC()
		runtime.GC()
		return true, nil
	})
}

func (r *registry) serve(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 4<<10)
	name := ""
	defer func() {
		r.mu.Lock()
		delete(r.conns, name)
		r.mu.Unlock()
	}()
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if name == "" {
			name = c.RemoteAddr().String()
			r.mu.Lock()
			r.conns[name] = registration{c, time.Now()}
			r.mu.Unlock()
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}
