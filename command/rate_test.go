package command_test

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/command"
	"github.com/switchboard-relay/switchboard/device"
)

// BenchmarkAcknowledged shows how long it takes from a request to its device's answer, at 1,000 requests a second to 200
// devices that answer at once: go test -run - -bench Acknowledged -benchtime 5000x ./command
func BenchmarkAcknowledged(b *testing.B) {
	path := b.TempDir() + "/commands.db"
	q, err := command.Open(command.Options{Path: path})
	if err != nil {
		b.Fatal(err)
	}
	defer q.Close()
	h := &house{q: q}
	const devices = 200
	for i := range devices {
		d := connectTo(b, h.q, fmt.Sprint("device", i))
		go func() {
			for {
				line, err := d.in.ReadBytes('\n')
				if err != nil {
					return
				}
				d.conn.Write(line)
			}
		}()
	}
	took := make([]time.Duration, b.N)
	taken := make([]time.Duration, b.N)
	var work sync.WaitGroup
	b.ResetTimer()
	for i, start := 0, time.Now(); i < b.N; i++ {
		time.Sleep(time.Until(start.Add(time.Duration(i) * time.Millisecond)))
		asked := time.Now()
		work.Add(1)
		req := acked(text(fmt.Sprint("device", i%devices), fmt.Sprintf("SET %d\n", i)), "echo")
		line := fmt.Appendf(nil, `{"name":%q,"data":%s,"ack":"echo"}`, req.Name, req.Data)
		first := true
		q.Request(b.Context(), "fleet", "bench", line, func(line []byte) {
			if first {
				first, taken[i] = false, time.Since(asked)
				return
			}
			took[i] = time.Since(asked)
			if stateOf(line) != string(device.Acknowledged) {
				b.Errorf("%s", line)
			}
			work.Done()
		})
	}
	work.Wait()
	b.StopTimer()
	if info, err := os.Stat(path + "-wal"); err == nil {
		b.ReportMetric(float64(info.Size())/1e6, "log-MB")
	}
	for name, list := range map[string][]time.Duration{"taken": taken, "acked": took} {
		slices.Sort(list)
		b.ReportMetric(float64(list[len(list)/2].Microseconds())/1000, name+"-p50-ms")
		b.ReportMetric(float64(list[len(list)*99/100].Microseconds())/1000, name+"-p99-ms")
		b.ReportMetric(float64(list[len(list)-1].Microseconds())/1000, name+"-max-ms")
	}
}
