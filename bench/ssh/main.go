//go:build linux

// Command ssh measures the bastion between OpenSSH's client and server beside the two without it: keystrokes, what a
// program writes, and files.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

var (
	only    = flag.String("only", "keys,output,files", "some of these")
	rounds  = flag.Int("rounds", 5, "rounds")
	mib     = flag.Int("mib", 1024, "MiB that a program writes in a round, and half as much for a file")
	ciphers = flag.String("ciphers", "", "what OpenSSH's client is told with -c; default: what it chooses by itself")
)

func main() {
	benchkit.Main(benchkit.Bench{
		Name:  "ssh",
		About: "the SSH bastion beside OpenSSH without one",
		Run:   run,
		Roles: map[string]benchkit.Role{bareRole: serveBare},
	})
}

// Ways to the target.
const (
	direct    = "direct"
	bastion   = "bastion, recording on"
	unwritten = "bastion, recording off"
	bare      = "bare proxy"
)

var ways = []string{direct, bastion, unwritten, bare}

// bench is one run: ways that lead from OpenSSH's client to the same server.
type bench struct {
	*benchkit.Run
	target *benchkit.SSHD
	server *benchkit.Server
	proxy  *benchkit.Child
	addrs  map[string]string // of each way
}

func run(r *benchkit.Run) error {
	b := &bench{Run: r, addrs: map[string]string{}}
	r.Progress("building")
	if err := b.prepare(); err != nil || b.target == nil {
		return err
	}
	scenes := map[string]func() error{"keys": b.keys, "output": b.output, "files": b.files}
	var loads []string
	for _, name := range strings.Split(*only, ",") {
		play := scenes[name]
		if play == nil {
			return fmt.Errorf("-only %s: there is no such part", name)
		}
		loads = append(loads, name+" "+load())
		if err := play(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	r.Note("The machine's load average when each part began: %s.", strings.Join(loads, ", "))
	return nil
}

// load is the machine's load average.
func load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	return strings.Fields(string(text) + " ?")[0]
}

func (b *bench) prepare() error {
	var err error
	if b.target, err = b.SSHD(); err != nil || b.target == nil {
		return err
	}
	if b.proxy, err = b.Spawn(bareRole); err != nil {
		return err
	}
	var at bareOrder
	if err := b.proxy.Call(bareOrder{Addr: b.target.Addr, User: b.target.User, Key: b.target.Key}, &at); err != nil {
		return err
	}
	b.addrs = map[string]string{direct: b.target.Addr, bastion: benchkit.FreeAddr("tcp"), unwritten: benchkit.FreeAddr("tcp"), bare: at.Addr}
	b.server, err = b.Server(benchkit.ServerOptions{Config: "listeners:\n" + b.target.Listener("on", b.addrs[bastion], "") +
		b.target.Listener("off", b.addrs[unwritten], "record: off")})
	return err
}

// command is one of OpenSSH's programs that goes a way.
func (b *bench) command(way, program string, args ...string) *exec.Cmd {
	var more []string
	if *ciphers != "" {
		more = []string{"Ciphers=" + *ciphers}
	}
	options := b.target.Options(b.addrs[way], more...)
	cmd := exec.CommandContext(b.Context, program, slices.Concat(options, args)...)
	cmd.Stderr = os.Stderr
	return cmd
}
