package transport

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

func TestMalformedFramesEndWithTheCodeThatTheyDeserve(t *testing.T) {
	s := serve(t, false, WebSocketOptions{MaxMessage: 1000}, echo)
	for name, x := range map[string]struct {
		frames []byte
		code   uint16
	}{
		"not masked":                  {[]byte{0x81, 1, 'a'}, CloseProtocol},
		"reserved bit 1":              {short(0xc1, "a"), CloseProtocol},
		"reserved bit 2":              {short(0xa1, "a"), CloseProtocol},
		"reserved bit 3":              {short(0x91, "a"), CloseProtocol},
		"kind 3":                      {short(0x83, "a"), CloseProtocol},
		"kind 11":                     {short(0x8b, "a"), CloseProtocol},
		"a ping in fragments":         {short(0x09, "a"), CloseProtocol},
		"a long ping":                 {masked(0x89, []byte{126, 0, 126}, strings.Repeat("a", 126)), CloseProtocol},
		"a continuation of nothing":   {short(0x80, "a"), CloseProtocol},
		"a text in another":           {append(short(0x01, "a"), short(0x81, "b")...), CloseProtocol},
		"a negative length":           {long(0x82, 1<<63), CloseProtocol},
		"a message too large":         {masked(0x82, []byte{126, 3, 233}, ""), CloseTooLarge},
		"a message far too large":     {long(0x82, 1<<62), CloseTooLarge},
		"fragments that are":          {append(short(0x02, "a"), long(0x80, 1000)...), CloseTooLarge},
		"a text that is none":         {short(0x81, "\xff"), CloseBadText},
		"a text cut in a character":   {short(0x81, "gr\xc3"), CloseBadText},
		"fragments that are no text":  {append(short(0x01, "gr\xc3"), short(0x80, "n")...), CloseBadText},
		"half a close code":           {short(0x88, "\x03"), CloseProtocol},
		"close code 999":              {short(0x88, "\x03\xe7"), CloseProtocol},
		"close code 1005":             {short(0x88, "\x03\xed"), CloseProtocol},
		"close code 1006":             {short(0x88, "\x03\xee"), CloseProtocol},
		"close code 1015":             {short(0x88, "\x03\xf7"), CloseProtocol},
		"close code 2999":             {short(0x88, "\x0b\xb7"), CloseProtocol},
		"close code 5000":             {short(0x88, "\x13\x88"), CloseProtocol},
		"a close reason that is none": {short(0x88, "\x03\xe8\xff"), CloseBadText},
	} {
		c, r := s.rawDial(t, "")
		c.Write(append(short(0x81, "before"), x.frames...))
		if f, err := readFrame(r); err != nil || string(f.Payload) != "before" {
			t.Errorf("%s: the message before came back as %q, %v", name, f.Payload, err)
		}
		f, err := readFrame(r)
		if err != nil || f.Header.OpCode != ws.OpClose || codeOf(f) != x.code {
			t.Errorf("%s: got %q of kind %d, %v; want the close code %d", name, f.Payload, f.Header.OpCode, err, x.code)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Errorf("%s: the connection ended with %v", name, err)
		}
		c.Close()
		var e *CloseError
		if err := await(t, s.ends, "the end"); !errors.As(err, &e) || e.Code != x.code {
			t.Errorf("%s: the reader got %v; want code %d", name, err, x.code)
		}
	}
}

func TestAGoodbyeIsAnswered(t *testing.T) {
	s := serve(t, false, WebSocketOptions{}, echo)
	for _, x := range []struct{ said, answer string }{
		{"", "\x03\xe8"},
		{"\x03\xe8", "\x03\xe8"},
		{"\x03\xe9going", "\x03\xe9"},
		{"\x03\xf6", "\x03\xf6"},
		{"\x0b\xb8ours", "\x0b\xb8"},
		{"\x13\x87", "\x13\x87"},
	} {
		c, r := s.rawDial(t, "")
		c.Write(append(short(0x88, x.said), short(0x81, "behind")...))
		f, err := readFrame(r)
		if err != nil || f.Header.OpCode != ws.OpClose || string(f.Payload) != x.answer {
			t.Errorf("%q: got %q of kind %d, %v; want %q", x.said, f.Payload, f.Header.OpCode, err, x.answer)
		}
		if _, err := r.ReadByte(); err != io.EOF {
			t.Errorf("%q: behind the answer came %v; want the end", x.said, err)
		}
		c.Close()
		if err := await(t, s.ends, "the end"); err != io.EOF {
			t.Errorf("%q: the reader got %v; want io.EOF", x.said, err)
		}
	}
}

func TestAFarEndThatHangsUpWithinAMessageIsNotAtItsEnd(t *testing.T) {
	s := serve(t, false, WebSocketOptions{}, echo)
	for _, x := range []struct {
		said []byte
		want error
	}{
		{nil, io.EOF},
		{short(0x81, "whole"), io.EOF},
		{short(0x81, "cut")[:4], io.ErrUnexpectedEOF},
		{short(0x01, "a fragment"), io.ErrUnexpectedEOF},
	} {
		c, _ := s.rawDial(t, string(x.said))
		c.(*net.TCPConn).CloseWrite()
		if err := await(t, s.ends, "the end"); err != x.want {
			t.Errorf("%q: got %v; want %v", x.said, err, x.want)
		}
	}
}

