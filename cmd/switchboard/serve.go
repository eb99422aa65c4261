package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/transport"
)

// ServeCmd runs a server.
type ServeCmd struct {
	Config   string `help:"Configuration file (YAML). Without one, the configuration that 'switchboard config' prints." short:"c" type:"path" env:"SWITCHBOARD_CONFIG"`
	Data     string `help:"Data folder: recordings, index, token." type:"path" env:"SWITCHBOARD_DATA"`
	HTTP     string `help:"Where REST is served, HOST:PORT; overrides http.listen." name:"http" env:"SWITCHBOARD_HTTP"`
	LogLevel string `help:"debug, info, warn or error." default:"info" enum:"debug,info,warn,error" env:"SWITCHBOARD_LOG_LEVEL"`
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
	fmt.Fprintf(std.out, "Stopping: %d live sessions end as \"shutdown\", recordings are sealed. Once more to stop at once.\n", live)
	return sb.Close()
}

func (c *ServeCmd) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	level.UnmarshalText([]byte(c.LogLevel)) // kong has checked it
	if c.LogJSON {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
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

// serveProfiles serves net/http/pprof, for those who measure.
func serveProfiles(ctx context.Context, addr string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("SWITCHBOARD_PPROF: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	context.AfterFunc(ctx, func() { ln.Close() })
	go http.Serve(ln, mux) // ends when the context closes its listener
	return nil
}

// printWelcome says what listens where, where the data lies, and what to try next.
func (c *ServeCmd) printWelcome(w io.Writer, sb *switchboard.Switchboard) {
	fmt.Fprintf(w, "Switchboard %s, node %s\n\nListeners\n", version(), sb.Hub().Node())
	listeners := sb.Hub().Listeners()
	width := 0
	for _, l := range listeners {
		width = max(width, len(l.Name))
	}
	for _, l := range listeners {
		fmt.Fprintf(w, "  %-*s  %-28s  %s\n", width, l.Name, l.Transport+"://"+sb.Addr(l.Name).String(), describe(l.Service))
	}
	if len(listeners) == 0 {
		fmt.Fprintln(w, "  none: the configuration has no listeners")
	}
	fmt.Fprintf(w, "\nREST         %s/api/v1/ (token in %s)\n", sb.URL(), filepath.Join(sb.Data(), "token"))
	fmt.Fprintf(w, "Recordings   %s\n", filepath.Join(sb.Data(), "recordings"))
	if n := transport.FileLimit(); n > 0 {
		fmt.Fprintf(w, "Open files   %d at most\n", n)
	}
	fmt.Fprintf(w, "\nTry, in another terminal\n%s\nStop with Ctrl-C.\n", c.suggestions(sb))
}

func describe(service string) string {
	switch service {
	case "sink":
		return "sink: receives, answers nothing"
	case "echo":
		return "echo: answers every chunk with the time and the chunk"
	case "room":
		return "room: every chunk goes to every client"
	case "relay":
		return "relay: to its upstream and back"
	}
	return service
}

// suggestions are commands that work when pasted: they name this program as it was started, and this data folder.
func (c *ServeCmd) suggestions(sb *switchboard.Switchboard) string {
	program := programName()
	data := ""
	if sb.Data() != switchboard.DefaultData() {
		data = " --data " + shellQuote(sb.Data())
	}
	var b strings.Builder
	for _, l := range sb.Hub().Listeners() {
		if l.Service == "echo" {
			fmt.Fprintf(&b, "  %s connect %s://%s    # type something\n", program, l.Transport, sb.Addr(l.Name))
			break
		}
	}
	fmt.Fprintf(&b, "  %s ls%s                  # every session, live and recorded\n", program, data)
	fmt.Fprintf(&b, "  %s watch%s ID            # an id of that list, or its first characters\n", program, data)
	fmt.Fprintf(&b, "  %s play%s ID\n", program, data)
	return b.String()
}

// programName is how the user can start this program again: go run's own way if that is how it runs.
func programName() string {
	exe, err := os.Executable()
	if err != nil {
		return "switchboard"
	}
	if strings.Contains(exe, string(filepath.Separator)+"go-build") {
		return "go run ./cmd/switchboard"
	}
	if os.Args[0] == filepath.Base(os.Args[0]) {
		return os.Args[0]
	}
	return shellQuote(os.Args[0])
}

func shellQuote(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
