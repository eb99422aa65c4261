//go:build linux

package main

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	fleetName  = "devices"
	webAddress = "127.0.0.2" // of the web server, which connects from there
)

// Framings of what simulated devices of etung say: pieces as they come, and lines, of which each is a message.
const (
	pieces = "frame: etung"
	lines  = `frame: [{type: line}]
      register: {pattern: '^ETUNG:(?P<name>\w+)$'}`
)

// server is a Switchboard that takes devices, without limits for one address: all of them come from this machine.
type server struct {
	*benchkit.Server
	addr string // where devices and the web server connect
}

// setup is what a server is configured with.
type setup struct {
	framing string // of devices
	more    string // in the configuration of devices, a line each, indented by six
	hook    string // URL that devices' messages are posted to; empty: they go to the web server's link
}

// startServer starts a server.
func startServer(r *benchkit.Run, c setup) (*server, error) {
	addr := benchkit.FreeAddr("tcp")
	s, err := r.Server(benchkit.ServerOptions{Config: c.config(addr)})
	return &server{s, addr}, err
}

func (c setup) config(addr string) string {
	target, forwards := "web_server: ["+webAddress+"]", ""
	if c.hook != "" {
		target, forwards = "", fmt.Sprintf("forwards: [{name: hook, to: %q, encoding: base64}]", c.hook)
	}
	return fmt.Sprintf(`listeners:
  - name: devices
    listen: "tcp://%s"
    service: device
    keepalive: 10s
    max_sessions: 20000
    device:
      fleet: %s
      %s
      max_unregistered_per_address: -1
      connect_rate: -1
      %s
%s
%s
`, addr, fleetName, c.framing, target, c.more, forwards)
}

// online is how many devices the server says are connected.
func (s *server) online() (int, error) {
	var list struct {
		Counts struct{ Online int }
	}
	err := s.Get("/api/v1/devices?limit=1&fleet="+fleetName, &list)
	return list.Counts.Online, err
}

// waitOnline waits until so many devices are connected.
func (s *server) waitOnline(r *benchkit.Run, want int, limit time.Duration) error {
	got := 0
	err := benchkit.Until(r.Context, limit, fmt.Sprintf("%d devices are online", want), func() (ok bool, err error) {
		got, err = s.online()
		return got == want, err
	})
	if err != nil {
		return fmt.Errorf("%w; there are %d", err, got)
	}
	return nil
}

// received is how many bytes of devices the server has received.
func (s *server) received() (n uint64, err error) {
	body, err := s.Open("/metrics")
	if err != nil {
		return 0, err
	}
	defer body.Close()
	for in := bufio.NewScanner(body); in.Scan(); {
		if text, ok := strings.CutPrefix(in.Text(), `switchboard_bytes_total{direction="received"} `); ok {
			v, err := strconv.ParseFloat(text, 64)
			return uint64(v), err
		}
	}
	return 0, errors.New("/metrics does not say how many bytes were received")
}

//go:embed peer.js
var nodeScript string

// peer is another server of devices: for Node, with what the contract asks for and nothing else.
type peer struct {
	pid     int
	addr    string
	collect func() error
	stop    func()
}

// startPeer starts it; nil means that Node is not installed.
func startPeer(r *benchkit.Run) (*peer, error) {
	_, port, _ := net.SplitHostPort(benchkit.FreeAddr("tcp"))
	program, addr, err := r.Node(nodeScript, port, webAddress)
	if program == nil {
		return nil, err
	}
	process, err := os.FindProcess(program.PID())
	if err != nil {
		return nil, err
	}
	return &peer{program.PID(), addr, func() error { return process.Signal(syscall.SIGUSR2) }, program.Stop}, nil
}
