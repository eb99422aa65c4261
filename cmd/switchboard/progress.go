package main

import (
	"fmt"
	"io"
	"time"
)

// progress tells how far long work has come: on a terminal, once a second has passed. It is for one goroutine.
type progress struct {
	w     io.Writer // nil where there is no terminal
	total uint64    // bytes in all; 0 if that is not known
	count uint64    // bytes so far
	began time.Time
	said  time.Time
}

const (
	progressAfter = time.Second
	progressEvery = 200 * time.Millisecond
)

// newProgress speaks on the standard error, if that is a terminal.
func newProgress(std *stdio, total uint64) *progress {
	p := quietProgress()
	p.total = total
	if f := asTerminal(std.err); f != nil {
		p.w = f
	}
	return p
}

// quietProgress says nothing.
func quietProgress() *progress { return &progress{began: time.Now()} }

// Write counts p.
func (p *progress) Write(b []byte) (int, error) {
	p.set(p.count + uint64(len(b)))
	return len(b), nil
}

// set says that so many bytes are done.
func (p *progress) set(count uint64) {
	p.count = count
	now := time.Now()
	if p.w == nil || now.Sub(p.began) < progressAfter || now.Sub(p.said) < progressEvery {
		return
	}
	p.said = now
	text := formatBytes(count)
	if p.total > 0 {
		text += fmt.Sprintf(" of %s, %d %%", formatBytes(p.total), min(count, p.total)*100/p.total)
	}
	rate := float64(count) / now.Sub(p.began).Seconds()
	fmt.Fprintf(p.w, "\r\x1b[K%s, %s/s", text, formatBytes(uint64(rate)))
}

// done takes away what was said.
func (p *progress) done() {
	if !p.said.IsZero() {
		io.WriteString(p.w, "\r\x1b[K")
	}
}
