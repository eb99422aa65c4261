package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/web"
)

// runLink is one connection for one session of a program: a WebSocket, as web.RunPath has it.
type runLink struct {
	id   session.ID
	conn io.ReadWriteCloser
	in   *bufio.Reader

	mu  sync.Mutex // orders what is written
	out *bufio.Writer
}

const (
	runDial    = 10 * time.Second
	runPing    = 5 * time.Second
	runSilence = 15 * time.Second // of a server that is asked every 5 s, until it is given up
	runMost    = 32 << 20         // bytes of a message from the server
	runTyping  = 1024             // messages to be typed that wait for the program: more are lost
)

// dialRun begins a session.
func dialRun(ctx context.Context, flags serverFlags, hello web.RunHello) (*runLink, error) {
	server, err := flags.find()
	if err != nil {
		return nil, err
	}
	defer server.http.CloseIdleConnections() // of one that refuses: it is asked again and again
	ctx, cancel := context.WithTimeoutCause(ctx, runDial,
		fmt.Errorf("the server at %s did not answer within %v: is it overloaded?", server.base, runDial))
	defer cancel()
	conn, err := server.upgrade(ctx, web.RunPath)
	if err != nil {
		return nil, err
	}
	l := &runLink{conn: conn, in: bufio.NewReader(conn), out: bufio.NewWriterSize(conn, 64<<10)}
	giveUp := time.AfterFunc(runSilence, func() { conn.Close() })
	defer giveUp.Stop()
	if err := l.write(ws.OpText, session.JSON(hello)); err != nil {
		l.conn.Close()
		return nil, err
	}
	for l.id == "" {
		op, p, err := l.read()
		var news web.RunNews
		if err == nil && op == ws.OpText {
			err = json.Unmarshal(p, &news)
		}
		if err != nil {
			l.conn.Close()
			return nil, fmt.Errorf("the server at %s begins no session: %w", server.base, err)
		}
		l.id = news.Session
	}
	return l, nil
}

// upgrade asks for a WebSocket (RFC 6455, section 4.1). The context is that of the asking alone.
func (c *client) upgrade(ctx context.Context, path string) (io.ReadWriteCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, err
	}
	var random [16]byte
	rand.Read(random[:]) // never fails
	key := base64.StdEncoding.EncodeToString(random[:])
	for name, value := range map[string]string{"Authorization": "Bearer " + c.token, "Connection": "Upgrade",
		"Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key} {
		req.Header.Set(name, value)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	conn, upgraded := resp.Body.(io.ReadWriteCloser)
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	if resp.StatusCode == http.StatusSwitchingProtocols && upgraded &&
		resp.Header.Get("Sec-WebSocket-Accept") == base64.StdEncoding.EncodeToString(sum[:]) {
		return conn, nil
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 == 2 || resp.StatusCode == http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("%s answered %s: is it a Switchboard server?", c.base, resp.Status)
	}
	return nil, c.refusal(resp)
}

// write sends one message; more writes may be joined with it until flush.
func (l *runLink) write(op ws.OpCode, p []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.append(op, p); err != nil {
		return err
	}
	return l.out.Flush()
}

func (l *runLink) append(op ws.OpCode, p []byte) error {
	return ws.WriteFrame(l.out, ws.MaskFrame(ws.NewFrame(op, true, p)))
}

// read waits for one message. Messages of the server come in one frame each.
func (l *runLink) read() (ws.OpCode, []byte, error) {
	h, err := ws.ReadHeader(l.in)
	if err != nil {
		return 0, nil, err
	}
	if h.Length > runMost {
		return 0, nil, fmt.Errorf("a message of %d bytes is too long", h.Length)
	}
	p := make([]byte, h.Length)
	if _, err := io.ReadFull(l.in, p); err != nil {
		return 0, nil, err
	}
	if h.OpCode == ws.OpClose {
		if code, reason := ws.ParseCloseFrameData(p); reason != "" {
			return 0, nil, fmt.Errorf("%s (%d)", reason, code)
		}
		return 0, nil, io.EOF
	}
	return h.OpCode, p, nil
}

// carry sends what the uplink has, and does what the server says, until either ends: with the *session.End that the server
// told, or an error.
func (l *runLink) carry(u *uplink) error {
	defer context.AfterFunc(u.ctx, func() { l.conn.Close() })()
	heard := time.AfterFunc(runSilence, func() { l.conn.Close() })
	defer heard.Stop()
	typing := make(chan []byte, runTyping)
	var running sync.WaitGroup
	over := make(chan struct{})
	running.Go(func() { l.send(u) })
	running.Go(func() { l.ping(over) })
	go func() { // ends with the program: it may wait until that reads
		for p := range typing {
			u.runner.typeFor(p)
		}
	}()
	err := l.hear(u, heard, typing)
	u.runner.announce("")
	close(typing)
	close(over)
	l.conn.Close()
	u.mu.Lock()
	u.lose()
	u.mu.Unlock()
	running.Wait()
	if errors.Is(err, io.EOF) {
		err = errors.New("the connection to the server was lost")
	}
	return err
}

// hear does what the server says. A session that was kicked goes on being recorded until the program has ended.
func (l *runLink) hear(u *uplink, heard *time.Timer, typing chan<- []byte) error {
	var end *session.End
	for {
		op, p, err := l.read()
		if err != nil && end != nil {
			return end
		}
		if err != nil {
			return err
		}
		heard.Reset(runSilence)
		switch {
		case op == ws.OpPing:
			err = l.write(ws.OpPong, p)
		case op == ws.OpText:
			var news web.RunNews
			if err = json.Unmarshal(p, &news); news.End != nil {
				if end = news.End; end.Cause != session.Kicked {
					return end
				}
				u.give(end)
				go u.runner.kicked() // ends with the program
			}
			if news.Announce != nil {
				u.runner.announce(*news.Announce)
			}
		case op == ws.OpBinary && len(p) > 1 && p[0] == web.RunInput:
			select {
			case typing <- p[1:]:
			default: // waiting here, the server would not be heard
			}
		}
		if err != nil {
			return err
		}
	}
}

// ping has the server answer, until the connection is over.
func (l *runLink) ping(over <-chan struct{}) {
	again := time.NewTicker(runPing)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			if l.write(ws.OpPing, nil) != nil {
				return
			}
		case <-over:
			return
		}
	}
}

// send writes what there is, until the uplink has no more for this session.
func (l *runLink) send(u *uplink) {
	defer l.conn.Close()
	for {
		batch := u.take()
		if len(batch) == 0 {
			return
		}
		err := l.writeAll(batch)
		u.sent(batch, err == nil)
		if err != nil {
			return
		}
	}
}

func (l *runLink) writeAll(batch [][]byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range batch {
		if err := l.append(ws.OpBinary, m); err != nil {
			return err
		}
	}
	return l.out.Flush()
}
