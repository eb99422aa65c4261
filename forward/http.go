package forward

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/device"
)

// webhook is a URL to which messages are posted: an array of JSON, or each by itself where a template says what.
type webhook struct {
	conf   Config
	form   form
	header http.Header
	client *http.Client
}

const (
	mostAnswer = 64 << 10  // of an answer is read, bytes
	toldAnswer = 200       // and told in an error
	mostRetry  = time.Hour // that a target may ask to wait for
	dialLimit  = 10 * time.Second
)

func openHTTP(c Config) (target, error) {
	fm, err := c.form(device.Base64)
	if err != nil {
		return nil, err
	}
	h := &webhook{conf: c, form: fm, header: http.Header{"Content-Type": {"application/json"}, "User-Agent": {"switchboard"}}}
	if fm.template != nil {
		h.header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	for name, value := range c.Headers {
		text, err := secret(value)
		if err != nil {
			return nil, fmt.Errorf("headers.%s: %w", name, err)
		}
		h.header.Set(name, text)
	}
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: dialLimit}).DialContext,
		MaxIdleConnsPerHost: c.Parallel, MaxConnsPerHost: c.Parallel, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: dialLimit,
		ForceAttemptHTTP2: true, DisableCompression: true}
	if c.CA != "" {
		pool, err := loadCA(c.CA)
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	h.client = &http.Client{Transport: t, CheckRedirect: stay}
	return h, nil
}

// stay follows a redirect that keeps the host, the method and the body.
func stay(req *http.Request, via []*http.Request) error {
	if first := via[0]; len(via) > 5 || req.URL.Host != first.URL.Host || req.URL.Scheme != first.URL.Scheme || req.Method != first.Method {
		return http.ErrUseLastResponse
	}
	return nil
}

func (h *webhook) add(b *batch, m *message) {
	if h.form.template == nil && b.count > 0 {
		b.data = append(b.data, ',')
	} else if h.form.template == nil {
		b.data = append(b.data, '[')
	}
	b.data = h.form.appendTo(b.data, m)
	b.ends = append(b.ends, len(b.data))
}

func (h *webhook) deliver(ctx context.Context, b *batch) error {
	if h.form.template != nil {
		return h.each(ctx, b, 0, 0, nil)
	}
	err := h.post(ctx, append(b.data, ']'))
	var refused refusedError
	if !errors.As(err, &refused) {
		return err
	}
	return h.each(ctx, b, 1, 1, refused)
}

// each posts each message of a batch by itself. Before the first stand open bytes, between two of them between.
func (h *webhook) each(ctx context.Context, b *batch, open, between int, whole error) error {
	from := open
	for _, end := range b.ends {
		body := b.data[from:end]
		if open > 0 {
			body = fmt.Appendf(nil, "[%s]", body)
		}
		from = end + between
		err := whole
		if whole == nil || len(b.ends) > 1 {
			err = h.post(ctx, body)
		}
		var refused refusedError
		switch {
		case err == nil:
		case !errors.As(err, &refused) || h.conf.OnRefused == "stop":
			return err
		default:
			b.refused++
			b.why = err
		}
	}
	return nil
}

func (h *webhook) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.conf.To, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, values := range h.header {
		req.Header[name] = values
	}
	if host := h.header.Get("Host"); host != "" {
		req.Host = host
	}
	resp, err := h.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the URL may hold what is nobody's business
		}
		return untrusted(err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, mostAnswer)) // so that the connection can be used again
	return judge(resp, answer)
}

// judge says what an answer means: 2xx is taken, 4xx refused, unless it asks for another attempt.
func judge(resp *http.Response, answer []byte) error {
	code := resp.StatusCode
	if code >= 200 && code < 300 {
		return nil
	}
	text := "it answers " + resp.Status
	if code >= 300 && code < 400 {
		text += ", to " + resp.Header.Get("Location") + ": redirects to other hosts are not followed"
	}
	if said := strings.TrimSpace(toText(answer[:min(len(answer), toldAnswer)])); said != "" {
		text += ": " + said
	}
	err := errors.New(text)
	switch {
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code < 400, code >= 500:
		return retryAfter{err, parseRetryAfter(resp.Header.Get("Retry-After"), time.Now())}
	}
	return refusedError{err}
}

// parseRetryAfter reads the header: seconds, or a date. RFC 9110, section 10.2.3.
func parseRetryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return min(time.Duration(n)*time.Second, mostRetry)
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(0, min(at.Sub(now), mostRetry))
	}
	return 0
}

func (h *webhook) single() bool { return false }
func (h *webhook) close()       { h.client.CloseIdleConnections() }
