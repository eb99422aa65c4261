package web

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/room"
)

// metrics serves the counts of hub and rooms to Prometheus. Nothing is counted twice: the numbers are read when they are asked
// for.
func (s *server) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&hubCollector{hub: s.Hub, rooms: s.Rooms, sources: s.Sources, devices: s.Devices, commands: s.Commands, forwards: s.Forwards, version: s.Version, start: s.Start, logger: s.Logger,
			rising: &s.rising})
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{Timeout: 10 * time.Second})
}

type hubCollector struct {
	hub      *hub.Hub
	devices  Devices
	commands Commands // nil: there are none
	rooms    *room.Rooms
	sources  Sources  // nil: there are none
	forwards Forwards // nil: there are none
	version  string
	start    time.Time
	logger   *slog.Logger
	rising   *rising
}

// rising is the bytes that passed, never less than what was told before: while a session passes from the live to the
// ended ones its bytes are in neither for a moment, and a counter that falls is taken for a restart.
type rising struct {
	mu             sync.Mutex
	received, sent uint64 // as last told
}

func (r *rising) of(st *hub.Stats) (received, sent uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.received, r.sent = max(r.received, st.ReceivedBytes), max(r.sent, st.SentBytes)
	return r.received, r.sent
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("switchboard_"+name, help, labels, nil)
}

var (
	descInfo       = desc("info", "The version that runs.", "version", "node")
	descStart      = desc("start_time_seconds", "When the server started, Unix time.")
	descOpened     = desc("sessions_opened_total", "Sessions that were opened.")
	descLive       = desc("sessions_live", "Sessions that are live now.", "listener")
	descAccepted   = desc("accepted_total", "Connections that became sessions.", "listener")
	descRefused    = desc("refused_total", "Connections that were refused.", "listener", "reason")
	descEnded      = desc("sessions_ended_total", "Sessions that ended, by cause.", "cause")
	descBytes      = desc("bytes_total", "Bytes that passed, seen from Switchboard.", "direction")
	descMembers    = desc("room_members", "Members that a room has now.", "room")
	descMessages   = desc("room_messages_total", "Messages of a room's log, also of who came and went.", "room")
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
	descFailures   = desc("recording_failures_total", "How often writing failed.")
	descSealed     = desc("recording_sealed_total", "Recordings that were completed.")
	descUnsealed   = desc("recording_unsealed", "Ended sessions whose file is not complete.")
	descSegments   = desc("recording_segments", "Segments of the journal on disk.")
	descFailed     = desc("recording_failed", "1 while recordings cannot be written.")
)

// Describe implements prometheus.Collector. It describes nothing, which makes the collector an unchecked one: what it
// collects changes with the listeners and the rooms.
func (c *hubCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *hubCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(descInfo, 1, c.version, c.hub.Node())
	gauge(descStart, float64(c.start.UnixMicro())/1e6)
	for _, l := range c.hub.Listeners() {
		gauge(descLive, float64(l.Live), l.Name)
		counter(descAccepted, l.Accepted, l.Name)
		for reason, n := range l.Refusals {
			counter(descRefused, n, l.Name, reason)
		}
	}
	for _, r := range c.rooms.List() {
		st, name := r.Status(), strings.ToValidUTF8(r.Name(), "\uFFFD") // other labels would panic
		gauge(descMembers, float64(st.Members), name)
		counter(descMessages, st.Offset, name)
	}
	if c.sources != nil {
		collectSources(c.sources.Status(), gauge, counter)
	}
	if c.devices != nil {
		collectDevices(c.devices.Totals(), gauge, counter)
	}
	if c.commands != nil {
		counts := c.commands.Counts()
		gauge(descCommandsWaiting, float64(counts.Waiting))
		gauge(descCommandsKept, float64(counts.Kept))
	}
	if c.forwards != nil {
		collectForwards(c.forwards.Status(), gauge, counter)
	}
	st, err := c.hub.Stats(context.Background())
	if err != nil {
		c.logger.Warn("metrics: the recordings cannot be counted", "error", err)
	} else {
		gauge(descRecorded, float64(st.Recorded))
		gauge(descSize, float64(st.RecordedBytes))
	}
	counter(descOpened, st.Opened)
	for cause, n := range st.Ended {
		counter(descEnded, n, string(cause))
	}
	received, sent := c.rising.of(&st)
	counter(descBytes, received, "received")
	counter(descBytes, sent, "sent")
	gauge(descWatchers, float64(st.Watchers))
	counter(descRemoved, st.Removed)
	gauge(descSockets, float64(st.Sockets))
	gauge(descSocketsMax, float64(st.SocketLimit))
	gauge(descQueued, float64(st.Recording.QueuedBytes))
	counter(descCommits, st.Recording.Commits)
	counter(descChunks, st.Recording.Chunks)
	counter(descWritten, st.Recording.WrittenBytes)
	counter(descLost, st.Recording.Unrecorded)
	counter(descStalls, st.Recording.Stalls)
	counter(descFailures, st.Recording.Failures)
	counter(descSealed, st.Recording.Sealed)
	gauge(descUnsealed, float64(st.Recording.Unsealed))
	gauge(descSegments, float64(st.Recording.Segments))
	failed := 0.0
	if st.RecordingErr != "" {
		failed = 1
	}
	gauge(descFailed, failed)
}
