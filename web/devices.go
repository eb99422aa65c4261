package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/session"
)

// Devices are those of this node, connected or not. Errors are those of package device.
type Devices interface {
	List(q device.Query) (device.Page, error)
	// Get is a device, and its newest connections, the newest first.
	Get(fleet, name string) (device.Status, []device.Connection, error)
	// Admit makes a name one that is known: what is held of it is a device from now on.
	Admit(fleet, name string) (device.Status, error)
	Forget(fleet, name string) error
	Totals() []device.Totals
}

var deviceRoutes = []route{
	{"GET /api/v1/devices", auth.Viewer, (*server).listDevices},
	{"GET /api/v1/devices/{fleet}/{name}", auth.Viewer, (*server).oneDevice},
	{"DELETE /api/v1/devices/{fleet}/{name}", auth.Operator, (*server).forgetDevice},
	{"POST /api/v1/devices/{fleet}/{name}/admit", auth.Operator, (*server).admitDevice},
	{"POST /api/v1/devices/{fleet}/{name}/kick", auth.Operator, (*server).kickDevice},
}

// errNoDevices says that there is nothing to ask for.
var errNoDevices = fmt.Errorf("%w: this server has no listener of devices", device.ErrNotFound)

const (
	defaultDeviceLimit = 1000
	maxDeviceLimit     = 10_000
)

var deviceKeys = map[string]bool{"fleet": true, "state": true, "q": true, "limit": true, "after": true}

// listDevices answers with a page of devices, in the order of fleet and name.
func (s *server) listDevices(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	for key := range q {
		if !deviceKeys[key] {
			return bad("no filter is called %q: use fleet, state, q, limit, after", key)
		}
	}
	query := device.Query{Fleet: q.Get("fleet"), State: device.State(q.Get("state")), Match: q.Get("q"), After: q.Get("after"),
		Limit: defaultDeviceLimit}
	switch query.State {
	case "", device.Online, device.Offline, device.Held:
	default:
		return bad("state %q: use online, offline or held, or leave it out for all", query.State)
	}
	var err error
	if text := q.Get("limit"); text != "" {
		if query.Limit, err = strconv.Atoi(text); err != nil || query.Limit < 1 || query.Limit > maxDeviceLimit {
			return bad("limit %q: must be a number from 1 to %d", text, maxDeviceLimit)
		}
	}
	page := device.Page{Devices: []device.Status{}}
	if s.Devices != nil {
		if page, err = s.Devices.List(query); err != nil {
			return badRequest{err}
		}
	}
	for i := range page.Devices {
		s.countWaiting(&page.Devices[i])
	}
	writeJSON(w, http.StatusOK, page)
	return nil
}

// deviceWithConnections is a device with its newest connections.
type deviceWithConnections struct {
	device.Status
	List []device.Connection `json:"connections_list"`
}

func (s *server) oneDevice(w http.ResponseWriter, r *http.Request) error {
	st, list, err := s.device(r)
	if err != nil {
		return err
	}
	s.countWaiting(&st)
	writeJSON(w, http.StatusOK, deviceWithConnections{st, list})
	return nil
}

// device is the one that the path names.
func (s *server) device(r *http.Request) (device.Status, []device.Connection, error) {
	if s.Devices == nil {
		return device.Status{}, nil, errNoDevices
	}
	return s.Devices.Get(r.PathValue("fleet"), r.PathValue("name"))
}

func (s *server) admitDevice(w http.ResponseWriter, r *http.Request) error {
	if s.Devices == nil {
		return errNoDevices
	}
	st, err := s.Devices.Admit(r.PathValue("fleet"), r.PathValue("name"))
	switch {
	case errors.Is(err, device.ErrNotFound):
		return err
	case err != nil:
		return badRequest{err}
	}
	s.countWaiting(&st)
	s.Logger.Info("a device was admitted", "fleet", st.Fleet, "name", st.Name, "by", who(r).Name)
	writeJSON(w, http.StatusOK, st)
	return nil
}

func (s *server) forgetDevice(w http.ResponseWriter, r *http.Request) error {
	if s.Devices == nil {
		return errNoDevices
	}
	fleet, name := r.PathValue("fleet"), r.PathValue("name")
	if err := s.Devices.Forget(fleet, name); err != nil {
		return err
	}
	s.Logger.Info("a device was forgotten", "fleet", fleet, "name", name, "by", who(r).Name)
	writeJSON(w, http.StatusOK, map[string]any{"fleet": fleet, "name": name, "forgotten": true})
	return nil
}

// kickDevice ends all sessions of a device in the name of who asks.
func (s *server) kickDevice(w http.ResponseWriter, r *http.Request) error {
	st, _, err := s.device(r)
	if err != nil {
		return err
	}
	var body struct {
		Reason string `json:"reason"`
	}
	if r.ContentLength != 0 {
		if err := readObject(w, r, &body, `{"reason": "maintenance"}`); err != nil {
			return err
		}
	}
	kicked := []sessionKicked{}
	for _, id := range st.Sessions {
		k, err := s.kickSession(r.Context(), &session.Summary{Info: session.Info{ID: id}}, who(r).Name, body.Reason)
		if err == nil {
			kicked = append(kicked, k)
		} else if len(st.Sessions) == 1 {
			return err
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"fleet": st.Fleet, "name": st.Name, "kicked": kicked})
	return nil
}

var (
	descDevicesOnline   = desc("devices_online", "Devices that are connected now.", "fleet")
	descDevicesHeld     = desc("devices_held", "Devices that are connected now and not admitted.", "fleet")
	descDeviceMessages  = desc("device_messages_total", "Messages that devices sent.", "fleet")
	descDeviceFlagged   = desc("device_messages_flagged_total", "Those with something wrong, and bytes that belong to none.", "fleet")
	descDevicesReplaced = desc("devices_replaced_total", "Connections that ended because the device came again.", "fleet")
	descDevicesRefused  = desc("devices_refused_total", "Connections that were refused.", "fleet")
)

// collectDevices adds what is counted of devices to the metrics.
func collectDevices(list []device.Totals, gauge func(*prometheus.Desc, float64, ...string), counter func(*prometheus.Desc, uint64, ...string)) {
	for _, t := range list {
		gauge(descDevicesOnline, float64(t.Online), t.Fleet)
		gauge(descDevicesHeld, float64(t.Held), t.Fleet)
		counter(descDeviceMessages, t.Messages, t.Fleet)
		counter(descDeviceFlagged, t.Flagged, t.Fleet)
		counter(descDevicesReplaced, t.Replaced, t.Fleet)
		counter(descDevicesRefused, t.Refused, t.Fleet)
	}
}
