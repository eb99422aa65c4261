//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

// bareRole is what this machine allows: a server with one thread that knows of the protocol only what the crowd needs,
// joins what it reads at once, and gives it to every client by one write(2). It has no queues, no locks, no heartbeat and
// no limits.
const bareRole = "bare"

type bare struct {
	poller   *benchkit.Poller
	listener int
	clients  map[int]*bareClient
	members  []*bareClient
	buf      [512 << 10]byte
	out      []byte
}

type bareClient struct {
	fd       int
	upgraded bool
	part     []byte
}

func serveBare(p *benchkit.Parent) error {
	runtime.LockOSThread()
	fd, at, err := benchkit.Listen()
	if err != nil {
		return err
	}
	b := &bare{listener: fd, clients: map[int]*bareClient{}}
	if b.poller, err = benchkit.NewPoller(); err != nil {
		return err
	}
	if err := b.poller.Watch(fd, unix.EPOLLIN, int32(fd)); err != nil {
		return err
	}
	if err := p.Reply(at.String()); err != nil {
		return err
	}
	return b.run() // ends with the process
}

func (b *bare) run() error {
	for {
		events, err := b.poller.Wait(time.Now().Add(time.Hour))
		if err != nil {
			return err
		}
		for _, e := range events {
			if int(e.Fd) == b.listener {
				b.accept()
			} else if cl := b.clients[int(e.Fd)]; cl != nil {
				if err := b.read(cl); err != nil {
					return err
				}
			}
		}
	}
}

func (b *bare) accept() {
	for range 64 {
		fd, _, err := unix.Accept4(b.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		b.clients[fd] = &bareClient{fd: fd}
		b.poller.Watch(fd, unix.EPOLLIN, int32(fd))
	}
}

func (b *bare) read(cl *bareClient) error {
	have := copy(b.buf[:], cl.part)
	n, err := read(cl.fd, b.buf[have:])
	if err == unix.EAGAIN || err == unix.EINTR {
		return nil
	}
	if err != nil || n == 0 {
		b.drop(cl)
		return nil
	}
	p := b.buf[:have+n]
	used := 0
	if !cl.upgraded {
		if used = bytes.Index(p, []byte("\r\n\r\n")) + 4; used < 4 {
			return nil
		}
		cl.upgraded = true
		b.answer(cl, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x030{}")
	}
	b.out = b.out[:0]
	for used < len(p) {
		n := b.take(cl, p[used:])
		if n == 0 {
			break
		}
		used += n
	}
	cl.part = append(cl.part[:0], p[used:]...)
	return b.give(cl)
}

// take takes one frame, and returns its length or 0 if its end has not come.
func (b *bare) take(cl *bareClient, p []byte) int {
	if len(p) < 14 && (len(p) < 2 || len(p) < 6+int(p[1]&0x7f)) {
		return 0
	}
	n, head := int(p[1]&0x7f), 6
	switch n {
	case 126:
		n, head = int(binary.BigEndian.Uint16(p[2:])), 8
	case 127:
		n, head = int(binary.BigEndian.Uint64(p[2:])), 14
	}
	if len(p) < head+n {
		return 0
	}
	f := p[head : head+n]
	for i := range f {
		f[i] ^= p[head-4+i&3]
	}
	said, isMessage := bytes.CutPrefix(f, []byte(`42["clientmessage",`))
	if isMessage {
		b.out = appendBareFrame(b.out, len(said)+len(`42["message",`))
		b.out = append(append(b.out, `42["message",`...), said...)
	} else if string(f) == "40" {
		b.answer(cl, "\x81\x0d40{\"sid\":\"x\"}")
		b.members = append(b.members, cl)
	}
	return head + n
}

func appendBareFrame(b []byte, n int) []byte {
	switch {
	case n < 126:
		return append(b, 0x81, byte(n))
	case n < 1<<16:
		return append(b, 0x81, 126, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 0x81, 127), uint64(n))
}

func (b *bare) answer(cl *bareClient, text string) { unix.Write(cl.fd, []byte(text)) }

// give writes what one client said to all others.
func (b *bare) give(from *bareClient) error {
	if len(b.out) == 0 {
		return nil
	}
	for _, to := range b.members {
		if to == from {
			continue
		}
		if n, err := unix.Write(to.fd, b.out); err != nil || n < len(b.out) {
			return fmt.Errorf("wrote %d of %d bytes: %w", n, len(b.out), err)
		}
	}
	return nil
}

func (b *bare) drop(cl *bareClient) {
	unix.Close(cl.fd)
	delete(b.clients, cl.fd)
	for i, m := range b.members {
		if m == cl {
			b.members = append(b.members[:i], b.members[i+1:]...)
			return
		}
	}
}