func TestAGoodbyeIsHeardByOneWhoIsStillTalking(t *testing.T) {
	s := serve(t, false, WebSocketOptions{MaxMessage: 10}, echo)
	c, r := s.rawDial(t, "")
	c.Write(append(long(0x82, 8<<20), make([]byte, 8<<20)...))
	f, err := readFrame(r)
	if err != nil || codeOf(f) != CloseTooLarge {
		t.Errorf("got %q, %v; want the close code %d", f.Payload, err, CloseTooLarge)
	}
}

func TestNothingFollowsAGoodbyeAndAllBeforeItArrives(t *testing.T) {
	for _, secure := range []bool{false, true} {
		s := serve(t, secure, WebSocketOptions{WriteLimit: 16 << 20}, nil)
		c := s.dial(t)
		socket := await(t, s.sockets, "the WebSocket")
		count := 0
		for socket.Waiting() < 1<<20 { // no more: it has to be written within goodbyeLimit
			for ; socket.Waiting() < 1<<20; count++ {
				if err := socket.Push(AppendFrame(nil, OpBinary, make([]byte, 100_000))); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(10 * time.Millisecond) // over TLS it may wait for its goroutine alone
		}
		if err := socket.CloseWith(4000, strings.Repeat("ü", 100)); err != nil {
			t.Fatal(err)
		}
		if err := socket.Push(AppendFrame(nil, OpText, []byte("late"))); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Push after CloseWith: %v; want net.ErrClosed", err)
		}
		if err := socket.CloseWith(4001, ""); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a second CloseWith: %v; want net.ErrClosed", err)
		}
		for i := range count {
			f, err := readFrame(c)
			if err != nil || f.Header.OpCode != ws.OpBinary {
				t.Fatalf("TLS %v: message %d: kind %d, %v", secure, i, f.Header.OpCode, err)
			}
		}
		f, err := readFrame(c)
		if want := "\x0f\xa0" + strings.Repeat("ü", 61); err != nil || string(f.Payload) != want {
			t.Errorf("TLS %v: the goodbye is %q, %v; want %q", secure, f.Payload, err, want)
		}
	}
}

func TestAFarEndThatIgnoresAGoodbyeIsLeft(t *testing.T) {
	s := serve(t, false, WebSocketOptions{WriteLimit: 64 << 20}, nil)
	s.rawDial(t, "") // and does not read
	socket := await(t, s.sockets, "the WebSocket")
	for socket.Waiting() == 0 {
		if err := socket.Push(AppendFrame(nil, OpBinary, make([]byte, 1<<20))); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- socket.Receive(&piece{}) }()
	before := time.Now()
	if err := socket.CloseWith(CloseNormal, ""); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(before); took > goodbyeLimit/2 {
		t.Errorf("CloseWith waited %v", took)
	}
	if err := await(t, ended, "the reader's end"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the reader got %v; want net.ErrClosed", err)
	}
}

func TestCloseWakesWhoReceivesAndWhoWrites(t *testing.T) {
	for _, secure := range []bool{false, true} {
		s := serve(t, secure, WebSocketOptions{WriteLimit: 64 << 20}, nil)
		s.dial(t)
		socket := await(t, s.sockets, "the WebSocket")
		ends := make(chan error, 2)
		go func() { ends <- socket.Receive(&piece{}) }()
		go func() {
			_, err := socket.Write(make([]byte, 32<<20))
			ends <- err
		}()
		awaitWaiting(t, socket)
		socket.Close()
		for range 2 {
			if err := await(t, ends, "the end"); err == nil {
				t.Errorf("TLS %v: no error", secure)
			}
		}
	}
}

func TestAWriteEndsAtItsDeadline(t *testing.T) {
	s := serve(t, false, WebSocketOptions{WriteLimit: 64 << 20}, nil)
	s.dial(t)
	socket := await(t, s.sockets, "the WebSocket")
	ended := make(chan error, 1)
	go func() {
		_, err := socket.Write(make([]byte, 32<<20))
		ended <- err
	}()
	awaitWaiting(t, socket)
	socket.SetDeadline(time.Now())
	if err := await(t, ended, "the end of the write"); !isTimeout(err) {
		t.Errorf("got %v; want a deadline", err)
	}
}

// awaitWaiting waits until something waits for the far end.
func awaitWaiting(t *testing.T, s *WebSocket) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); s.Waiting() == 0; <-tick.C {
		if time.Now().After(end) {
			t.Fatal("nothing waits for a far end that does not read")
		}
	}
}

// codeOf is the code of a close frame, 0 if it has none.
func codeOf(f ws.Frame) uint16 {
	if len(f.Payload) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(f.Payload)
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}
