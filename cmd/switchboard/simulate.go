package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/simulate"
	"github.com/switchboard-relay/switchboard/transport"
)

// SimulateCmd is a fleet of devices that are not there.
type SimulateCmd struct {
	Devices  int    `default:"100" placeholder:"N" help:"How many devices (${default} unless told)."`
	Protocol string `default:"etung" placeholder:"NAME" help:"How they talk: etung, gt06, gps103, h02, jt808, line, raw, teltonika or tk103 (${default} unless told)."`

	Rate      float64       `default:"1" placeholder:"N" help:"Messages a second of each device, as in 0.1 (${default} unless told)."`
	Size      int           `default:"64" placeholder:"BYTES" help:"Of a message, at least (${default} unless told); some protocols need more."`
	Heartbeat time.Duration `placeholder:"TIME" help:"How often each device says that it is there (never unless told)."`
	Lasts     time.Duration `default:"60s" placeholder:"TIME" help:"How long, from the first connection on (${default} unless told); 0s: until Ctrl-C."`

	ConnectRate float64 `default:"200" placeholder:"N" help:"Connections a second (${default} unless told); 0: as fast as it goes."`
	From        string  `placeholder:"ADDRESSES" help:"Addresses to connect from, in turn: 127.0.0.2,127.0.0.3 or 127.1.0.0/24."`
	NamePrefix  string  `placeholder:"TEXT" help:"What the devices' names begin with; a number follows."`
	First       int     `placeholder:"N" help:"Number of the first device's name (0 unless told)."`
	Reply       string  `placeholder:"TEXT" help:"What the server answers to a registration of etung, raw or line; it is waited for."`
	Commands    bool    `help:"Answer commands: by echo, or as the protocol has it."`

	Reconnects float64 `placeholder:"SHARE" help:"Share of the devices that end their connection in a minute, and make another: 0.1."`
	Duplicates float64 `placeholder:"SHARE" help:"Share that connects a second time under its name in a minute, and leaves the first connection open."`
	Floods     float64 `placeholder:"SHARE" help:"Share that sends 1,000 messages at once in a minute."`
	BlackHoles float64 `placeholder:"SHARE" help:"Share that stops reading and answering in a minute, for 20 s; then it connects again."`
	Vanish     float64 `placeholder:"SHARE" help:"Share that is gone without a word in a minute, and comes again: tcp and tls, on Linux, as root."`
	Drip       float64 `placeholder:"SHARE" help:"Share that sends byte by byte, all the time."`
	Seed       uint64  `placeholder:"N" help:"Of what is left to chance (0 unless told)."`

	Insecure bool   `help:"For tls: do not check the server's certificate."`
	CA       string `name:"ca" type:"path" placeholder:"FILE" help:"For tls: the authorities to trust (PEM)."`
	Cert     string `type:"path" placeholder:"FILE" and:"simulatepair" help:"For tls: show this certificate (PEM)."`
	Key      string `type:"path" placeholder:"FILE" and:"simulatepair" help:"For tls: its private key (PEM)."`

	JSON   bool   `help:"Print counts as JSON, a line each second; the last has \"over\": true."`
	Target string `arg:"" name:"target" help:"tcp://HOST:PORT, tls://HOST:PORT or udp://HOST:PORT."`
}

// Run simulates until the time is over, or Ctrl-C.
func (c *SimulateCmd) Run(ctx context.Context, std *stdio) error {
	config, err := c.config()
	if err != nil {
		return err
	}
	fleet, err := simulate.New(config)
	if err != nil {
		return usageError{err}
	}
	if need, limit := fleet.Files(), transport.FileLimit(); limit > 0 && need > limit {
		return fmt.Errorf("%d devices need %d open files, and this process may have %d: ulimit -n %d", c.Devices, need, limit, need)
	}
	ended := make(chan error, 1)
	go func() { ended <- fleet.Run(ctx) }() // ends with ctx, or its time; it is waited for
	out := bufio.NewWriter(std.out)
	defer out.Flush()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.tell(out, fleet.Counts(), false)
			out.Flush()
		case err := <-ended:
			if err == nil || fleet.Counts().Connects > 0 {
				c.tell(out, fleet.Counts(), true)
			}
			if unknown := (x509.UnknownAuthorityError{}); errors.As(err, &unknown) {
				return fmt.Errorf("%s: the certificate's authority is not known: add --ca FILE, or --insecure", c.Target)
			}
			return err
		}
	}
}

