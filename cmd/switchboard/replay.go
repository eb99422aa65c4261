package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// ReplayCmd says to a server what a recording's far end said, and compares what it answers.
type ReplayCmd struct {
	serverFlags
	Speed    float64       `default:"1" placeholder:"N" help:"How much faster than it was: 2 is twice as fast, 0.5 half."`
	Fast     bool          `help:"Not in its own time: each piece goes once what was answered before it has come."`
	MaxWait  time.Duration `placeholder:"TIME" help:"Cut silences to this length."`
	Timeout  time.Duration `default:"10s" placeholder:"TIME" help:"How long a silence is waited through for an answer (${default})."`
	JSON     bool          `name:"json" help:"Print what came of it as JSON."`
	Insecure bool          `help:"For tls: do not check the server's certificate."`
	CA       string        `name:"ca" type:"path" placeholder:"FILE" help:"For tls: the authorities to trust (PEM)."`
	Cert     string        `type:"path" placeholder:"FILE" and:"pair" help:"For tls: show this certificate (PEM)."`
	Key      string        `type:"path" placeholder:"FILE" and:"pair" help:"For tls: its private key (PEM)."`
	ID       string        `arg:"" help:"The session's id, or the first characters of it."`
	Target   string        `arg:"" name:"target" help:"tcp://HOST:PORT, tls://HOST:PORT, udp://HOST:PORT or unix:///PATH."`
}

// hexa is bytes, as hex digits in JSON.
type hexa []byte

func (h hexa) MarshalJSON() ([]byte, error) { return json.Marshal(hex.EncodeToString(h)) }

// replayed is what came of a replay.
type replayed struct {
	Session  session.ID  `json:"session"`
	Target   string      `json:"target"`
	Same     bool        `json:"same"`
	Sent     uint64      `json:"sent_bytes"`     // to the target
	Pieces   uint64      `json:"sent_pieces"`    // in so many writes, or datagrams
	Expected uint64      `json:"expected_bytes"` // that the recording has as answers
	Answered uint64      `json:"answered_bytes"`
	Compared uint64      `json:"compared_bytes"` // that are alike
	Took     float64     `json:"seconds"`
	Differs  *difference `json:"difference,omitempty"`
	Gap      bool        `json:"gap,omitempty"`   // on record, from which on nothing was compared
	Broken   string      `json:"error,omitempty"` // why not everything was sent
}

// Run replays. Its exit code says whether the answers were the same.
func (c *ReplayCmd) Run(ctx context.Context, std *stdio) error {
	switch {
	case c.Speed < minSpeed || c.Speed > maxSpeed:
		return badUsage("--speed %v: must be from %v to %v", c.Speed, minSpeed, maxSpeed)
	case c.Fast && c.Speed != 1:
		return badUsage("--fast waits for answers alone: leave --speed out")
	case c.MaxWait < 0 || c.Timeout <= 0:
		return badUsage("--max-wait must not be negative, and --timeout must be more than nothing")
	}
	address, err := transport.ParseAddress(c.Target)
	if err != nil {
		return usageError{err}
	}
	to := &ConnectCmd{Insecure: c.Insecure, CA: c.CA, Cert: c.Cert, Key: c.Key}
	config, err := to.tlsConfig(address)
	if err != nil {
		return err
	}
	server, err := c.find()
	if err != nil {
		return err
	}
	sum, err := server.session(ctx, c.ID)
	if err != nil {
		return err
	}
	if err := replayable(&sum); err != nil {
		return err
	}
	conn, err := (&line{ConnectCmd: to, address: address, tls: config}).dial(ctx)
	if err != nil {
		return err
	}
	r := newReplay(c, conn, address.Transport == "udp" && sum.Datagrams())
	got, err := r.run(ctx, reel{client: server, sum: sum}, sum.Start)
	if err != nil {
		return err
	}
	got.Session, got.Target = sum.ID, address.String()
	if err := c.tell(std.out, &got); err != nil {
		return err
	}
	if !got.Same {
		return &exitError{code: exitFailed}
	}
	return nil
}

func replayable(sum *session.Summary) error {
	switch {
	case sum.State == session.Live:
		return fmt.Errorf("%s is live: replay it once it has ended", sum.ID)
	case sum.Transport == "room":
		return fmt.Errorf("%s is a room's recording, which has no far end: replay a member's session", sum.ID)
	case sum.Record == session.RecordOff:
		return fmt.Errorf("%s was not recorded", sum.ID)
	case sum.ReceivedEvents+sum.SentEvents == 0:
		return fmt.Errorf("nothing passed in %s: there is nothing to replay", sum.ID)
	}
	return nil
}

// tell prints what came of it.
func (c *ReplayCmd) tell(w io.Writer, r *replayed) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(r)
	}
	_, err := fmt.Fprintf(w, "%s to %s: %d bytes sent in %d pieces, %d answered, in %.3fs\n", r.Session.Short(), r.Target, r.Sent, r.Pieces, r.Answered, r.Took)
	if err == nil && r.Broken != "" {
		_, err = fmt.Fprintf(w, "not everything could be sent: %s\n", printable(r.Broken))
	}
	if err == nil && r.Gap {
		_, err = fmt.Fprintf(w, "the recording has a gap behind %d bytes of answers: what follows was not compared\n", r.Compared)
	}
	d := r.Differs
	switch {
	case err != nil:
		return err
	case d == nil && r.Broken == "":
		_, err = fmt.Fprintf(w, "the answers are those on record: %d bytes\n", r.Compared)
		return err
	case d == nil:
		return nil
	}
	where := ""
	if d.Datagram > 0 {
		where = fmt.Sprintf(", in datagram %d", d.Datagram)
	}
	_, err = fmt.Fprintf(w, "the answers differ at byte %d of %d on record%s:\n  on record  %s\n  answered   %s\n", d.Offset, r.Expected, where,
		d.line(d.Expected), d.line(d.Answered))
	return err
}

// line shows what was alike and then one side's bytes.
func (d *difference) line(side hexa) string {
	text := fmt.Sprintf("% x", []byte(d.Before))
	if text != "" {
		text += " "
	}
	if len(side) == 0 {
		return text + "| nothing more"
	}
	return text + "| " + fmt.Sprintf("% x", []byte(side))
}
