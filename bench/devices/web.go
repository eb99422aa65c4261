//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/simulate"
)

// web is the web server: it is told what devices say, over the link or by HTTP, and writes down what came.
type web struct {
	conn   net.Conn
	ended  chan struct{} // closed when the link's reader is done
	server *http.Server

	mu       sync.Mutex
	answers  func(line []byte) // takes lines that are answers to commands
	ledger   *simulate.Ledger
	began    map[string]time.Time // registrations that are under way, by name
	way      *benchkit.Times
	register *benchkit.Times
	now      time.Time // when what is being taken came
	came     came
	wrong    error
	data     []byte
}

func newWeb() *web {
	w := &web{ledger: simulate.NewLedger(), began: map[string]time.Time{}, way: &benchkit.Times{}, register: &benchkit.Times{}}
	w.ledger.Each = func(m simulate.Mark) { w.way.Add(w.now.Sub(m.At)) }
	return w
}

// registering is called by a device that is about to register.
func (w *web) registering(name string) {
	w.mu.Lock()
	w.began[name] = time.Now()
	w.mu.Unlock()
}

// link connects to the server as its web server.
func (w *web) link(addr string) error {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(webAddress)}, Timeout: 10 * time.Second}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		return err
	}
	w.conn, w.ended = c, make(chan struct{})
	go func() { // ends with the connection
		defer close(w.ended)
		w.read(c)
	}()
	return nil
}

// unlink ends the connection.
func (w *web) unlink() {
	w.conn.Close()
	<-w.ended
}

func (w *web) read(c net.Conn) {
	in := bufio.NewReaderSize(c, 4<<20)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				w.fail(fmt.Errorf("the link: %w", err))
			}
			return
		}
		w.take(line, time.Now())
	}
}

func (w *web) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wrong == nil {
		w.wrong = err
	}
}

const (
	linkStart = `{"data":{"type":"Buffer","data":[`
	linkCount = `]},"connections":`
	linkName  = `,"imei":"`
)

// take takes a line of the link: protocol document, section 5.
func (w *web) take(line []byte, at time.Time) {
	numbers, ok := bytes.CutPrefix(line, []byte(linkStart))
	if !ok {
		w.mu.Lock()
		answers := w.answers
		w.mu.Unlock()
		if answers != nil {
			answers(line)
		} else {
			w.fail(fmt.Errorf("the link said %.200q", line))
		}
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	data, n, i := w.data[:0], 0, 0
	for ; i < len(numbers); i++ {
		if c := numbers[i]; c >= '0' && c <= '9' {
			n = n*10 + int(c-'0')
			continue
		}
		if i > 0 {
			data = append(data, byte(n))
		}
		if n = 0; numbers[i] == ']' {
			break
		}
	}
	w.data = data
	rest, counted := bytes.CutPrefix(numbers[i:], []byte(linkCount))
	count, name, named := bytes.Cut(rest, []byte(linkName))
	name, _, closed := bytes.Cut(name, []byte{'"'})
	if !counted || !named || !closed {
		if w.wrong == nil {
			w.wrong = fmt.Errorf("the link said %.200q", line)
		}
		return
	}
	w.came.Online = 0
	for _, c := range count {
		w.came.Online = w.came.Online*10 + int(c-'0')
	}
	w.message(string(name), data, at)
}

// message takes one. Called with mu.
func (w *web) message(name string, data []byte, at time.Time) {
	w.now = at
	w.came.Messages++
	w.came.Data += uint64(len(data))
	w.came.Last = float64(at.UnixNano()) / 1e9
	if bytes.HasPrefix(data, []byte("ETUNG:")) {
		w.came.Registrations++
		if began, ok := w.began[name]; ok {
			w.register.Add(at.Sub(began))
			delete(w.began, name)
		}
	}
	w.ledger.Take(name, data)
}

// look tells what came, and begins the times anew.
func (w *web) look() came {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.came
	c.Way, c.Register = timesOf(w.way), timesOf(w.register)
	*w.way, *w.register = benchkit.Times{}, benchkit.Times{}
	return c
}

// check compares what came with what the devices said.
func (w *web) check(fleet *simulate.Fleet) simulate.Verdict {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := fleet.Check(w.ledger)
	if w.wrong != nil && v.Example == "" {
		v.Example = w.wrong.Error()
	}
	return v
}

// hook answers HTTP, at an address or anywhere.
func (w *web) hook(addr string) (string, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return "", err
	}
	w.server = &http.Server{Handler: http.HandlerFunc(w.posted)}
	go w.server.Serve(ln) // ends with unhook
	return ln.Addr().String(), nil
}

func (w *web) unhook() { w.server.Close() }

// posted takes a batch: an array of objects that have a name, and data as base64.
func (w *web) posted(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // it comes again
	}
	at := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	text := string(body)
	for {
		_, rest, found := strings.Cut(text, `"name":"`)
		if !found {
			return
		}
		name, rest, _ := strings.Cut(rest, `"`)
		_, rest, _ = strings.Cut(rest, `"data":"`)
		encoded, rest, _ := strings.Cut(rest, `"`)
		data, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil && w.wrong == nil {
			w.wrong = fmt.Errorf("a batch has %.200q", encoded)
		}
		w.message(name, data, at)
		text = rest
	}
}