func (c *SimulateCmd) config() (simulate.Config, error) {
	address, err := transport.ParseAddress(c.Target)
	if err != nil {
		return simulate.Config{}, usageError{err}
	}
	if !slices.Contains([]string{"tcp", "tls", "udp"}, address.Transport) {
		return simulate.Config{}, badUsage("%s: devices connect to tcp://, tls:// or udp://HOST:PORT", c.Target)
	}
	from, err := parseFrom(c.From)
	if err != nil {
		return simulate.Config{}, usageError{err}
	}
	secure := ConnectCmd{Insecure: c.Insecure, CA: c.CA, Cert: c.Cert, Key: c.Key}
	tls, err := secure.tlsConfig(address)
	return simulate.Config{Network: address.Transport, Address: address.Host, TLS: tls, Protocol: c.Protocol, Devices: c.Devices,
		NamePrefix: c.NamePrefix, First: c.First, Reply: c.Reply, Rate: c.Rate, Size: c.Size, Heartbeat: c.Heartbeat, Commands: c.Commands,
		From: from, ConnectRate: c.ConnectRate, Lasts: c.Lasts, Reconnects: c.Reconnects, Duplicates: c.Duplicates, Floods: c.Floods,
		BlackHoles: c.BlackHoles, Vanish: c.Vanish, Drip: c.Drip, Seed: c.Seed}, err
}

// parseFrom reads addresses and networks, separated by commas.
func parseFrom(s string) ([]netip.Addr, error) {
	const most = 4096 // addresses
	var list []netip.Addr
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if ip, err := netip.ParseAddr(part); err == nil {
			list = append(list, ip)
			continue
		}
		network, err := netip.ParsePrefix(part)
		if err != nil {
			return nil, fmt.Errorf("--from %q: must be addresses or networks, as 127.0.0.2 or 127.1.0.0/24", part)
		}
		network = network.Masked()
		for ip := network.Addr().Next(); network.Contains(ip.Next()) && len(list) < most; ip = ip.Next() {
			list = append(list, ip)
		}
	}
	return list, nil
}

// tell prints counts: a line each second, and all of them at the end.
func (c *SimulateCmd) tell(out *bufio.Writer, n simulate.Counts, over bool) {
	if c.JSON {
		line, err := json.Marshal(struct {
			simulate.Counts
			Over bool `json:"over"`
		}{n, over})
		if err == nil {
			out.Write(append(line, '\n'))
		}
		return
	}
	if !over {
		fmt.Fprintf(out, "%4.0f s  online %d of %d, connections %d; said %d messages, sent %d bytes; %d replies; ended %d; failed %d\n",
			n.Seconds, n.Online, n.Devices, n.Connected, n.Messages, n.Sent, n.Replies, sum(n.Ended), sum(n.Failed))
		return
	}
	fmt.Fprintf(out, "\nover after %.1f s\n", n.Seconds)
	row := func(name string, v uint64, more string) {
		fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("%-28s %12d  %s", name, v, more), " "))
	}
	row("connections made", n.Connects, "")
	row("connections that failed", sum(n.Failed), reasons(n.Failed))
	row("registered", n.Registered, "")
	row("rejected", n.Rejected, "")
	row("ended by the server", sum(n.Ended), reasons(n.Ended))
	row("messages", n.Messages, "")
	row("messages left out", n.Behind, "")
	row("heartbeats", n.Heartbeats, "")
	row("bytes sent", n.Sent, "")
	row("replies", n.Replies, "")
	row("commands, answered", n.Commands, fmt.Sprint(n.Answers))
	row("bytes received", n.Received, "")
	row("reconnects", n.Reconnects, "")
	row("second connections", n.Duplicates, "")
	row("floods", n.Floods, "")
	row("black holes", n.BlackHoles, "")
	row("vanished", n.Vanished, "")
}

func sum(counts map[string]uint64) (n uint64) {
	for _, v := range counts {
		n += v
	}
	return n
}

// reasons lists what is counted by a word, the most frequent first.
func reasons(counts map[string]uint64) string {
	words := make([]string, 0, len(counts))
	for word := range counts {
		words = append(words, word)
	}
	slices.SortFunc(words, func(a, b string) int {
		if counts[a] != counts[b] {
			return int(counts[b]) - int(counts[a])
		}
		return strings.Compare(a, b)
	})
	for i, word := range words {
		words[i] = fmt.Sprintf("%s %d", word, counts[word])
	}
	return strings.Join(words, ", ")
}
