package forward

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"text/template"

	"github.com/switchboard-relay/switchboard/device"
)

// open makes the target of a forward. It connects to nothing yet.
func (f *Forwards) open(c Config) (target, error) {
	switch c.kind() {
	case "link":
		return f.openLink(c)
	case "http":
		return openHTTP(c)
	case "nats":
		return f.openNATS(c)
	case "tcp":
		return f.openTCP(c)
	case "room":
		return f.openRoom(c)
	}
	return nil, fmt.Errorf("%q is no target", c.To)
}

// form is how a message is written for a target that takes any.
type form struct {
	as       device.Encoding
	template *template.Template // nil: as
}

func (c *Config) form(usual device.Encoding) (form, error) {
	fm := form{as: c.Encoding}
	if fm.as == "" {
		fm.as = usual
	}
	if c.Template == "" {
		return fm, nil
	}
	var err error
	fm.template, err = parseTemplate(c.Template)
	return fm, err
}

// appendTo appends a message: an object of JSON, or what the template says.
func (fm *form) appendTo(b []byte, m *message) []byte {
	if fm.template != nil {
		return appendShaped(b, fm.template, m)
	}
	return appendObject(b, m, fm.as)
}

// link is the web server's link of a fleet.
type link struct {
	to   Link
	form form
	ids  bool
}

func (f *Forwards) openLink(c Config) (target, error) {
	fm, err := c.form(device.Buffer)
	if err != nil {
		return nil, err
	}
	var to Link
	if f.opt.Link != nil {
		to = f.opt.Link(c.Fleets[0])
	}
	if to == nil {
		return nil, fmt.Errorf("fleet %q has no web server: give its listener a web_server", c.Fleets[0])
	}
	return &link{to: to, form: fm, ids: c.IDs}, nil
}

func (l *link) add(b *batch, m *message) {
	if l.form.template != nil {
		b.data = append(appendShaped(b.data, l.form.template, m), '\n')
		return
	}
	b.data = appendLine(b.data, m, l.form.as, b.online, l.ids)
}

func (l *link) deliver(ctx context.Context, b *batch) error { return l.to.Deliver(ctx, b.data) }
func (l *link) wait(ctx context.Context) error              { return l.to.Wait(ctx) }
func (l *link) single() bool                                { return false }
func (l *link) close()                                      {}

// untrusted says what to do where the target's certificate is of an authority that is not known.
func untrusted(err error) error {
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return fmt.Errorf("the authority of its certificate is not known: set ca to a file that has it: %w", err)
	}
	return err
}

func loadCA(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New(file + " holds no certificate in PEM")
	}
	return pool, nil
}
