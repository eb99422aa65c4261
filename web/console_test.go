package web_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/switchboard-relay/switchboard/web"
)

// ask makes a request as it is: the client takes nothing apart. Headers are pairs of name and value.
func ask(t *testing.T, method, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	check(t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	client := http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	check(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	check(t, err)
	return resp, string(b)
}

func TestThePageIsAtEachOfItsPaths(t *testing.T) {
	h := open(t)
	page, err := os.ReadFile("console/index.html")
	check(t, err)
	for _, path := range []string{"/", "/?x=1", "/recordings", "/sessions/4tq9m2xk7bfd-n1", "/wall", "/rooms", "/rooms/a%2Fb",
		"/devices", "/devices/hall/86%2F01", "/forwards", "/sources", "/listeners", "/server"} {
		resp, body := ask(t, "GET", h.base+path)
		if resp.StatusCode != 200 || body != string(page) || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" ||
			resp.Header.Get("Cache-Control") != "no-cache" || resp.Header.Get("ETag") == "" {
			t.Errorf("%s: %d %v %.100q", path, resp.StatusCode, resp.Header, body)
		}
		resp, body = ask(t, "GET", h.base+path, "If-None-Match", resp.Header.Get("ETag"))
		if resp.StatusCode != 304 || body != "" {
			t.Errorf("%s, which is known: %d %.100q; want 304", path, resp.StatusCode, body)
		}
		resp, body = ask(t, "HEAD", h.base+path)
		if resp.StatusCode != 200 || body != "" || resp.ContentLength != int64(len(page)) {
			t.Errorf("HEAD %s: %d, %d bytes; want 200, %d", path, resp.StatusCode, resp.ContentLength, len(page))
		}
	}
}

func TestEveryFileThatThePageNamesIsThere(t *testing.T) {
	h := open(t)
	page, err := os.ReadFile("console/index.html")
	check(t, err)
	for _, m := range regexp.MustCompile(`(?:src|href)="(/[^"]*)"`).FindAllStringSubmatch(string(page), -1) {
		if resp, _ := ask(t, "GET", h.base+m[1]); resp.StatusCode != 200 {
			t.Errorf("%s: %d", m[1], resp.StatusCode)
		}
	}
}

func TestThePageMayDoOnlyWhatItNeeds(t *testing.T) {
	h := open(t)
	host := strings.TrimPrefix(h.base, "http://")
	resp, _ := ask(t, "GET", h.base+"/")
	policy := strings.Split(resp.Header.Get("Content-Security-Policy"), "; ")
	want := []string{"default-src 'none'", "script-src 'self'", "style-src 'self' 'unsafe-inline'", "img-src 'self' data: blob:",
		"font-src 'self' data:", "connect-src 'self' ws://" + host + " wss://" + host, "worker-src 'self' blob:",
		"base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"}
	if strings.Join(policy, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q; want %q", policy, want)
	}
	for header, want := range map[string]string{"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"} {
		if got := resp.Header.Get(header); got != want {
			t.Errorf("%s: %q; want %q", header, got, want)
		}
	}
	if got := resp.Header.Get("Permissions-Policy"); !strings.Contains(got, "camera=()") {
		t.Errorf("Permissions-Policy: %q", got)
	}
}

func TestAHostCannotWriteIntoThePolicy(t *testing.T) {
	h, _ := web.ConsoleOf(build)
	for host, want := range map[string]bool{"switchboard.example.org:8081": true, "[::1]:8081": true,
		"x;script-src": false, "x script-src": false} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/favicon.svg", nil)
		r.Host = host
		h.ServeHTTP(w, r)
		if got := w.Header().Get("Content-Security-Policy"); strings.Contains(got, "ws://"+host) != want {
			t.Errorf("host %q: %s", host, got)
		}
	}
}

// build is a folder of files such as a build makes.
var build = fstest.MapFS{
	"index.html":         {Data: []byte("<title>page</title>")},
	"favicon.svg":        {Data: []byte("<svg/>")},
	"assets/a-1f.js":     {Data: []byte(strings.Repeat("let a = 1\n", 1000))},
	"assets/a-1f.css":    {Data: []byte(strings.Repeat("a { color: red }\n", 1000))},
	"assets/a-1f.woff2":  {Data: []byte(strings.Repeat("font", 1000))},
	"assets/small-1f.js": {Data: []byte("1")},
}

func serveBuild(t *testing.T) (url string) {
	t.Helper()
	h, _ := web.ConsoleOf(build)
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func TestAFileIsKeptForAYearAndItsTypeIsKnown(t *testing.T) {
	url := serveBuild(t)
	for path, kind := range map[string]string{"/assets/a-1f.js": "text/javascript; charset=utf-8",
		"/assets/a-1f.css": "text/css; charset=utf-8", "/assets/a-1f.woff2": "font/woff2", "/favicon.svg": "image/svg+xml"} {
		resp, body := ask(t, "GET", url+path)
		want := "public, max-age=31536000, immutable"
		if path == "/favicon.svg" {
			want = "no-cache" // its name stays
		}
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != kind || resp.Header.Get("Cache-Control") != want ||
			body != string(build[path[1:]].Data) {
			t.Errorf("%s: %d %v, %d bytes", path, resp.StatusCode, resp.Header, len(body))
		}
	}
}

func TestAFileIsSentInGzipToWhoTakesIt(t *testing.T) {
	url := serveBuild(t)
	const path = "/assets/a-1f.js"
	plain, _ := ask(t, "GET", url+path)
	for header, zipped := range map[string]bool{"gzip": true, "br, GZIP;q=0.5": true, "*": true, "gzip;q=0": false,
		"br": false, "identity, *;q=0": false, "*;q=1, gzip; q=0": false, "gzip;q=x": false, "": false} {
		resp, body := ask(t, "GET", url+path, "Accept-Encoding", header)
		if got := resp.Header.Get("Content-Encoding") == "gzip"; got != zipped || resp.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: in gzip %v, %v; want %v", header, got, resp.Header, zipped)
			continue
		}
		if resp.ContentLength != int64(len(body)) {
			t.Errorf("Accept-Encoding %q: Content-Length %d of %d bytes", header, resp.ContentLength, len(body))
		}
		if zipped {
			r, err := gzip.NewReader(strings.NewReader(body))
			check(t, err)
			all, err := io.ReadAll(r)
			check(t, err)
			if string(all) != string(build[path[1:]].Data) || len(body) > len(all)/10 {
				t.Errorf("Accept-Encoding %q: %d bytes, unpacked %d", header, len(body), len(all))
			}
		}
		if same := resp.Header.Get("ETag") == plain.Header.Get("ETag"); same == zipped {
			t.Errorf("Accept-Encoding %q: ETag %s; in the clear %s", header, resp.Header.Get("ETag"), plain.Header.Get("ETag"))
		}
		known := resp.Header.Get("ETag")
		resp, body = ask(t, "GET", url+path, "Accept-Encoding", header, "If-None-Match", `"x", W/`+known)
		if resp.StatusCode != 304 || body != "" || resp.Header.Get("ETag") != known {
			t.Errorf("Accept-Encoding %q, known: %d %v", header, resp.StatusCode, resp.Header)
		}
	}
	for _, path := range []string{"/assets/a-1f.woff2", "/assets/small-1f.js"} { // where nothing is won
		if resp, _ := ask(t, "GET", url+path, "Accept-Encoding", "gzip"); resp.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %v", path, resp.Header)
		}
	}
}

