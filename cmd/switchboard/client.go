package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// serverFlags say which server a command talks to. Flags win over the environment, and a server over a data folder.
type serverFlags struct {
	Data   string `type:"path" placeholder:"DIR" help:"Data folder of a server on this machine ($SWITCHBOARD_DATA)."`
	Server string `placeholder:"URL" help:"A server's REST address ($SWITCHBOARD_SERVER)."`
	Token  token  `placeholder:"TOKEN" help:"The token to show it ($SWITCHBOARD_TOKEN)."`
}

// token is a flag's value that may begin with a hyphen, as one in 64 tokens does.
type token string

// Decode takes the next argument, whatever it looks like.
func (t *token) Decode(ctx *kong.DecodeContext) error {
	next := ctx.Scan.Pop()
	if next.IsEOL() {
		return errors.New("needs a value")
	}
	*t = token(next.String())
	return nil
}

// dataFolder is the folder of --data, or the one that a server takes by default.
func dataFolder(flag string) string { return cmp.Or(flag, switchboard.DefaultData()) }

// client talks to a server's REST interface.
type client struct {
	base  string // URL, without a slash at the end
	token string
	data  string // the folder in which the server was found; empty with --server
	http  *http.Client
}

// requestTimeout limits what is answered at once; streams take as long as they take.
const requestTimeout = 30 * time.Second

// find looks up the server's address and token. It does not connect yet.
func (f serverFlags) find() (*client, error) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext,
		ExpectContinueTimeout: 5 * time.Second}
	c := &client{http: &http.Client{Transport: transport}}
	server, token := f.Server, string(f.Token)
	if server == "" && f.Data == "" {
		server = os.Getenv("SWITCHBOARD_SERVER")
	}
	if token == "" && f.Data == "" {
		token = os.Getenv("SWITCHBOARD_TOKEN")
	}
	if server != "" {
		return c, c.findRemote(server, token, f.Data)
	}
	dir := dataFolder(f.Data)
	c.data = dir
	file := filepath.Join(dir, "server.json")
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("no server runs on the data folder %s: start one with \"switchboard serve --data %s\", "+
			"or name another with --data DIR or --server URL", dir, dir)
	case err != nil:
		return nil, fmt.Errorf("find the server: %w", err)
	}
	var found struct {
		URL string `json:"url"`
	}
	if err := json.Unmarshal(text, &found); err != nil || found.URL == "" {
		return nil, fmt.Errorf("%s does not name a server: restart the server, which writes it anew", file)
	}
	c.base = strings.TrimRight(found.URL, "/")
	if isLoopback(c.base) {
		// The file says who listens there; the certificate is for the name that others use.
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	}
	c.token = token
	if token == "" {
		c.token, err = readToken(dir)
	}
	return c, err
}

func isLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return ip != nil && ip.IsLoopback()
}

func (c *client) findRemote(server, token, data string) (err error) {
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return badUsage("--server %s: must be an address like http://127.0.0.1:8081", server)
	}
	c.base = strings.TrimRight(server, "/")
	c.token = token
	if token == "" && data != "" {
		c.token, err = readToken(data)
		return err
	}
	if token == "" {
		return badUsage("a server named by its address needs a token: add --token TOKEN or set SWITCHBOARD_TOKEN")
	}
	return nil
}

func readToken(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "token"))
	if err != nil {
		return "", fmt.Errorf("no token for the server: %w: give one with --token, or run as the server's user", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// apiError is what the server answered instead of the thing asked for.
type apiError struct {
	Status  int
	Message string
	Answer  threeend.Answer // of a source's session that cannot be seen, or kicked
}

func (e *apiError) Error() string {
	if e.Answer.Code != 0 {
		return fmt.Sprintf("%s (code %d): %s", e.Answer.Message, e.Answer.Code, e.Message)
	}
	return e.Message
}

// call asks for one answer and decodes its JSON into answer, which may be nil. A body is JSON.
func (c *client) call(ctx context.Context, method, path string, query url.Values, body []byte, answer any) error {
	kind := ""
	if body != nil {
		kind = kindJSON
	}
	return c.ask(ctx, method, path, query, kind, body, answer)
}

// What a body is.
const (
	kindJSON  = "application/json"
	kindBytes = "application/octet-stream"
)

// post is call with a body of any kind.
func (c *client) post(ctx context.Context, path, kind string, body []byte, answer any) error {
	return c.ask(ctx, http.MethodPost, path, nil, kind, body, answer)
}

func (c *client) ask(ctx context.Context, method, path string, query url.Values, kind string, body []byte,
	answer any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, requestTimeout,
		fmt.Errorf("the server at %s did not answer within %v: is it overloaded?", c.base, requestTimeout))
	defer cancel()
	r, err := c.open(ctx, method, path, query, kind, body)
	if err != nil {
		return err
	}
	defer r.Close()
	if answer == nil {
		_, err = io.Copy(io.Discard, r)
	} else {
		err = json.NewDecoder(r).Decode(answer)
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s is not a Switchboard server, or the connection to it broke: %w", c.base, err)
	}
	return nil
}

// open asks for an answer of any length. The caller closes it.
func (c *client) open(ctx context.Context, method, path string, query url.Values, kind string,
	body []byte) (io.ReadCloser, error) {
	address := c.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	return c.do(req)
}

// do asks, and returns the answer's body if it is a success.
func (c *client) do(req *http.Request) (io.ReadCloser, error) {
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(req.Context(), err)
	}
	if resp.StatusCode/100 == 2 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	return nil, c.refusal(resp)
}

// refusal turns an answer that is not a success into an error that says what to do.
func (c *client) refusal(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var said struct {
		Error string `json:"error"`
		threeend.Answer
	}
	if json.Unmarshal(text, &said) != nil || said.Error == "" {
		said.Error = fmt.Sprintf("%s answered %s: is it a Switchboard server?", c.base, resp.Status)
	}
	if resp.StatusCode == http.StatusUnauthorized {
		said.Error = fmt.Sprintf("the server at %s does not know this token: give the right one with --token or "+
			"SWITCHBOARD_TOKEN", c.base)
		if c.data != "" {
			said.Error = fmt.Sprintf("the server at %s does not know the token in %s: was the folder used by another "+
				"server since? restart the server, or give a token with --token",
				c.base, filepath.Join(c.data, "token"))
		}
	}
	return &apiError{resp.StatusCode, said.Error, said.Answer}
}

// explain turns an error of reaching the server into one that says what to do.
func (c *client) explain(ctx context.Context, err error) error {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, syscall.ECONNREFUSED) && c.data != "":
		return fmt.Errorf("no server answers at %s, which %s names: it was probably killed; start it with "+
			"\"switchboard serve --data %s\"", c.base, filepath.Join(c.data, "server.json"), c.data)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no server answers at %s: check the address, or start the server there", c.base)
	case errors.As(err, &dns):
		return fmt.Errorf("the host of %s is not known: check the address", c.base)
	case errors.As(err, &cert):
		return fmt.Errorf("the certificate of %s is not trusted: %w", c.base, cert.Err)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("the server at %s cannot be reached: %w", c.base, err)
}

func sessionPath(id string) string { return "/api/v1/sessions/" + url.PathEscape(id) }

// session asks for the one session whose id begins with prefix.
func (c *client) session(ctx context.Context, prefix string) (s session.Summary, err error) {
	if prefix == "" {
		return s, badUsage(`an empty id names no session: "switchboard ls" lists the ids`)
	}
	if isRef(prefix) {
		return s, refused(prefix)
	}
	err = c.call(ctx, http.MethodGet, sessionPath(prefix), nil, nil, &s)
	return s, err
}
