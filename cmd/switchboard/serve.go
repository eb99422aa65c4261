package main

import (
	"context"
	"errors"
	"expvar"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/transport"
)

// ServeCmd runs a server.
type ServeCmd struct {
	Config   string `help:"Configuration file; see 'switchboard config'." short:"c" type:"path" env:"SWITCHBOARD_CONFIG"`
	Data     string `help:"Data folder: recordings, index, token." type:"path" env:"SWITCHBOARD_DATA"`
	HTTP     string `help:"Where console and REST are served, HOST:PORT; overrides http.listen." name:"http" env:"SWITCHBOARD_HTTP"`
	LogLevel string `help:"One of ${enum}." default:"info" enum:"debug,info,warn,error" env:"SWITCHBOARD_LOG_LEVEL"`
	LogJSON  bool   `help:"Log as JSON lines." env:"SWITCHBOARD_LOG_JSON"`
}

// config is the file, then what environment and flags override.
func (c *ServeCmd) config() (switchboard.Config, error) {
	conf := switchboard.DefaultConfig()
	if c.Config != "" {
		var err error
		if conf, err = switchboard.LoadConfig(c.Config); err != nil {
			return conf, err
		}
	}
	if c.Data != "" {
		conf.Data = c.Data
	}
	if c.HTTP != "" {
		conf.HTTP.Listen = c.HTTP
	}
	return conf, conf.Check()
}

// Run serves until SIGTERM or SIGINT; a second one ends the process at once. SIGHUP reads the configuration again.
func (c *ServeCmd) Run(ctx context.Context, std *stdio) error {
	logger := c.logger(std.err)
	conf, err := c.config()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	sb, err := switchboard.New(conf, switchboard.WithLogger(logger), switchboard.WithVersion(version()))
	if err != nil {
		return err
	}
	if addr := os.Getenv("SWITCHBOARD_PPROF"); addr != "" {
		if err := serveProfiles(ctx, addr); err != nil {
			return errors.Join(err, sb.Close())
		}
	}
	c.printWelcome(std.out, sb)
	go c.reloadOnHangup(ctx, sb, logger) // ends with the context
	<-ctx.Done()
	stop() // from now on a signal ends the process at once
	live := 0
	for _, l := range sb.Hub().Listeners() {
		live += l.Live
	}
	fmt.Fprintf(std.out, "Stopping: %d live sessions end as \"shutdown\", recordings are sealed. "+
		"Once more to stop at once.\n", live)
	return sb.Close()
}

func (c *ServeCmd) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	level.UnmarshalText([]byte(c.LogLevel)) // kong has checked it
	opt := &slog.HandlerOptions{Level: level}
	if c.LogJSON {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}

func (c *ServeCmd) reloadOnHangup(ctx context.Context, sb *switchboard.Switchboard, logger *slog.Logger) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
		}
		conf, err := c.config()
		if err == nil {
			err = sb.Reload(conf)
		}
		if err != nil {
			logger.Error("reload", "error", err)
			continue
		}
		logger.Info("the configuration was read again")
	}
}

// serveProfiles serves net/http/pprof and expvar, for those who measure.
func serveProfiles(ctx context.Context, addr string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("SWITCHBOARD_PPROF: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.Handle("/debug/vars", expvar.Handler())
	context.AfterFunc(ctx, func() { ln.Close() })
	go http.Serve(ln, mux) // ends when the context closes its listener
	return nil
}

// printWelcome says what listens where, how to get into the console, where the data lies, and what to try next.
func (c *ServeCmd) printWelcome(w io.Writer, sb *switchboard.Switchboard) {
	fmt.Fprintf(w, "Switchboard %s, node %s\n\nListeners\n", version(), sb.Hub().Node())
	var rows [][]string
	for _, l := range sb.Hub().Listeners() {
		at := l.Address
		if l.Service != "source" { // which listens nowhere
			at = listenerURL(sb, &l)
		}
		rows = append(rows, []string{l.Name, at, describe(l.Service, l.Transport)})
	}
	if len(rows) == 0 {
		fmt.Fprintln(w, "  none: the configuration has no listeners")
	}
	writeAligned(w, rows)
	fmt.Fprintln(w)
	link := sb.ConsoleLink()
	if link != "" {
		fmt.Fprintf(w, "Console      %s\n", link)
	}
	fmt.Fprintf(w, "REST         %s/api/v1/\n", sb.URL())
	fmt.Fprintf(w, "Token        %s\n", filepath.Join(sb.Data(), "token"))
	fmt.Fprintf(w, "Recordings   %s\n", filepath.Join(sb.Data(), "recordings"))
	if n := transport.FileLimit(); n > 0 {
		fmt.Fprintf(w, "Open files   %d at most\n", n)
	}
	fmt.Fprintln(w, "\nTry, in another terminal")
	writeAligned(w, c.suggestions(sb, link != ""))
	fmt.Fprint(w, "With an id that ls prints, or its first characters: watch ID, play ID, kick ID, export ID.\n\n"+
		"Stop with Ctrl-C.\n")
}

// writeAligned writes rows whose cells stand below each other. The last cell of a row widens no column, nor does one
// that is very long.
func writeAligned(w io.Writer, rows [][]string) {
	const most = 60
	var widths []int
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if len(cell) <= most {
				widths[i] = max(widths[i], len(cell))
			}
		}
	}
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] {
			fmt.Fprintf(w, "  %-*s", widths[i], cell)
		}
		fmt.Fprintf(w, "  %s\n", row[len(row)-1])
	}
}