func TestTheBuildIsAnotherOneWhenAnyFileIs(t *testing.T) {
	_, before := web.ConsoleOf(build)
	if _, again := web.ConsoleOf(build); again != before || len(before) != 12 {
		t.Errorf("the same files: %q, then %q", before, again)
	}
	for name := range build {
		changed := fstest.MapFS{}
		for n, f := range build {
			changed[n] = f
		}
		changed[name] = &fstest.MapFile{Data: []byte("other")}
		if _, after := web.ConsoleOf(changed); after == before {
			t.Errorf("%s is another one, and the build is still %s", name, after)
		}
		changed[name+"x"] = build[name]
		delete(changed, name)
		if _, after := web.ConsoleOf(changed); after == before {
			t.Errorf("%s has another name, and the build is still %s", name, after)
		}
	}
}

func TestTheConsolesPathsAreItsOwn(t *testing.T) {
	for path, want := range map[string]bool{"/": true, "/recordings": true, "/sessions": true, "/sessions/x/y": true,
		"/wall": true, "/rooms": true, "/rooms/x": true, "/devices": true, "/devices/x/x": true, "/forwards": true, "/sources": true,
		"/listeners": true, "/server": true, "/assets": true,
		"/assets/x.js": true, "/favicon.svg": true,
		"/ws": false, "/socket.io": false, "/socket.io/x": false, "/serverx": false, "/x/rooms": false, "/api/v1": false} {
		if got := web.ServesConsole(path); got != want {
			t.Errorf("%s: %v; want %v", path, got, want)
		}
	}
}
