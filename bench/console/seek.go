//go:build linux

package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/session"
)

const (
	seekClicks = 100
	seekLimit  = 0.150
	openTimes  = 5
	pieceLines = 2000 // lines that are written at once
)

// large is a large recording, and how it is looked at.
type large struct {
	name, listener, view string
	sum                  session.Summary
}

// seek takes how soon any place of a large recording is painted, and how soon its page is.
func seek(b *bench) error {
	up, err := newUpstream()
	if err != nil {
		return err
	}
	defer up.Close()
	lines, small, output := benchkit.FreeAddr("tcp"), benchkit.FreeAddr("tcp"), benchkit.FreeAddr("tcp")
	server, err := b.serve(benchkit.ServerOptions{Config: fmt.Sprintf(`listeners:
  - {name: lines, listen: "tcp://%s", service: sink}
  - {name: small, listen: "ws://%s/", service: sink}
  - {name: output, listen: "tcp://%s", service: relay, upstream: "tcp://%s"}
`, lines, small, output, up.Addr())})
	if err != nil {
		return err
	}
	all := []large{
		{name: "conversation", listener: "lines", view: "conversation"},
		{name: "conversation of small events", listener: "small", view: "conversation"},
		{name: "terminal", listener: "output", view: "terminal"},
	}
	makers := []func() error{
		func() error { return pour(lines) },
		func() error { return pourMessages(small) },
		func() error { return b.pourDown(output, up) },
	}
	for i := range all {
		b.Progress("seek: recording %d MB, %s", *size, all[i].name)
		if err := makers[i](); err != nil {
			return err
		}
		if all[i].sum, err = b.recorded(server, all[i].listener); err != nil {
			return err
		}
	}
	for _, rec := range all {
		if err := b.seekIn(server, rec); err != nil {
			return fmt.Errorf("%s: %w", rec.name, err)
		}
	}
	b.Note("seek: from the click on the timeline until the main thread is done with the frame that paints what then stays, %d random "+
		"places each; each was compared with what REST says was there. The recordings hold %d MB in %s, %s and %s events.", seekClicks,
		*size, benchkit.Number(float64(all[0].sum.Events)), benchkit.Number(float64(all[1].sum.Events)), benchkit.Number(float64(all[2].sum.Events)))
	b.Note("page to rows: a link to the middle of the recording, from the navigation, nothing cached, until the first rows are painted; the slowest of %d.", openTimes)
	return b.end(server)
}

func (b *bench) seekIn(server *benchkit.Server, rec large) error {
	// At its very beginning a terminal shows nothing.
	address := fmt.Sprintf("/sessions/%s#t=%.6f", rec.sum.ID, float64(rec.sum.End-rec.sum.Start)/2e6)
	b.Progress("seek: opening, %s", rec.name)
	var opened []float64
	err := b.do("openPages", order{"address": address, "view": rec.view, "listener": rec.listener, "times": openTimes}, &opened)
	if err != nil {
		return err
	}
	b.Progress("seek: clicking, %s", rec.name)
	wait := server.Profile("seek-"+rec.listener, 10*time.Second)
	defer wait()
	var found []place
	err = b.do("seekAround", order{"view": rec.view, "clicks": seekClicks, "file": b.trace("seek-" + rec.listener)}, &found)
	if err != nil {
		return err
	}
	var painted, said []float64 // seconds
	for i, p := range found {
		if err := p.right(server, rec.sum); err != nil {
			return fmt.Errorf("click %d: %w", i+1, err)
		}
		painted, said = append(painted, p.Painted/1e3), append(said, p.Said/1e3)
	}
	row := func(name string, v float64, t benchkit.Target) {
		b.Add(benchkit.Row{Name: fmt.Sprintf("%s, %s", name, rec.name), Ours: benchkit.One(v), Unit: benchkit.Millis, Target: t})
	}
	row("seek to painted: p50", benchkit.Percentile(painted, 0.5), benchkit.Target{})
	row("seek to painted: p95", benchkit.Percentile(painted, 0.95), benchkit.AtMost(seekLimit, benchkit.Millis))
	row("page to rows", slices.Max(opened)/1e3, benchkit.Target{})
	b.Note("seek, %s: the page's own entries say %.1f ms at p50 and %.1f ms at p95; the slowest was %.1f ms.", rec.name,
		benchkit.Percentile(said, 0.5)*1e3, benchkit.Percentile(said, 0.95)*1e3, slices.Max(painted)*1e3)
	return nil
}

// place is where a click went, and what it showed.
type place struct {
	Share, Painted, Said float64
	Number               uint64
	Text                 string
}