// listenerURL is where a listener listens, with the port that it got and the path that it serves.
func listenerURL(sb *switchboard.Switchboard, l *hub.ListenerStatus) string {
	at := transport.Address{Transport: l.Transport, Host: sb.Addr(l.Name).String()}
	if configured, err := transport.ParseListenAddress(l.Address); err == nil {
		at.Path = configured.Path
	}
	return at.String()
}

// describe says what a listener does with what comes over a transport.
func describe(service, over string) string {
	switch service {
	case "sink":
		return "sink: receives, answers nothing"
	case "echo":
		return "echo: answers every chunk"
	case "room":
		switch over {
		case "socketio":
			return "room: what is said, as events"
		case "ws":
			return "room: every message goes to all"
		}
		return "room: every chunk goes to every client"
	case "relay":
		return "relay: to its upstream and back"
	case "device":
		return "device: a fleet of devices"
	case "link":
		return "link: the web server of devices"
	case "bastion":
		return "bastion: SSH to its targets and back"
	case "source":
		return "source: streams what is watched"
	case "source-server":
		return "source-server: shows live sessions to programs"
	}
	return service
}

// suggestions are commands that work when they are pasted one after the other, whatever folder the other terminal is
// in.
func (c *ServeCmd) suggestions(sb *switchboard.Switchboard, console bool) (rows [][]string) {
	program, folder := programName()
	if folder != "" {
		rows = append(rows, []string{"cd " + shellQuote(folder)})
	}
	if os.Getenv("SWITCHBOARD_DATA") != "" || sb.Data() != switchboard.DefaultData() {
		rows = append(rows, []string{"export SWITCHBOARD_DATA=" + shellQuote(absolute(sb.Data()))})
	}
	if l := tryFirst(sb.Hub().Listeners()); l != nil {
		rows = append(rows, []string{program + " connect " + shellQuote(listenerURL(sb, l)), "# type something; Ctrl-C ends"})
	}
	if slices.ContainsFunc(sb.Hub().Listeners(), func(l hub.ListenerStatus) bool { return l.Service == "source" }) {
		rows = append(rows, []string{program + " sources", "# whose sessions can be opened: watch KIND:ID shows one"})
	}
	if slices.ContainsFunc(sb.Hub().Listeners(), func(l hub.ListenerStatus) bool { return l.Service == "device" }) {
		rows = append(rows, []string{program + " devices", "# who is there, and how much each said"})
	}
	rows = append(rows, []string{program + " ls", "# every session, live and recorded"})
	if console {
		rows = append(rows, []string{program + " console", "# another link to the console: each signs in once"})
	}
	return rows
}

// tryFirst is the listener that shows most to somebody who connects, nil if there is none to connect to.
func tryFirst(listeners []hub.ListenerStatus) *hub.ListenerStatus {
	for _, service := range []string{"echo", "room", "sink"} {
		for i, l := range listeners {
			if l.Service == service && (l.Transport == "tcp" || l.Transport == "unix") {
				return &listeners[i]
			}
		}
	}
	return nil
}

// programName is how this program can be started again, and, where that depends on it, in which folder: with go run's
// own way if that is how it runs.
func programName() (name, folder string) {
	exe, err := os.Executable()
	switch {
	case err != nil:
		return "switchboard", ""
	case strings.Contains(exe, string(filepath.Separator)+"go-build"):
		return "go run ./cmd/switchboard", absolute(".")
	case os.Args[0] == filepath.Base(os.Args[0]):
		return shellQuote(os.Args[0]), ""
	}
	return shellQuote(absolute(os.Args[0])), ""
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func shellQuote(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
