package ssh_test

import (
	"net"
	"sync/atomic"
	"testing"
)

// proxy stands between the bastion and a target, until it swallows what comes.
type proxy struct {
	addr    string
	stopped atomic.Bool
}

func startProxy(t *testing.T, to string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	p := &proxy{addr: ln.Addr().String()}
	go func() { // ends with the test
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				conn.Close()
				continue
			}
			go p.copy(conn, far)
			go p.copy(far, conn)
		}
	}()
	return p
}

// stop has nothing more pass, though all stays connected.
func (p *proxy) stop() { p.stopped.Store(true) }

func (p *proxy) copy(to, from net.Conn) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if !p.stopped.Load() {
			to.Write(buf[:n])
		}
	}
}
