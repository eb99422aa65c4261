package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/command"
	"github.com/switchboard-relay/switchboard/device"
)

// Commands are what devices are to be told: command.Queue, which finds the fleet of a device as well.
type Commands interface {
	// Add takes a command; its Fleet may be left out where one fleet has the name.
	Add(ctx context.Context, req device.CommandRequest, by string) (c device.Command, existed bool, err error)
	Get(ctx context.Context, ref command.Ref) (device.Command, error)
	Await(ctx context.Context, ref command.Ref) (device.Command, error)
	List(ctx context.Context, f command.Filter) ([]device.Command, error)
	Cancel(ctx context.Context, ref command.Ref, by string) (device.Command, error)
	Resend(ctx context.Context, ref command.Ref, by string) (device.Command, error)
	Waiting(fleet, name string) int // commands of a device that are not over
	Counts() command.Counts
}

var commandRoutes = []route{
	{"GET /api/v1/commands", auth.Viewer, (*server).listCommands},
	{"POST /api/v1/commands", auth.Operator, (*server).addCommand},
	{"GET /api/v1/commands/{id}", auth.Viewer, (*server).showCommand},
	{"POST /api/v1/commands/{id}/cancel", auth.Operator, (*server).cancelCommand},
	{"POST /api/v1/commands/{id}/resend", auth.Operator, (*server).resendCommand},
}

var errNoCommands = fmt.Errorf("%w: this server has no commands for devices", errUnavailable)

func (s *server) commands() (Commands, error) {
	if s.Commands == nil {
		return nil, errNoCommands
	}
	return s.Commands, nil
}

// countWaiting tells of devices how many commands wait for them.
func (s *server) countWaiting(list ...*device.Status) {
	if s.Commands == nil {
		return
	}
	for _, st := range list {
		st.Waiting = s.Commands.Waiting(st.Fleet, st.Name)
	}
}

// parametersOf refuses parameters that there are not.
func parametersOf(r *http.Request, known ...string) (url.Values, error) {
	q := r.URL.Query()
	for key := range q {
		if !slices.Contains(known, key) {
			return nil, bad("no parameter is called %q: use %s", key, strings.Join(known, ", "))
		}
	}
	return q, nil
}

type commandList struct {
	Commands []device.Command `json:"commands"`
}

func (s *server) listCommands(w http.ResponseWriter, r *http.Request) error {
	q, err := parametersOf(r, "fleet", "name", "state", "limit")
	if err != nil {
		return err
	}
	f := command.Filter{Fleet: q.Get("fleet"), Name: q.Get("name"), State: device.CommandState(q.Get("state"))}
	if f.State != "" && !slices.Contains(command.States, f.State) {
		return bad("state %q: use one of %v", f.State, command.States)
	}
	if text := q.Get("limit"); text != "" {
		if f.Limit, err = strconv.Atoi(text); err != nil || f.Limit < 1 {
			return bad("limit %q: must be from 1 to %d", text, command.MaxList)
		}
	}
	queue, err := s.commands()
	if err != nil {
		return err
	}
	list, err := queue.List(r.Context(), f)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, commandList{append([]device.Command{}, list...)})
	return nil
}

func (s *server) addCommand(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	c, existed, err := s.takeCommand(r.Context(), body, who(r))
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if existed {
		status = http.StatusOK
	}
	writeJSON(w, status, c)
	return nil
}

// takeCommand takes a command in the name of who asks, who must be allowed to.
func (s *server) takeCommand(ctx context.Context, body []byte, by auth.Identity) (c device.Command, existed bool, err error) {
	if !by.Role.Includes(auth.Operator) {
		return c, false, fmt.Errorf("%w: the token %q has the role %s; commands need %s", errForbidden, by.Name, by.Role, auth.Operator)
	}
	queue, err := s.commands()
	if err != nil {
		return c, false, err
	}
	req, err := command.Parse(body)
	if err != nil {
		return c, false, err
	}
	return queue.Add(ctx, req, by.Name)
}

// refOf is the command that a path names; fleet and name say of which device, where several have the id.
func refOf(r *http.Request, q url.Values) command.Ref {
	return command.Ref{Fleet: q.Get("fleet"), Name: q.Get("name"), ID: r.PathValue("id")}
}

// longestWait is how long an answer about a command may be waited for.
const longestWait = 50 * time.Second

func (s *server) showCommand(w http.ResponseWriter, r *http.Request) error {
	q, err := parametersOf(r, "fleet", "name", "wait")
	if err != nil {
		return err
	}
	queue, err := s.commands()
	if err != nil {
		return err
	}
	show, ctx := queue.Get, r.Context()
	if text := q.Get("wait"); text != "" {
		d, err := parseDuration(text)
		if err != nil || d < 0 || d > longestWait {
			return bad("wait %q: must be a time such as 10s, at most %s", text, longestWait)
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
		show = queue.Await
	}
	c, err := show(ctx, refOf(r, q))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, c)
	return nil
}

func (s *server) cancelCommand(w http.ResponseWriter, r *http.Request) error {
	return s.actOn(w, r, http.StatusOK, Commands.Cancel)
}

func (s *server) resendCommand(w http.ResponseWriter, r *http.Request) error {
	return s.actOn(w, r, http.StatusCreated, Commands.Resend)
}

func (s *server) actOn(w http.ResponseWriter, r *http.Request, status int,
	act func(Commands, context.Context, command.Ref, string) (device.Command, error)) error {
	q, err := parametersOf(r, "fleet", "name")
	if err != nil {
		return err
	}
	queue, err := s.commands()
	if err != nil {
		return err
	}
	c, err := act(queue, r.Context(), refOf(r, q), who(r).Name)
	if err != nil {
		return err
	}
	writeJSON(w, status, c)
	return nil
}

// command takes a command of a viewer's, as POST /api/v1/commands does.
func (v *viewer) command(ask json.RawMessage) (task, error) {
	return func(ctx context.Context, tell answer) {
		c, _, err := v.viewers.server.takeCommand(ctx, ask, v.who)
		if err != nil {
			tell(nil, err)
			return
		}
		tell(c, nil)
	}, nil
}

// commandStatusOf is the status that tells of an error of a command; 0 if it is none of those.
func commandStatusOf(err error) int {
	var ambiguous *command.AmbiguousError
	switch {
	case errors.Is(err, command.ErrBad):
		return http.StatusBadRequest
	case errors.Is(err, command.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, command.ErrOther), errors.Is(err, command.ErrState), errors.As(err, &ambiguous):
		return http.StatusConflict
	case errors.Is(err, command.ErrFull):
		return http.StatusTooManyRequests
	case errors.Is(err, command.ErrClosed):
		return http.StatusServiceUnavailable
	}
	return 0
}

var (
	descCommandsWaiting = desc("commands_waiting", "Commands to devices that are not over.")
	descCommandsKept    = desc("commands_kept", "Commands to devices that are kept, those that are over among them.")
)
