package web

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchboard-relay/switchboard/threeend"
)

var (
	descSourceUp       = desc("source_up", "1 if the last connection to a source's address was made, 0 if not; none before the first.", "source", "kind")
	descSourceSessions = desc("source_sessions", "Sessions of a source that are open now.", "source", "kind")
	descSourceOpened   = desc("source_opened_total", "Sessions of a source that were opened.", "source")
	descSourceFailed   = desc("source_failed_total", "Sessions of a source that could not be opened: switchboard_refused_total says why.", "source")
	descSourceKicks    = desc("source_kicks_total", "Kicks that a source was asked for.", "source")
)

// collectSources tells of sources. Their names are plain: see threeend.CheckName.
func collectSources(list []threeend.SourceStatus, gauge func(*prometheus.Desc, float64, ...string), counter func(*prometheus.Desc, uint64, ...string)) {
	for _, s := range list {
		for _, k := range s.Kinds {
			switch k.State {
			case threeend.Reachable:
				gauge(descSourceUp, 1, s.Name, k.Kind)
			case threeend.Unreachable:
				gauge(descSourceUp, 0, s.Name, k.Kind)
			}
			gauge(descSourceSessions, float64(k.Sessions), s.Name, k.Kind)
		}
		counter(descSourceOpened, s.Opened, s.Name)
		counter(descSourceFailed, s.Failed, s.Name)
		counter(descSourceKicks, s.Kicks, s.Name)
	}
}
