//go:build linux

package benchkit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ServerOptions say how a server is started.
type ServerOptions struct {
	Config string   // YAML; http.listen and data are set by flags
	Data   string   // the data folder; empty for a new one, removed with the run
	Env    []string // more of the environment
	Files  int      // RLIMIT_NOFILE, soft and hard; 0 leaves it
	Binary string   // as Build returned it; empty builds it
}

// Server is a running switchboard serve.
type Server struct {
	URL, Token string
	Data       string
	Log        string // the file that its standard error goes to

	run   *Run
	cmd   *exec.Cmd
	pprof string
	done  bool
}

// Build builds the server's binary as a release is built, once a run.
func (r *Run) Build() (path string, err error) {
	if r.binary != "" {
		return r.binary, nil
	}
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w: run this inside of the repository", err)
	}
	path = filepath.Join(r.Dir, "switchboard")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "./cmd/switchboard")
	cmd.Dir = strings.TrimSpace(string(root))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cmd/switchboard: %w\n%s", err, out)
	}
	r.binary = path
	return path, nil
}

// Command is the command that starts a server with these options, and the folder of its data.
func (r *Run) Command(opt ServerOptions) (cmd *exec.Cmd, data string, err error) {
	if opt.Binary == "" {
		if opt.Binary, err = r.Build(); err != nil {
			return nil, "", err
		}
	}
	data = opt.Data
	if data == "" {
		data = r.path("data")
	}
	config := r.path("config.yaml")
	if err := os.WriteFile(config, []byte(opt.Config), 0o644); err != nil {
		return nil, "", err
	}
	args := []string{opt.Binary, "serve", "--config", config, "--data", data, "--http", "127.0.0.1:0"}
	if opt.Files > 0 {
		limited := fmt.Sprintf(`ulimit -Sn %d; ulimit -Hn %d; exec "$@"`, opt.Files, opt.Files)
		args = append([]string{"sh", "-c", limited, "sh"}, args...)
	}
	cmd = exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), opt.Env...)
	return cmd, data, nil
}

// Server starts a server and waits until it listens.
func (r *Run) Server(opt ServerOptions) (*Server, error) {
	cmd, data, err := r.Command(opt)
	if err != nil {
		return nil, err
	}
	s := &Server{run: r, cmd: cmd, Data: data, Log: r.path("server.log"), pprof: FreeAddr("tcp")}
	cmd.Env = append(cmd.Env, "SWITCHBOARD_PPROF="+s.pprof)
	log, err := os.Create(s.Log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r.Cleanup(func() { s.Stop() })
	err = Until(r.Context, 10*time.Second, "the server listens", func() (bool, error) {
		if !Alive(s.PID()) {
			return false, fmt.Errorf("it ended: %s", s.LogTail())
		}
		return s.discover(), nil
	})
	return s, err
}

// discover reads where REST is and the token, once the server has written them.
func (s *Server) discover() bool {
	b, err := os.ReadFile(filepath.Join(s.Data, "server.json"))
	if err != nil {
		return false
	}
	var at struct {
		URL string `json:"url"`
		PID int    `json:"pid"`
	}
	if json.Unmarshal(b, &at) != nil || at.PID != s.PID() {
		return false
	}
	token, err := os.ReadFile(filepath.Join(s.Data, "token"))
	s.URL, s.Token = at.URL, strings.TrimSpace(string(token))
	return err == nil && s.Get("/healthz", nil) == nil
}

// PID is the server's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Stop sends SIGTERM and tells how long the server took to end. After half a minute it is killed.
func (s *Server) Stop() (time.Duration, error) {
	if s.done {
		return 0, nil
	}
	s.done = true
	took, err := stop(s.cmd, 30*time.Second)
	if err != nil {
		err = fmt.Errorf("the server did not end well: %w: %s", err, s.LogTail())
	}
	return took, err
}

// LogText is what the server logged.
func (s *Server) LogText() string {
	b, _ := os.ReadFile(s.Log)
	return string(b)
}

// LogTail is the end of what the server logged.
func (s *Server) LogTail() string {
	b, _ := os.ReadFile(s.Log)
	b = bytes.TrimSpace(b)
	return string(b[max(0, len(b)-1000):])
}

// FreeAddr is an address on loopback that nobody listens on, with a port below those that the system gives to clients.
func FreeAddr(network string) string {
	for {
		addr := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		if network == "udp" {
			if c, err := net.ListenPacket("udp", addr); err == nil {
				c.Close()
				return addr
			}
			continue
		}
		if ln, err := net.Listen("tcp", addr); err == nil {
			ln.Close()
			return addr
		}
	}
}
