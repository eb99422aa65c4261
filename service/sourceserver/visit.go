package sourceserver

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// visit is one connection.
type visit struct {
	svc     *Service
	session *hub.Session

	said  chan []byte   // while the request is awaited
	asked chan struct{} // closed by hush, when it is known or is not waited for
	hush  func()
	gone  chan struct{} // closed when nothing more comes
	why   error         // fixed when gone is closed
}

func newVisit(svc *Service, s *hub.Session) *visit {
	v := &visit{svc: svc, session: s, said: make(chan []byte), asked: make(chan struct{}), gone: make(chan struct{})}
	v.hush = sync.OnceFunc(func() { close(v.asked) })
	return v
}

// listen receives until nothing more comes.
func (v *visit) listen() {
	defer close(v.gone)
	for more := 0; more <= maxMore; {
		p, err := v.session.Next()
		if err != nil {
			v.why = err
			return
		}
		select {
		case v.said <- slices.Clone(p):
		case <-v.asked:
			more += len(p)
		}
	}
	v.why = &session.End{Cause: session.Failed, Detail: "it goes on talking behind its request"}
}

// request is what the far end asks for. One who closed its side behind it is answered all the same. An error is how the session
// ends; the far end was told.
func (v *visit) request(ctx context.Context) (threeend.Request, error) {
	defer v.hush()
	limit := time.NewTimer(requestLimit)
	defer limit.Stop()
	quiet := time.NewTimer(0)
	defer quiet.Stop()
	var text []byte
	for {
		r, more, err := threeend.ParseRequest(text)
		whole := err == nil && !more
		if err != nil {
			return r, v.refuse(err.Error())
		}
		if whole && (r.Ended || v.svc.exactly(r.ID) != nil) {
			return r, nil
		}
		if quiet.Stop(); whole {
			quiet.Reset(requestQuiet)
		}
		select {
		case p := <-v.said:
			text = append(text, p[:min(len(p), 2*threeend.MaxRequest-len(text))]...)
		case <-v.gone:
			if whole && errors.Is(v.why, io.EOF) {
				return r, nil
			}
			return r, v.why
		case <-quiet.C:
			if whole {
				return r, nil
			}
		case <-limit.C:
			if whole {
				return r, nil
			}
			return r, v.refuse("no request came within " + requestLimit.String())
		case <-ctx.Done():
			return r, context.Cause(ctx)
		}
	}
}

// answer sends the last, a control, and lets the far end take it: closing on what it has sent could take that away.
func (v *visit) answer(c threeend.Code, end session.End) error {
	v.hush()
	if err := v.write([]byte{byte(c)}); err != nil {
		return err
	}
	if v.session.CloseWrite() == nil {
		patience := time.NewTimer(partLimit)
		defer patience.Stop()
		select {
		case <-v.gone:
		case <-patience.C:
		}
	}
	return &end
}

// write sends all of p, or gives the far end up.
func (v *visit) write(p []byte) error {
	patience := v.svc.Patience
	if patience == 0 {
		patience = defaultPatience
	}
	v.session.SetWriteDeadline(time.Now().Add(patience))
	_, err := v.session.Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &session.End{Cause: session.Slow, Detail: "the far end did not take what was sent within " + patience.String()}
	}
	return err
}

// end ends the session, and waits until nothing is received any more.
func (v *visit) end(err error) error {
	if err == nil {
		err = &session.End{Cause: session.Done}
	}
	v.hush()
	v.session.EndWith(err)
	<-v.gone
	return err
}
