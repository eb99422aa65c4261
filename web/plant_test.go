package web_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/service/source"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
	"github.com/switchboard-relay/switchboard/web"
)

// plant is a three-end source that the test plays, of the kind ssh.
type plant struct {
	t     testing.TB
	ln    net.Listener
	asked chan *line
	conf  source.Config
	known *source.Sources
}

// line is a connection to the plant, behind its request.
type line struct {
	net.Conn
	t    testing.TB
	kick bool
	id   string
}

// withPlant is a house that has the plant as its source.
func withPlant(t testing.TB) (*house, *plant) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { ln.Close() })
	p := &plant{t: t, ln: ln, asked: make(chan *line, 1000)}
	h := open(t, func(o *web.Options) {
		p.known = source.New(o.Hub, o.Logger)
		o.Sources = p.known
	})
	t.Cleanup(p.known.Close)
	p.conf = source.Config{Name: "plant", Kinds: map[string]string{"ssh": ln.Addr().String()}, AnswerTimeout: patience, MaxSessions: 100,
		MaxDials: 64, Record: session.RecordOn, OnFailure: session.OnFailureContinue, Terminal: "80x24"}
	p.configure(nil)
	go p.serve() // ends with the listener
	return h, p
}

// configure changes what is configured of the plant; others are added as they are.
func (p *plant) configure(change func(*source.Config), others ...source.Config) {
	p.t.Helper()
	if change != nil {
		change(&p.conf)
	}
	check(p.t, p.known.Configure(append([]source.Config{p.conf}, others...)))
}

func (p *plant) serve() {
	for {
		conn, err := p.ln.Accept()
		if err != nil {
			return
		}
		go func() {
			b := make([]byte, threeend.MaxRequest)
			n, _ := conn.Read(b)
			r, _, err := threeend.ParseRequest(b[:n])
			if err != nil {
				conn.Close() // of who only looked whether somebody is there
				return
			}
			p.asked <- &line{conn, p.t, r.Kick, r.ID}
		}()
	}
}

// next is the connection of the next request.
func (p *plant) next(kick bool, id string) *line {
	p.t.Helper()
	select {
	case l := <-p.asked:
		p.t.Cleanup(func() { l.Close() })
		if l.kick != kick || l.id != id {
			p.t.Fatalf("asked is for %q, kick %v; want %q, kick %v", l.id, l.kick, id, kick)
		}
		return l
	case <-time.After(patience):
		p.t.Fatalf("nobody asked for %q", id)
		return nil
	}
}

// say sends bytes to the relay.
func (l *line) say(b ...byte) {
	l.t.Helper()
	l.SetWriteDeadline(time.Now().Add(patience))
	_, err := l.Write(b)
	check(l.t, err)
}

// frame sends a frame.
func (l *line) frame(kind threeend.Type, text string) {
	l.t.Helper()
	l.say(threeend.AppendFrame(nil, kind, []byte(text))...)
}

// isLeft waits until the relay has closed the connection.
func (l *line) isLeft() {
	l.t.Helper()
	l.SetReadDeadline(time.Now().Add(patience))
	n, err := l.Read(make([]byte, 1))
	var late net.Error
	if n > 0 || errors.As(err, &late) && late.Timeout() {
		l.t.Fatalf("the connection is still there: %d bytes, %v", n, err)
	}
}

// replied is what was answered to a request that waits.
type replied struct {
	status int
	body   string
}

// doLater makes a request that waits.
func (h *house) doLater(token, method, path, body string) <-chan replied {
	answer := make(chan replied, 1)
	go func() {
		status, body := h.do(token, method, path, body)
		answer <- replied{status, body}
	}()
	return answer
}
