// Command nethttp runs an ordinary net/http server whose connections are sessions: each can be seen with
// "switchboard ls --data DIR", kicked, and played back.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/switchboard-relay/switchboard"
)

func main() {
	data := flag.String("data", "./nethttp-data", "data folder")
	listen := flag.String("listen", "127.0.0.1:8090", "address of the web server")
	api := flag.String("api", "127.0.0.1:8091", "address of Switchboard's REST")
	flag.Parse()
	if err := run(*data, *listen, *api); err != nil {
		log.Fatal(err)
	}
}

func run(data, listen, api string) error {
	sb, err := switchboard.New(switchboard.Config{Data: data, HTTP: switchboard.HTTPConfig{Listen: api}})
	if err != nil {
		return err
	}
	defer sb.Close()
	ln, err := sb.Listen("tcp", listen, "web", switchboard.ListenOptions{})
	if err != nil {
		return err
	}
	answer := func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "You asked for %s.\n", r.URL.Path) }
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(answer)}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, func() { srv.Close() })
	fmt.Printf("http://%s/ is recorded; see it with: switchboard ls --data %s\n", ln.Addr(), data)
	if err := srv.Serve(ln); err != http.ErrServerClosed {
		return err
	}
	return nil
}
