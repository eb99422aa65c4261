package web

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/device"
)

// Forwards are where messages of devices go.
type Forwards interface {
	Status() []device.ForwardStatus
	// Pause stops a forward until Resume, over restarts as well. False if there is none of the name.
	Pause(name string) (bool, error)
	Resume(name string) (bool, error)
}

var forwardRoutes = []route{
	{"GET /api/v1/forwards", auth.Viewer, (*server).listForwards},
	{"POST /api/v1/forwards/{name}/pause", auth.Operator, (*server).pauseForward},
	{"POST /api/v1/forwards/{name}/resume", auth.Operator, (*server).resumeForward},
}

// errNoForward says that no forward has that name.
var errNoForward = errors.New("no such forward")

type forwardList struct {
	Forwards []device.ForwardStatus `json:"forwards"`
}

func (s *server) forwardsStatus() []device.ForwardStatus {
	list := []device.ForwardStatus{}
	if s.Forwards != nil {
		list = append(list, s.Forwards.Status()...)
	}
	return list
}

func (s *server) listForwards(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, forwardList{s.forwardsStatus()})
	return nil
}

func (s *server) pauseForward(w http.ResponseWriter, r *http.Request) error {
	return s.setForward(w, r, "paused", Forwards.Pause)
}

func (s *server) resumeForward(w http.ResponseWriter, r *http.Request) error {
	return s.setForward(w, r, "resumed", Forwards.Resume)
}

// setForward has something done with a forward, and answers with what it is then.
func (s *server) setForward(w http.ResponseWriter, r *http.Request, what string, do func(Forwards, string) (bool, error)) error {
	name := r.PathValue("name")
	found := false
	if s.Forwards != nil {
		var err error
		if found, err = do(s.Forwards, name); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("%w: %q", errNoForward, name)
	}
	s.Logger.Info("a forward was "+what, "forward", name, "by", who(r).Name)
	for _, f := range s.Forwards.Status() {
		if f.Name == name {
			writeJSON(w, http.StatusOK, f)
			return nil
		}
	}
	return fmt.Errorf("%w any more: %q", errNoForward, name)
}

var (
	descForwardDelivered = desc("forward_delivered_total", "Messages that a forward's target took.", "forward")
	descForwardRetried   = desc("forward_retried_total", "Messages that it did not take at once, each time.", "forward")
	descForwardRefused   = desc("forward_refused_total", "Messages that were passed over, since it never will take them.", "forward")
	descForwardDevices   = desc("forward_devices_behind", "Devices with something that is not delivered.", "forward")
	descForwardBytes     = desc("forward_bytes_behind", "Bytes that were received of live sessions and not delivered, about.", "forward")
	descForwardOldest    = desc("forward_oldest_time_seconds", "When the oldest message came that is not delivered, Unix time; 0: there is none.", "forward")
	descForwardUp        = desc("forward_up", "0 while a forward waits for its target, or was stopped.", "forward")
)

// collectForwards tells of forwards.
func collectForwards(list []device.ForwardStatus, gauge func(*prometheus.Desc, float64, ...string), counter func(*prometheus.Desc, uint64, ...string)) {
	for _, f := range list {
		up := 1.0
		if f.State == "waiting" || f.State == "stopped" {
			up = 0
		}
		gauge(descForwardUp, up, f.Name)
		counter(descForwardDelivered, f.Delivered, f.Name)
		counter(descForwardRetried, f.Retried, f.Name)
		counter(descForwardRefused, f.Refused, f.Name)
		gauge(descForwardDevices, float64(f.Devices), f.Name)
		gauge(descForwardBytes, float64(f.Bytes), f.Name)
		gauge(descForwardOldest, float64(f.Oldest)/1e6, f.Name)
	}
}
