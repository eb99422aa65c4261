// Command classic shows a room that spans transports: it serves a page whose visitors are members by Socket.IO, and is
// itself a member over TCP. What it hears it prints; what is typed here, the page shows. It needs
// "switchboard serve --config examples/classic.yaml" beside it, and "npm ci" in its folder, which brings the client library.
package main

import (
	"bufio"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

//go:embed index.html page.css page.js
var page embed.FS

func main() {
	listen := flag.String("listen", "127.0.0.1:8082", "address of the page")
	room := flag.String("room", "127.0.0.1:8801", "address of the room's TCP line")
	client := flag.String("client", "examples/classic/node_modules/socket.io-client/dist/socket.io.min.js", "the client library")
	flag.Parse()
	if err := run(*listen, *room, *client, os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(listen, room, client string, in io.Reader, out io.Writer) error {
	conn, err := net.DialTimeout("tcp", room, 5*time.Second)
	if err != nil {
		return fmt.Errorf("the room's TCP line: %w (is switchboard serve --config examples/classic.yaml running?)", err)
	}
	defer conn.Close()
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	defer ln.Close()
	fmt.Fprintf(out, "The page is at http://%s/; what you type here goes to everybody in the room.\n", ln.Addr())
	failed := make(chan error, 2)
	go func() { failed <- http.Serve(ln, handler(client)) }()
	go func() { failed <- hear(conn, out) }()
	go io.Copy(conn, in) // ends with the program
	return <-failed
}

// handler serves the page and the client library.
func handler(client string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServerFS(page))
	mux.HandleFunc("GET /socket.io.min.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, client) })
	return mux
}

// hear prints what the room says.
func hear(conn net.Conn, out io.Writer) error {
	lines := bufio.NewScanner(conn)
	lines.Split(pieces)
	for lines.Scan() {
		fmt.Fprintf(out, "%s  %s\n", time.Now().Format(time.TimeOnly), printable(lines.Text()))
	}
	return errors.Join(errors.New("the room ended the TCP line"), lines.Err())
}

// longest is how much of a line is printed as one, in bytes.
const longest = 16 << 10

// pieces is bufio.ScanLines that cuts a line which is too long, between characters.
func pieces(data []byte, atEOF bool) (advance int, token []byte, err error) {
	advance, token, err = bufio.ScanLines(data, atEOF)
	if n := longest; len(token) > n || token == nil && len(data) > n {
		for i := range utf8.UTFMax {
			if utf8.RuneStart(data[n-i]) {
				return n - i, data[:n-i], nil
			}
		}
		return n, data[:n], nil
	}
	return advance, token, err
}

// printable makes what a visitor said harmless to a terminal: control characters become visible.
func printable(s string) string {
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
