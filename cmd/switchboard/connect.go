package main

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/switchboard-relay/switchboard/transport"
)

// ConnectCmd is a client: typed lines or random strings go out, what arrives is printed, and a connection that breaks
// is made again.
type ConnectCmd struct {
	Every    time.Duration `placeholder:"TIME" help:"How often a random string is sent (2s unless told)."`
	Random   bool          `help:"Send a random hex string each time, instead of typed lines."`
	EOL      string        `name:"eol" enum:"as-typed,lf,crlf,none" default:"as-typed" help:"How lines end: ${enum}."`
	Verbose  bool          `short:"v" help:"Name each thing: lookup, connect, data, end, timeout, error, close."`
	Once     bool          `help:"Do not connect again when the connection ends."`
	Timeout  time.Duration `placeholder:"TIME" help:"End a silence; also the limit for dialling (10s unless told)."`
	Hex      bool          `xor:"show" help:"Show what arrives as a hex dump."`
	Raw      bool          `xor:"show" help:"Leave control characters unchanged on a terminal too."`
	Insecure bool          `help:"For tls: do not check the server's certificate."`
	CA       string        `name:"ca" type:"path" placeholder:"FILE" help:"For tls: the authorities to trust (PEM)."`
	Cert     string        `type:"path" placeholder:"FILE" and:"pair" help:"For tls: show this certificate (PEM)."`
	Key      string        `type:"path" placeholder:"FILE" and:"pair" help:"For tls: its private key (PEM)."`
	URL      string        `arg:"" name:"url" help:"tcp://HOST:PORT, tls://HOST:PORT, udp://HOST:PORT or unix:///PATH."`
}

const (
	dialTimeout   = 10 * time.Second
	randomEvery   = 2 * time.Second
	datagramQuiet = time.Second // how long answers to the last datagram of a pipe are waited for
)

// Run connects until the person, the end of the input or --once ends it.
func (c *ConnectCmd) Run(ctx context.Context, std *stdio) error {
	address, err := transport.ParseAddress(c.URL)
	if err != nil {
		return usageError{err}
	}
	switch {
	case c.Every < 0 || c.Timeout < 0:
		return badUsage("--every and --timeout must not be negative")
	case c.Every > 0 && !c.Random:
		return badUsage("--every says how often, but not what to send: add --random")
	}
	config, err := c.tlsConfig(address)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	l := &line{ConnectCmd: c, address: address, tls: config, screen: newScreen(std, c)}
	if c.Random {
		l.input = randomStrings(ctx, c.Every, c.EOL)
	} else {
		l.input = readLines(ctx, std.in, c.EOL)
	}
	return l.run(ctx)
}

// line is the client's end of a line: one connection after the other.
type line struct {
	*ConnectCmd
	address transport.Address
	tls     *tls.Config
	screen  *screen
	input   <-chan outgoing
	unsent  []byte // what the last connection did not take any more
	drained error  // why there is no more input; io.EOF at its end
}

// run connects again one second after each end.
func (l *line) run(ctx context.Context) error {
	for {
		err := l.connection(ctx)
		var output *outputError
		switch {
		case ctx.Err() != nil:
			return nil // Ctrl-C is how a client leaves
		case errors.As(err, &output):
			return output.error
		case l.Once, l.drained != nil && len(l.unsent) == 0:
			return err
		}
		if err == nil {
			l.screen.notice("the connection ended: dialling again in %v", redialEvery)
		} else {
			l.screen.notice("%v: dialling again in %v", err, redialEvery)
		}
		select {
		case <-time.After(redialEvery):
		case <-ctx.Done():
			return nil
		}
	}
}

// connection is one connection from the lookup to the close. A nil error means that it ended as it should.
func (l *line) connection(ctx context.Context) error {
	conn, err := l.dial(ctx)
	if err == nil {
		err = newExchange(l, conn).run(ctx)
	}
	var output *outputError
	switch {
	case ctx.Err() != nil || errors.As(err, &output):
	case errors.Is(err, errTimeout):
		l.happened("timeout", "")
	case err != nil:
		l.happened("error", err.Error())
	}
	l.happened("close", "")
	return err
}

// happened names a thing for -v.
func (l *line) happened(name, detail string) {
	if l.Verbose {
		l.screen.say("* %-8s %s", name, detail)
	}
}
