package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed all:console
var consoleFolder embed.FS

// embedded is the console that is built into the program.
var embedded = sync.OnceValue(func() *console {
	folder, err := fs.Sub(consoleFolder, "console")
	if err != nil {
		panic("web: " + err.Error()) // only of a malformed name
	}
	return readConsole(folder)
})

// pages are where the console's page is: it looks at its address itself.
var pages = []string{"/{$}", "/recordings", "/sessions/{id}", "/wall", "/rooms", "/rooms/{name}", "/devices",
	"/devices/{fleet}/{name}", "/forwards", "/sources", "/listeners", "/server"}

// ServesConsole reports whether a path is one of the console's, or below one: nobody else is to be served there.
func ServesConsole(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "", "assets", "favicon.svg":
		return true
	}
	for _, p := range pages {
		if page, _, _ := strings.Cut(p[1:], "/"); page == first {
			return true
		}
	}
	return false
}

// handleConsole has the page and its files served.
func (s *server) handleConsole(mux *http.ServeMux) {
	for _, p := range pages {
		mux.HandleFunc("GET "+p, embedded().page)
	}
	for _, p := range []string{"/assets/", "/favicon.svg"} {
		mux.HandleFunc("GET "+p, embedded().file)
	}
}

// console is the files of the console.
type console struct {
	files map[string]*file // by their path in the folder
	build string           // a hash of all of them
}

type file struct {
	name string
	kind string // its Content-Type
	etag string // without quotes
	body []byte
	gzip func() []byte // made once, when it is first asked for; nil if nothing is won
}

// readConsole takes the files of a folder. It panics if the folder cannot be read, since it is part of the program.
func readConsole(folder fs.FS) *console {
	c := &console{files: map[string]*file{}}
	all := sha256.New()
	err := fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error { // in the order of names
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(folder, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		fmt.Fprintf(all, "%s %x\n", name, sum)
		f := &file{name: name, kind: contentType(name), etag: hex.EncodeToString(sum[:8]), body: body}
		f.gzip = sync.OnceValue(f.compress)
		c.files[name] = f
		return nil
	})
	if err != nil {
		panic("web: the console: " + err.Error())
	}
	c.build = hex.EncodeToString(all.Sum(nil)[:6])
	return c
}

// contentTypes are those of the files that a build has. What the machine thinks of a file's ending does not matter.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml", ".json": "application/json", ".txt": "text/plain; charset=utf-8", ".wasm": "application/wasm",
	".woff2": "font/woff2", ".png": "image/png", ".webp": "image/webp",
}

func contentType(name string) string {
	if t := contentTypes[path.Ext(name)]; t != "" {
		return t
	}
	return "application/octet-stream"
}

// compress is the file in gzip, nil if that is hardly shorter.
func (f *file) compress() []byte {
	switch path.Ext(f.name) {
	case ".woff2", ".png", ".webp":
		return nil // compressed as they are
	}
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // which is a level
	w.Write(f.body)
	w.Close()
	if b.Len() > len(f.body)*9/10 {
		return nil
	}
	return b.Bytes()
}

// page serves the page.
func (c *console) page(w http.ResponseWriter, r *http.Request) { c.serve(w, r, "index.html") }

// file serves the file that the path names.
func (c *console) file(w http.ResponseWriter, r *http.Request) {
	c.serve(w, r, strings.TrimPrefix(r.URL.Path, "/"))
}

func (c *console) serve(w http.ResponseWriter, r *http.Request, name string) {
	f := c.files[name]
	if f == nil {
		nothing(w, r)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-cache") // ask each time whether it is still the same
	if strings.HasPrefix(name, "assets/") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable") // another file has another name
	}
	setPolicies(h, r.Host)
	f.serve(w, r)
}

// setPolicies says what the page may do. They are on scripts as well, since workers go by those of theirs.
func setPolicies(h http.Header, host string) {
	connect := "connect-src 'self'"
	if strings.Trim(host, hostCharacters) == "" {
		connect += " ws://" + host + " wss://" + host // older browsers do not count them as 'self'
	}
	h.Set("Content-Security-Policy", strings.Join([]string{"default-src 'none'", "script-src 'self'",
		"style-src 'self' 'unsafe-inline'", // the terminal writes style elements
		"img-src 'self' data: blob:", "font-src 'self' data:", connect, "worker-src 'self' blob:",
		"base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"}, "; "))
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

// hostCharacters are those of a host that can stand in a policy; a semicolon would begin another one.
const hostCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]"

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	body, etag := f.body, f.etag
	if zipped := f.gzip(); zipped != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			h.Set("Content-Encoding", "gzip")
			h.Set("Content-Length", strconv.Itoa(len(zipped))) // ServeContent leaves it out of what is encoded
			body, etag = zipped, etag+"-gzip"
		}
	}
	h.Set("ETag", `"`+etag+`"`)
	http.ServeContent(w, r, f.name, time.Time{}, bytes.NewReader(body))
}

// acceptsGzip goes by RFC 9110, section 12.5.3.
func acceptsGzip(r *http.Request) bool {
	accepted := false
	for _, list := range r.Header.Values("Accept-Encoding") {
		for item := range strings.SplitSeq(list, ",") {
			coding, params, _ := strings.Cut(strings.TrimSpace(item), ";")
			_, weight, weighed := strings.Cut(params, "=")
			q, err := strconv.ParseFloat(strings.TrimSpace(weight), 64)
			ok := !weighed || err == nil && q > 0
			switch coding = strings.TrimSpace(coding); {
			case strings.EqualFold(coding, "gzip"):
				return ok
			case coding == "*":
				accepted = ok
			}
		}
	}
	return accepted
}

// build is a hash of the console's files: a page that was loaded from others is an old one.
func (s *server) build() string { return embedded().build }
