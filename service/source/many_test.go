package source_test

import (
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/service/source"
	"github.com/switchboard-relay/switchboard/threeend"
)

// descriptors is how many this process has open.
func descriptors(t testing.TB) int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("descriptors cannot be counted here")
	}
	return len(list)
}

// answering answers each request: ids by what they begin with.
func (o *origin) answering() {
	for l := range o.asked {
		switch {
		case l.kick:
			l.Write([]byte{'5'})
			l.Close()
		case l.id[0] == 'o': // over
			l.Write([]byte{'5'})
			l.Close()
		case l.id[0] == 'c': // closed without a word
			l.Close()
		case l.id[0] == 'b': // bad
			l.Write([]byte("?"))
		default:
			l.Write(threeend.AppendFrame(nil, threeend.Display, []byte("x")))
		}
		go func() { // as a source does: it closes when the relay has
			var b [1]byte
			l.Read(b[:])
			l.Close()
		}()
	}
}

func TestNothingStaysBehindManySessions(t *testing.T) {
	h := newHouse(t, func(c *source.Config) { c.AnswerTimeout = patience })
	go h.origin.answering()
	round := func(n int) {
		var crowd sync.WaitGroup
		for range 8 {
			crowd.Go(func() {
				for i := range n {
					id := string("xxob"[i%4]) + string(rune('a'+i%7))
					_, release, err := h.sources.Open(t.Context(), ref("ssh:"+id), "ada")
					if err == nil {
						release()
					} else if id[0] == 'x' {
						t.Error(err)
					}
					if i%16 == 0 {
						if _, err := h.sources.Kick(t.Context(), ref("ssh:"+id), "ada", ""); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		crowd.Wait()
		until(t, "nothing is open", func() bool { return h.sources.Held() == 0 })
	}
	round(10)
	settle := func() (goroutines, files int) {
		for range 50 { // until what has ended has gone
			goroutines, files = runtime.NumGoroutine(), descriptors(t)
			time.Sleep(2 * time.Millisecond)
		}
		return goroutines, files
	}
	goroutines, files := settle()
	round(125)
	until(t, "goroutines and descriptors are as before", func() bool {
		g, f := settle()
		return g <= goroutines+5 && f <= files+5
	})
	if st := h.status(); st.Opened+st.Failed < 100 {
		t.Errorf("the source is %+v", st)
	}
}
