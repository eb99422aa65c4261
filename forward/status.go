package forward

import (
	"cmp"
	"slices"
	"time"

	"github.com/switchboard-relay/switchboard/device"
)

// Status is all forwards, by name.
func (f *Forwards) Status() []device.ForwardStatus {
	if f == nil {
		return nil
	}
	list := []device.ForwardStatus{}
	at := map[*runner]int{}
	f.mu.Lock()
	for _, r := range f.runners {
		fleets := slices.Clone(r.conf.Fleets)
		if fleets == nil {
			fleets = []string{}
		}
		at[r] = len(list)
		list = append(list, device.ForwardStatus{Name: r.conf.Name, To: r.conf.To, Fleets: fleets})
	}
	f.mu.Unlock()
	for r, i := range at {
		r.status(&list[i])
		if !f.configured.Load() {
			list[i].State, list[i].Error = "waiting", "behind a crash, recordings are listed first"
		}
	}
	f.streams.each(func(st *stream) {
		for fd := st.first.Load(); fd != nil; fd = fd.sibling.Load() {
			if i, is := at[fd.runner]; is {
				fd.status(&list[i])
			}
		}
	})
	slices.SortFunc(list, func(a, b device.ForwardStatus) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// behindAfter is how old the oldest message may be that is not delivered, for a forward that keeps up.
const behindAfter = 5 * time.Second

func (r *runner) status(s *device.ForwardStatus) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		s.Error, s.ErrorAt = r.err.Error(), r.errAt
	}
	s.Delivered, s.Retried, s.Refused, s.Devices = r.delivered, r.retried, r.refused, r.behind
	s.State = "idle"
	switch {
	case r.paused || r.stopped:
		s.State = "stopped"
	case r.away || r.err != nil && r.failures > 0:
		s.State = "waiting"
	case r.behind > 0:
		s.State = "running"
	}
	if s.State != r.state {
		r.state, r.since = s.State, time.Now().UnixMicro()
	}
	s.Since = r.since
}

// status adds what is left of a feed.
func (fd *feed) status(s *device.ForwardStatus) {
	if state := fd.state.Load(); state == resting || state == gone {
		return
	}
	r := fd.runner
	r.mu.Lock()
	since, offset, counted := fd.since, fd.offset, fd.counted
	r.mu.Unlock()
	if !counted {
		return
	}
	if since != 0 && (s.Oldest == 0 || since < s.Oldest) {
		s.Oldest = since
	}
	if s.State == "running" && s.Oldest != 0 && time.Since(time.UnixMicro(s.Oldest)) > behindAfter {
		s.State = "behind"
	}
	if live := fd.stream.live.Load(); live != nil {
		s.Bytes += max(0, int64(live.Totals().ReceivedBytes)-offset)
	}
}
