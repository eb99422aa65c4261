package web

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/switchboard-relay/switchboard/hub"
)

// metrics serves the hub's counts to Prometheus. Nothing is counted twice: the numbers are read when they are asked for.
func (s *server) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&hubCollector{hub: s.Hub, version: s.Version})
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{Timeout: 10 * time.Second})
}

type hubCollector struct {
	hub     *hub.Hub
	version string
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("switchboard_"+name, help, labels, nil)
}

var (
	descInfo       = desc("info", "The version that runs.", "version", "node")
	descLive       = desc("sessions_live", "Sessions that are live now.", "listener")
	descAccepted   = desc("accepted_total", "Connections that became sessions.", "listener")
	descRefused    = desc("refused_total", "Connections that were refused.", "listener", "reason")
	descEnded      = desc("sessions_ended_total", "Sessions that ended, by cause.", "cause")
	descBytes      = desc("bytes_total", "Bytes that passed, seen from Switchboard.", "direction")
	descWatchers   = desc("watchers", "Cursors that follow live sessions.")
	descRecorded   = desc("recordings", "Recordings that are kept.")
	descSize       = desc("recordings_bytes", "Their size on disk.")
	descRemoved    = desc("recordings_removed_total", "Recordings that retention removed.")
	descSockets    = desc("sockets", "Sockets that sessions hold.")
	descSocketsMax = desc("sockets_limit", "Sockets that sessions may hold.")
	descQueued     = desc("recording_queued_bytes", "Memory that waits for the disk.")
	descCommits    = desc("recording_commits_total", "Rounds of the journal made durable.")
	descChunks     = desc("recording_chunks_total", "Chunks in them.")
	descWritten    = desc("recording_written_bytes_total", "Bytes written to the journal.")
	descLost       = desc("recording_unrecorded_total", "Events that could not be recorded.")
	descStalls     = desc("recording_stalls_total", "How often a session waited for the disk.")
	descUnsealed   = desc("recording_unsealed", "Ended sessions whose file is not complete.")
	descSegments   = desc("recording_segments", "Segments of the journal on disk.")
	descFailed     = desc("recording_failed", "1 while recordings cannot be written.")
)

// Describe implements prometheus.Collector: the metrics are described as they are collected.
func (c *hubCollector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements prometheus.Collector.
func (c *hubCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(descInfo, 1, c.version, c.hub.Node())
	for _, l := range c.hub.Listeners() {
		gauge(descLive, float64(l.Live), l.Name)
		counter(descAccepted, l.Accepted, l.Name)
		for reason, n := range l.Refusals {
			counter(descRefused, n, l.Name, reason)
		}
	}
	st, err := c.hub.Stats(context.Background())
	if err != nil {
		ch <- prometheus.NewInvalidMetric(descRecorded, err)
		return
	}
	for cause, n := range st.Ended {
		counter(descEnded, n, string(cause))
	}
	counter(descBytes, st.ReceivedBytes, "received")
	counter(descBytes, st.SentBytes, "sent")
	gauge(descWatchers, float64(st.Watchers))
	gauge(descRecorded, float64(st.Recorded))
	gauge(descSize, float64(st.RecordedBytes))
	counter(descRemoved, st.Removed)
	gauge(descSockets, float64(st.Sockets))
	gauge(descSocketsMax, float64(st.SocketLimit))
	gauge(descQueued, float64(st.Recording.QueuedBytes))
	counter(descCommits, st.Recording.Commits)
	counter(descChunks, st.Recording.Chunks)
	counter(descWritten, st.Recording.WrittenBytes)
	counter(descLost, st.Recording.Unrecorded)
	counter(descStalls, st.Recording.Stalls)
	gauge(descUnsealed, float64(st.Recording.Unsealed))
	gauge(descSegments, float64(st.Recording.Segments))
	failed := 0.0
	if st.RecordingErr != "" {
		failed = 1
	}
	gauge(descFailed, failed)
}
