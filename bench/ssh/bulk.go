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

// passed is what passed in a round, how long that took, and the CPU of OpenSSH's client for it.
type passed struct {
	bytes        int64
	took, client time.Duration
}

// output is how fast what a program writes comes through.
func (b *bench) output() error {
	data := benchkit.Random(unitMiB << 20)
	file := filepath.Join(b.Dir, "written")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return err
	}
	times := max(1, *mib/unitMiB)
	return b.compare("a program's output", func(way string) (passed, error) {
		cmd := b.command(way, "ssh", "127.0.0.1", "cat"+strings.Repeat(" "+file, times))
		out, err := cmd.StdoutPipe()
		if err != nil {
			return passed{}, err
		}
		unix.FcntlInt(out.(*os.File).Fd(), unix.F_SETPIPE_SZ, 1<<20) // it may be refused: then it is smaller for all
		if err := cmd.Start(); err != nil {
			return passed{}, err
		}
		n, took, err := take(out, data)
		if err = errors.Join(err, cmd.Wait()); err != nil {
			return passed{}, err
		}
		return passed{n, took, cmd.ProcessState.SystemTime() + cmd.ProcessState.UserTime()}, nil
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
		err := b.compare(c.name, func(way string) (passed, error) {
			os.Remove(to) // it need not be there
			cmd := b.command(way, "scp", "-q", c.source, c.goal)
			began := time.Now()
			if err := cmd.Run(); err != nil {
				return passed{}, err
			}
			took := time.Since(began)
			got, err := os.ReadFile(to)
			if err == nil && !bytes.Equal(got, data) {
				err = errors.New("the file that came differs from that which was sent")
			}
			return passed{int64(len(got)), took, cmd.ProcessState.SystemTime() + cmd.ProcessState.UserTime()}, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// found is what was found of a way: bytes a second, and CPU in seconds a byte.
type found struct{ rate, client, middle, target benchkit.Series }

// compare has something pass each way in turns.
func (b *bench) compare(what string, pass func(way string) (passed, error)) error {
	all := map[string]*found{}
	for _, way := range ways {
		all[way] = &found{}
	}
	for round := range *rounds {
		for _, way := range ways {
			b.Progress("%s, round %d of %d: %s", what, round+1, *rounds, way)
			if err := b.once(all[way], what, way, pass); err != nil {
				return fmt.Errorf("%s, %s: %w", what, way, err)
			}
		}
	}
	for _, way := range ways[1:] {
		target := benchkit.Target{}
		if way == bastion {
			target = benchkit.RatioAtLeast(bulkRatio)
		}
		b.Add(benchkit.Row{Name: what + ", " + way, Ours: all[way].rate, Peer: all[direct].rate, PeerName: direct, Unit: megabytes, Target: target})
	}
	for _, way := range ways {
		f := all[way]
		b.Note("%s, %s: CPU of OpenSSH's client %.2f ns a byte, between %.2f, of OpenSSH's server %.2f.", what, way,
			f.client.Median()*1e9, f.middle.Median()*1e9, f.target.Median()*1e9)
	}
	return nil
}

var megabytes benchkit.Unit = func(v float64) string { return fmt.Sprintf("%.0f MB/s", v/1e6) }

func (b *bench) once(into *found, what, way string, pass func(way string) (passed, error)) error {
	wait := func() {}
	middle := b.server.PID()
	switch way {
	case bare:
		middle = b.proxy.PID()
	case bastion, unwritten:
		wait = b.server.Profile(strings.NewReplacer(" ", "-", "'", "", ",", "").Replace(what+" "+way), 2*time.Second)
	}
	before, err := b.spent(middle)
	if err != nil {
		return err
	}
	p, err := pass(way)
	wait()
	if err == nil {
		err = b.settle(way, p.bytes)
	}
	if err != nil {
		return err
	}
	var after [2]time.Duration
	err = benchkit.Until(b.Context, 10*time.Second, "OpenSSH's server has ended the session", func() (bool, error) {
		after, err = b.spent(middle)
		return after[1] > before[1], err
	})
	each := func(d time.Duration) float64 { return d.Seconds() / float64(p.bytes) }
	into.rate = append(into.rate, float64(p.bytes)/p.took.Seconds())
	into.client = append(into.client, each(p.client))
	into.middle = append(into.middle, each(after[0]-before[0]))
	into.target = append(into.target, each(after[1]-before[1]))
	return err
}

// spent is the CPU that was spent between client and target, and at the target.
func (b *bench) spent(middle int) (d [2]time.Duration, err error) {
	if d[0], err = benchkit.CPU(middle); err != nil {
		return d, err
	}
	d[1], err = benchkit.ReapedCPU(b.target.PID())
	return d, err
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
	most := int64(0)
	for _, s := range list {
		most = max(most, int64(max(s.SentBytes, s.ReceivedBytes)))
		err := benchkit.Until(b.Context, 20*time.Second, "the recording is sealed and removed", func() (bool, error) {
			err := b.server.Delete("/api/v1/sessions/" + string(s.ID))
			return err == nil, err
		})
		if err != nil {
			return err
		}
	}
	if most < passed {
		return fmt.Errorf("%d bytes passed, and %d are on the record", passed, most)
	}
	return nil
}
