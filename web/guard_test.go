package web_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestPathsAndMethodsThatThereAreNotAreErrorsInJSON(t *testing.T) {
	h := open(t)
	id := h.call(h.listen("a")).id
	for _, path := range []string{"/api", "/api/v2/sessions", "/api/v1/sessions/", sessionPath(id, "/kik"),
		"/favicon.ico", "/index.html", "/sessions", "/rooms/a/b", "/assets/", "/assets/none.js"} {
		h.refused("ada", "GET", path, "", http.StatusNotFound, "/api/v1/")
	}
	for _, call := range [][3]string{{"DELETE", "/api/v1/sessions", "GET"}, {"GET", sessionPath(id, "/kick"), "POST"},
		{"POST", sessionPath(id, "/pin"), "PUT, DELETE"}, {"PATCH", sessionPath(id, ""), "GET, DELETE"}, {"POST", "/metrics",
			"GET"},
		{"PUT", "/healthz", "GET"}, {"POST", "/", "GET"}, {"DELETE", "/rooms/chat", "GET"}, {"GET", "/api/v1/login", "POST"}} {
		h.refused("ada", call[0], call[1], "", http.StatusMethodNotAllowed, call[2])
	}
	resp := h.request(t.Context(), "ada", "POST", "/api/v1/server", "")
	resp.Body.Close()
	if got := resp.Header.Get("Allow"); got != "GET" {
		t.Errorf("Allow: %q; want GET", got)
	}
}

func TestAForeignNameDoesNotLeadToALoopbackServer(t *testing.T) {
	h := open(t)
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(h.base, "http://"))
	for host, want := range map[string]int{"evil.example:" + port: 403, "evil.example": 403, "127.0.0.1.evil.example": 403,
		"localhost":         200,
		"localhost:" + port: 200, "127.0.0.1:" + port: 200, "[::1]:" + port: 200, "10.1.2.3": 200} {
		req, err := http.NewRequest("GET", h.base+"/api/v1/sessions", nil)
		check(t, err)
		req.Host = host
		req.Header.Set("Authorization", "bearer vera")
		resp, err := http.DefaultClient.Do(req)
		check(t, err)
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want || want == 403 && !strings.Contains(string(body), "localhost") {
			t.Errorf("host %s: %d %s; want %d", host, resp.StatusCode, body, want)
		}
	}
}

func TestNoAnswerCanBeUsedByAForeignPage(t *testing.T) {
	h := open(t)
	for _, path := range []string{"/healthz", "/api/v1/sessions", "/nothing"} {
		resp := h.request(t.Context(), "vera", "GET", path, "")
		resp.Body.Close()
		for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
			"Content-Security-Policy": "default-src 'none'", "Access-Control-Allow-Origin": ""} {
			if got := resp.Header.Get(header); !strings.Contains(got, want) || want == "" && got != "" {
				t.Errorf("%s: %s is %q; want %q", path, header, got, want)
			}
		}
	}
}

func TestARequestHasLimits(t *testing.T) {
	h := open(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.base, "http://"))
	check(t, err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: %s\r\n\r\n", strings.Repeat("x", 64<<10))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	check(t, err)
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 64 KiB: %s", resp.Status)
	}
}
