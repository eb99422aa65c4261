//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/session"
)

const (
	bulkRatio = 0.7
	unitMiB   = 32 // of the file that programs write over and over
)

// output is how fast what a program writes comes through.
func (b *bench) output() error {
	data := benchkit.Random(unitMiB << 20)
	file := filepath.Join(b.Dir, "written")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return err
	}
	times := max(1, *mib/unitMiB)
	return b.compare("a program's output", func(way string) (int64, time.Duration, error) {
		cmd := b.command(way, "ssh", "127.0.0.1", "cat"+strings.Repeat(" "+file, times))
		out, err := cmd.StdoutPipe()
		if err != nil {
			return 0, 0, err
		}
		unix.FcntlInt(out.(*os.File).Fd(), unix.F_SETPIPE_SZ, 1<<20) // it may be refused: then it is smaller for all
		if err := cmd.Start(); err != nil {
			return 0, 0, err
		}
		n, took, err := take(out, data)
		return n, took, errors.Join(err, cmd.Wait())
	})
}

// take reads data over and over, and tells how long that took from its first byte to the last.
func take(out io.Reader, data []byte) (n int64, took time.Duration, err error) {
	var began time.Time
	buf := make([]byte, 256<<10)
	for at := 0; ; {
		k, err := out.Read(buf)
		if k > 0 && n == 0 {
			began = time.Now()
		}
		n += int64(k)
		for p := buf[:k]; len(p) > 0; {
			part := min(len(p), len(data)-at)
			if !bytes.Equal(p[:part], data[at:at+part]) {
				return n, 0, fmt.Errorf("what came differs from what was sent within 256 KiB before byte %d", n)
			}
			p, at = p[part:], (at+part)%len(data)
		}
		if err == io.EOF {
			return n, time.Since(began), nil
		}
		if err != nil {
			return n, 0, err
		}
	}
}

// files is how fast scp takes a file there and brings one. Since OpenSSH 9 it speaks SFTP.
func (b *bench) files() error {
	data := bytes.Repeat(benchkit.Random(unitMiB<<20), max(1, *mib/2/unitMiB))
	from, to := filepath.Join(b.Dir, "from"), filepath.Join(b.Dir, "to")
	if err := os.WriteFile(from, data, 0o600); err != nil {
		return err
	}
	for _, c := range []struct{ name, source, goal string }{
		{"scp to the target", from, "127.0.0.1:" + to},
		{"scp from the target", "127.0.0.1:" + from, to},
	} {
		err := b.compare(c.name, func(way string) (int64, time.Duration, error) {
			os.Remove(to) // it need not be there
			began := time.Now()
			if err := b.command(way, "scp", "-q", c.source, c.goal).Run(); err != nil {
				return 0, 0, err
			}
			took := time.Since(began)
			got, err := os.ReadFile(to)
			if err == nil && !bytes.Equal(got, data) {
				err = errors.New("the file that came differs from that which was sent")
			}
			return int64(len(got)), took, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// compare has something pass each way in turns.
func (b *bench) compare(what string, pass func(way string) (int64, time.Duration, error)) error {
	rate := map[string]benchkit.Series{}
	cost := map[string]benchkit.Series{} // our server's CPU, seconds a byte
	for round := range *rounds {
		for _, way := range ways {
			b.Progress("%s, round %d of %d: %s", what, round+1, *rounds, way)
			wait := func() {}
			if way == bastion || way == unwritten {
				wait = b.server.Profile(strings.ReplaceAll(what+"-"+way, " ", "-"), time.Second)
			}
			spent, err := benchkit.CPU(b.server.PID())
			if err != nil {
				return err
			}
			n, took, err := pass(way)
			wait()
			if err != nil {
				return fmt.Errorf("%s, %s: %w", what, way, err)
			}
			if err := b.settle(way, n); err != nil {
				return fmt.Errorf("%s, %s: %w", what, way, err)
			}
			now, err := benchkit.CPU(b.server.PID())
			if err != nil {
				return err
			}
			rate[way] = append(rate[way], float64(n)/took.Seconds())
			cost[way] = append(cost[way], (now-spent).Seconds()/float64(n)*1e9)
		}
	}
	for _, way := range ways[1:] {
		target := benchkit.Target{}
		if way == bastion {
			target = benchkit.RatioAtLeast(bulkRatio)
		}
		b.Add(benchkit.Row{Name: what + ", " + way, Ours: rate[way], Peer: rate[direct], PeerName: direct, Unit: benchkit.GBPerSec, Target: target})
	}
	b.Note("%s: the server's CPU was %.2f ns a byte with a recording, %.2f without.", what, cost[bastion].Median(), cost[unwritten].Median())
	return nil
}

// settle waits until the session that just passed is over and, if it is on record, holds it to what passed, reads it back
// and removes it, so that the next one finds the disk as this one did.
func (b *bench) settle(way string, passed int64) error {
	listener := map[string]string{bastion: "on", unwritten: "off"}[way]
	if listener == "" {
		return nil
	}
	if err := b.server.WaitLive(listener, 0, 20*time.Second); err != nil || way != bastion {
		return err
	}
	list, err := b.server.Sessions(url.Values{"listener": {listener}, "state": {string(session.Recorded)}})
	if err != nil {
		return err
	}
	for _, s := range list {
		if got := int64(max(s.SentBytes, s.ReceivedBytes)); passed > 0 && got < passed {
			return fmt.Errorf("%d bytes passed, and %d are on the record", passed, got)
		}
		err := benchkit.Until(b.Context, 20*time.Second, "the recording is sealed and removed", func() (bool, error) {
			err := b.server.Delete("/api/v1/sessions/" + string(s.ID))
			return err == nil, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
