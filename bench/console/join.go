//go:build linux

package main

import (
	"fmt"
	"io"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	joinTimes = 15
	joinPaint = 0.150
	joinBytes = 16 << 10
	joinText  = "this is the end of it"
)

// join takes how soon somebody who comes late sees the terminal of a live session, however much has been said in it.
func join(b *bench) error {
	up, err := newUpstream()
	if err != nil {
		return err
	}
	defer up.Close()
	addr := benchkit.FreeAddr("tcp")
	server, err := b.serve(benchkit.ServerOptions{Config: fmt.Sprintf(`listeners:
  - {name: screens, listen: "tcp://%s", service: relay, upstream: "tcp://%s", terminal: 80x24}
`, addr, up.Addr())})
	if err != nil {
		return err
	}
	for i, said := range []int64{1, *size / 10, *size} {
		b.Progress("join: saying %d MB", said)
		far, err := dial(addr)
		if err != nil {
			return err
		}
		defer far.Close()
		go io.Copy(io.Discard, far) // ends with the server
		near, err := up.next(b.Context)
		if err != nil {
			return err
		}
		for n, number := int64(0), 0; n < said*1e6; number++ {
			k, err := near.Write(screen(number))
			if err != nil {
				return err
			}
			n += int64(k)
		}
		fmt.Fprintf(near, "\x1b[24;1H\x1b[K%s", joinText)
		if err := server.WaitLive("screens", i+1, 5*time.Second); err != nil {
			return err
		}
		ids, err := sessionsOf(server, "screens")
		if err != nil {
			return err
		}
		address := "/sessions/" + string(ids[i])
		began := time.Now()
		if err := server.Get("/api/v1"+address+"/screen?format=text", nil); err != nil {
			return err
		}
		caughtUp := time.Since(began)
		b.Progress("join: joining after %d MB", said)
		var found []struct{ Painted, Bytes float64 }
		if err := b.do("joinLate", order{"address": address, "text": joinText, "times": joinTimes + 1}, &found); err != nil {
			return err
		}
		var painted, bytes []float64
		for _, f := range found[1:] {
			painted, bytes = append(painted, f.Painted/1e3), append(bytes, f.Bytes)
		}
		row := func(name string, v float64, unit benchkit.Unit, t benchkit.Target) {
			b.Add(benchkit.Row{Name: fmt.Sprintf("joined after %d MB: %s", said, name), Ours: benchkit.One(v), Unit: unit, Target: t})
		}
		row("painted, p50", benchkit.Percentile(painted, 0.5), benchkit.Millis, benchkit.Target{})
		row("painted, p95", benchkit.Percentile(painted, 0.95), benchkit.Millis, benchkit.AtMost(joinPaint, benchkit.Millis))
		row("over the WebSocket, most", benchkit.Percentile(bytes, 1), benchkit.Bytes, benchkit.AtMost(joinBytes, benchkit.Bytes))
		b.Note("join, after %d MB: the first time, when the page's parts came as well, %.1f ms and %.0f bytes. Right after the last byte, the screen over REST took %.2f s.",
			said, found[0].Painted, found[0].Bytes, caughtUp.Seconds())
	}
	b.Note("join: from the click on a live session in the list until the end of what was said is painted, %d times; the bytes are all that came "+
		"over the WebSocket, before they were compressed.", joinTimes)
	return b.end(server)
}