type event struct {
	Number uint64
	Time   time.Time
	Text   string
	Base64 string
}

// right returns an error unless the newest that was shown is what came last before that place.
func (p *place) right(server *benchkit.Server, sum session.Summary) error {
	at := time.UnixMicro(sum.Start + int64(p.Share*float64(sum.End-sum.Start)+0.5))
	if p.Text == "" {
		list, err := events(server, sum.ID, fmt.Sprintf("from=%d&to=%d", p.Number, p.Number+1))
		if err != nil || len(list) != 2 {
			return fmt.Errorf("event %d is shown: %d events there, %w", p.Number, len(list), err)
		}
		if list[0].Time.After(at) || !list[1].Time.After(at) {
			return fmt.Errorf("event %d of %v is shown, and %d of %v is next, for %v", p.Number, list[0].Time, list[1].Number, list[1].Time, at)
		}
		return nil
	}
	us := at.UnixMicro() - sum.Start
	for back := int64(1000); ; back *= 4 {
		list, err := events(server, sum.ID, fmt.Sprintf("since=%dus&until=%dus&direction=sent", max(0, us-back), us))
		if err != nil {
			return err
		}
		if len(list) == 0 && back < us {
			continue
		}
		var text string
		for _, e := range list {
			data := []byte(e.Text)
			if e.Base64 != "" {
				data, _ = base64.StdEncoding.DecodeString(e.Base64)
			}
			text += string(data)
		}
		// The last line may be cut anywhere; what it begins with is enough to know it.
		want := strings.TrimRight(text[strings.LastIndex(strings.TrimRight(text, "\r\n"), "\n")+1:], "\r\n")
		if want = plain(want); want != "" && !strings.HasPrefix(p.Text, want[:min(9, len(want))]) {
			return fmt.Errorf("the screen ends with %q, not with %q", p.Text, want)
		}
		return nil
	}
}

// plain is a line of pourDown without its colour.
func plain(line string) string {
	_, line, _ = strings.Cut(line, "m")
	line, _, _ = strings.Cut(line, "\x1b")
	return line
}

func events(server *benchkit.Server, id session.ID, query string) (list []event, err error) {
	body, err := server.Open("/api/v1/sessions/" + string(id) + "/events?follow=false&" + query)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	for dec := json.NewDecoder(body); ; {
		var e event
		if err := dec.Decode(&e); err != nil {
			if errors.Is(err, io.EOF) {
				return list, nil
			}
			return nil, err
		}
		list = append(list, e)
	}
}

// recorded waits until the only session of a listener lies in a file of its own.
func (b *bench) recorded(server *benchkit.Server, listener string) (sum session.Summary, err error) {
	err = benchkit.Until(b.Context, 5*time.Minute, "the recording is complete", func() (bool, error) {
		list, err := server.Sessions(map[string][]string{"listener": {listener}})
		if err != nil || len(list) != 1 {
			return false, err
		}
		sum = list[0]
		return sum.State == session.Recorded && sum.Size > 0, nil
	})
	return sum, err
}

// pour has a client say so much as fast as it goes, in lines.
func pour(addr string) error {
	conn, err := dial(addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	return pourInto(conn, line)
}

func pourInto(conn net.Conn, line func(number, size int) []byte) error {
	var piece []byte
	for said, number := int64(0), 0; said < *size*1e6; said += int64(len(piece)) {
		piece = piece[:0]
		for range pieceLines {
			piece = append(piece, line(number, 80)...)
			number++
		}
		if _, err := conn.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// pourDown has the upstream say it, in lines of a terminal with colours.
func (b *bench) pourDown(addr string, up *upstream) error {
	far, err := dial(addr)
	if err != nil {
		return err
	}
	defer far.Close()
	heard := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, far)
		heard <- err
	}()
	near, err := up.next(b.Context)
	if err != nil {
		return err
	}
	err = pourInto(near, func(number, size int) []byte {
		text := line(number, size-14)
		return fmt.Appendf(nil, "\x1b[3%dm%s\x1b[0m\r\n", 1+number%6, text[:len(text)-1])
	})
	near.Close()
	return errors.Join(err, <-heard)
}

// pourMessages says it over a WebSocket, where each line is an event.
func pourMessages(addr string) error {
	conn, err := dial(addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", addr)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("the handshake is answered %s", resp.Status)
	}
	const text, masked = 0x81, 0x80 // with a mask of zeros the bytes are themselves
	return pourInto(conn, func(number, size int) []byte {
		return append([]byte{text, masked | byte(size), 0, 0, 0, 0}, line(number, size)...)
	})
}
