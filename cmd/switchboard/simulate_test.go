package main

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/simulate"
	"github.com/switchboard-relay/switchboard/transport"
)

func TestSimulateCountsWhatItsDevicesSaid(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	took := make(chan uint64, 100)
	serveConns(t, ln, func(_ int, c net.Conn) {
		var n uint64
		buf := make([]byte, 4096)
		for {
			m, err := c.Read(buf)
			n += uint64(m)
			if err != nil {
				took <- n
				return
			}
		}
	})
	p := start(t, "simulate", "tcp://"+ln.Addr().String(), "--devices", "5", "--rate", "20", "--lasts", "1m", "--json")
	var last struct {
		simulate.Counts
		Over bool
	}
	take := func(line string) {
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
	for last.Registered < 5 || last.Messages == 0 {
		take(p.out.next())
	}
	p.stop()
	for line := range strings.Lines(p.out.rest()) {
		take(line)
	}
	if code := p.exit(); code != exitOK {
		t.Errorf("exit code: got %d, want %d; %s", code, exitOK, p.err.rest())
	}
	var sent uint64
	for range 5 {
		sent += <-took
	}
	if !last.Over || last.Sent != sent || last.Registered != 5 || last.Messages == 0 || last.Online != 0 {
		t.Errorf("got %+v; want 5 registered, and the %d bytes that came", last, sent)
	}
}

func TestSimulateAndReplayCheckTheCertificateUnlessTold(t *testing.T) {
	s := open(t)
	id := string(s.spoken("one\r\n"))
	target, certFile := securedEcho(t)
	for _, flags := range [][]string{{"--insecure"}, {"--ca", certFile}} {
		code, got := s.replay(append([]string{id, target, "--fast"}, flags...)...)
		if code != exitOK || !got.Same || got.Sent != 5 {
			t.Errorf("replay %q: exit code %d, %+v", flags, code, got)
		}
		p := start(t, append([]string{"simulate", target, "--devices", "3", "--rate", "20", "--lasts", "1m", "--json"}, flags...)...)
		var now simulate.Counts
		for now.Registered < 3 || now.Received == 0 {
			if err := json.Unmarshal([]byte(p.out.next()), &now); err != nil {
				t.Fatalf("simulate %q: %v", flags, err)
			}
		}
		p.stop()
		if code := p.exit(); code != exitOK {
			t.Errorf("simulate %q: exit code %d, %q", flags, code, p.err.rest())
		}
	}
	if code, out, said := runOnce(t, "simulate", target, "--insecure", "--devices", "1", "--lasts", "100ms"); code != exitOK || !strings.Contains(out, "over after") {
		t.Errorf("a run that ends by itself: exit code %d, %q, %q", code, out, said)
	}
	for _, args := range [][]string{s.with("replay", id, target, "--fast"), {"simulate", target, "--devices", "3", "--lasts", "30s"}} {
		if code, out, said := runOnce(t, args...); code != exitFailed || !strings.Contains(said, "authority is not known: add --ca FILE, or --insecure") {
			t.Errorf("%q: exit code %d, %q, %q; want that the certificate is not trusted", args, code, out, said)
		}
	}
}

// securedEcho greets as the echo service does, and sends back what it is sent, over TLS.
func securedEcho(t *testing.T) (target, certFile string) {
	t.Helper()
	certFile, keyFile := certificate(t)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	ln := tls.NewListener(listen(t, "tcp", "127.0.0.1:0"), &tls.Config{Certificates: []tls.Certificate{pair}})
	serveConns(t, ln, func(_ int, c net.Conn) {
		io.WriteString(c, "Hello\n")
		io.Copy(c, c)
	})
	return "tls://" + ln.Addr().String(), certFile
}

func TestSimulateEndsWithCtrlCAndPrintsAllCounts(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	serveConns(t, ln, echoAll)
	p := start(t, "simulate", "tcp://"+ln.Addr().String(), "--devices", "3", "--lasts", "0s", "--protocol", "line")
	p.out.until("online 3 of 3")
	p.stop()
	rest := p.out.rest()
	for _, want := range []string{"over after", "registered                              3", "ended by the server                     0"} {
		if !strings.Contains(rest, want) {
			t.Errorf("got %q, want %q in it", rest, want)
		}
	}
	if code := p.exit(); code != exitOK {
		t.Errorf("exit code: got %d, want %d", code, exitOK)
	}
}

func TestSimulateSaysWhatIsWrong(t *testing.T) {
	address, _ := deafPort(t)
	files := "open files"
	if limit := transport.FileLimit(); limit == 0 || limit > 300_000 {
		files = "nothing listens there"
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"tcp://" + address}, exitFailed, "nothing listens there"},
		{[]string{"unix:///tmp/x"}, exitUsage, "devices connect to tcp://"},
		{[]string{"tcp://127.0.0.1:1", "--protocol", "x"}, exitUsage, "must be one of"},
		{[]string{"tcp://127.0.0.1:1", "--from", "here"}, exitUsage, "127.1.0.0/24"},
		{[]string{"tcp://127.0.0.1:1", "--devices", "300000"}, exitFailed, files},
		{[]string{"tcp://127.0.0.1:1", "--insecure"}, exitUsage, "tls://"},
	} {
		p := start(t, append([]string{"simulate"}, c.args...)...)
		if code := p.exit(); code != c.code {
			t.Errorf("%q: exit code %d, want %d", c.args, code, c.code)
		}
		if got := p.err.rest(); !strings.Contains(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.args, got, c.want)
		}
	}
}

func TestAddressesToConnectFromAreListedOrNetworks(t *testing.T) {
	list, err := parseFrom("127.0.0.2, 127.1.0.0/24")
	if err != nil || len(list) != 255 || list[0].String() != "127.0.0.2" || list[1].String() != "127.1.0.1" || list[254].String() != "127.1.0.254" {
		t.Errorf("got %d addresses, %v; want 255 from 127.0.0.2 to 127.1.0.254", len(list), err)
	}
	if list, err := parseFrom("127.0.0.0/8"); err != nil || len(list) != 4096 {
		t.Errorf("a large network: got %d addresses, %v; want 4096", len(list), err)
	}
}
