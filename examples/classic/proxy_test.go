package main

import (
	"io"
	"net"
	"sync"
	"testing"
)

// proxy is a line to a server that can be cut.
type proxy struct {
	ln net.Listener

	mu    sync.Mutex
	to    string                // where the server is; empty while the line is cut
	conns map[net.Conn]struct{} // both sides of each connection
}

func startProxy(t *testing.T, to string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln, to: to, conns: map[net.Conn]struct{}{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		p.cut()
		serving.Wait()
	})
	return p
}

func (p *proxy) url() string { return "http://" + p.ln.Addr().String() }

func (p *proxy) serve(down net.Conn) {
	defer down.Close()
	p.mu.Lock()
	to := p.to
	p.mu.Unlock()
	up, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer up.Close()
	p.mu.Lock()
	if p.to != to { // cut in between
		p.mu.Unlock()
		return
	}
	p.conns[down], p.conns[up] = struct{}{}, struct{}{}
	p.mu.Unlock()
	var copying sync.WaitGroup
	for _, way := range [][2]net.Conn{{down, up}, {up, down}} {
		copying.Go(func() {
			io.Copy(way[0], way[1]) // an error is one side's end
			way[0].Close()
			way[1].Close()
		})
	}
	copying.Wait()
	p.mu.Lock()
	delete(p.conns, down)
	delete(p.conns, up)
	p.mu.Unlock()
}

// cut closes all connections, and every later one, until the line is mended.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = ""
	for c := range p.conns {
		c.Close()
	}
}

func (p *proxy) mend(to string) {
	p.mu.Lock()
	p.to = to
	p.mu.Unlock()
}
