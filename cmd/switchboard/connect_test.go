package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serveConns hands each connection of a listener to handle, and closes it after.
func serveConns(t *testing.T, ln net.Listener, handle func(n int, c net.Conn)) {
	t.Cleanup(func() { ln.Close() })
	go func() { // ends with the listener
		for n := 1; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				handle(n, c)
			}()
		}
	}()
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// deafPort is a port that stays taken though nothing listens there: whoever connects is refused. Begin has it listen.
func deafPort(t *testing.T) (address string, begin func() net.Listener) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "port")
	t.Cleanup(func() { f.Close() })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", at.(*syscall.SockaddrInet4).Port), func() net.Listener {
		t.Helper()
		if err := syscall.Listen(fd, 16); err != nil {
			t.Fatal(err)
		}
		ln, err := net.FileListener(f)
		if err != nil {
			t.Fatal(err)
		}
		return ln
	}
}

func echoAll(_ int, c net.Conn) {
	io.Copy(c, c)
}

func TestConnectInAPipeSendsItsInputPrintsTheRestAndExits(t *testing.T) {
	for _, where := range []string{"tcp", "unix"} {
		t.Run(where, func(t *testing.T) {
			address := "127.0.0.1:0"
			if where == "unix" {
				address = filepath.Join(t.TempDir(), "s")
			}
			ln := listen(t, where, address)
			serveConns(t, ln, func(_ int, c net.Conn) {
				fmt.Fprintf(c, "Hello\n")
				all, err := io.ReadAll(c) // until the half-close
				fmt.Fprintf(c, "%d bytes, %v\n", len(all), err)
			})
			p := start(t, "connect", where+"://"+ln.Addr().String())
			if got := p.out.next(); got != "Hello\n" {
				t.Errorf("greeting: got %q", got)
			}
			input := strings.Repeat("0123456789abcdef\n", 100_000) + "no newline"
			io.WriteString(p.in, input)
			p.in.Close()
			if got, want := p.out.rest(), fmt.Sprintf("%d bytes, <nil>\n", len(input)); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if code := p.exit(); code != exitOK {
				t.Errorf("exit code: got %d, want %d", code, exitOK)
			}
			if got := p.err.rest(); got != "" {
				t.Errorf("in a pipe nothing is said, got %q", got)
			}
		})
	}
}

func TestConnectDoesNotStallWhenBothSidesSendALot(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	serveConns(t, ln, echoAll)
	p := start(t, "connect", "tcp://"+ln.Addr().String())
	input := strings.Repeat(strings.Repeat("x", 1023)+"\n", 8000)
	go func() {
		io.WriteString(p.in, input)
		p.in.Close()
	}()
	if got := p.out.rest(); got != input {
		t.Errorf("got %d bytes back, want %d", len(got), len(input))
	}
}

func TestConnectDialsAgainAfterOneSecondForAsLongAsItRuns(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	serveConns(t, ln, func(n int, c net.Conn) {
		fmt.Fprintf(c, "connection %d\n", n)
		if n < 3 {
			return
		}
		io.Copy(c, c)
	})
	p := start(t, "connect", "tcp://"+ln.Addr().String())
	began := time.Now()
	for n := 1; n <= 3; n++ {
		if got, want := p.out.next(), fmt.Sprintf("connection %d\n", n); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if n < 3 {
			if got, want := p.err.next(), "switchboard: the connection ended: dialling again in 1s\n"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
	if took := time.Since(began); took < 1900*time.Millisecond || took > 30*time.Second {
		t.Errorf("two pauses of 1 s took %v", took)
	}
	io.WriteString(p.in, "typed\n")
	if got := p.out.next(); got != "typed\n" {
		t.Errorf("after two breaks: got %q, want the echo", got)
	}
	p.stop()
	if code := p.exit(); code != exitOK {
		t.Errorf("Ctrl-C: got exit code %d, want %d", code, exitOK)
	}
}

func TestConnectWaitsForAServerThatIsNotThereYet(t *testing.T) {
	address, begin := deafPort(t)
	p := start(t, "connect", "tcp://"+address)
	want := "switchboard: tcp://" + address + ": nothing listens there: dialling again in 1s\n"
	if got := p.err.next(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	serveConns(t, begin(), func(_ int, c net.Conn) { fmt.Fprintln(c, "here"); io.Copy(c, c) })
	if got := p.out.next(); got != "here\n" {
		t.Errorf("got %q", got)
	}
}

func TestConnectOnceExitsAtTheEndAndSaysHowItWas(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	serveConns(t, ln, func(int, net.Conn) {})
	p := start(t, "connect", "--once", "tcp://"+ln.Addr().String())
	if code := p.exit(); code != exitOK {
		t.Errorf("an ordinary end: got exit code %d, want %d", code, exitOK)
	}
	address, _ := deafPort(t)
	p = start(t, "connect", "--once", "tcp://"+address)
	if code := p.exit(); code != exitFailed {
		t.Errorf("nobody listens: got exit code %d, want %d", code, exitFailed)
	}
	if got := p.err.rest(); !strings.Contains(got, "nothing listens there") {
		t.Errorf("got %q", got)
	}
}

func TestConnectNamesEachThingThatHappens(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	serveConns(t, ln, func(_ int, c net.Conn) { io.WriteString(c, "Hello\n") })
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	p := start(t, "connect", "-v", "--once", "tcp://localhost:"+port)
	p.exit()
	var names []string
	for line := range strings.Lines(p.err.rest()) {
		names = append(names, strings.Fields(line)[1])
	}
	if got, want := strings.Join(names, " "), "lookup connect data end close"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	silent := listen(t, "tcp", "127.0.0.1:0")
	serveConns(t, silent, func(_ int, c net.Conn) { io.Copy(io.Discard, c) })
	p = start(t, "connect", "-v", "--once", "--timeout", "1s", "tcp://"+silent.Addr().String())
	if code := p.exit(); code != exitFailed {
		t.Errorf("a timeout: got exit code %d, want %d", code, exitFailed)
	}
	expectMatch(t, p.err.rest(), `(?s)lookup.*connect.*timeout.*close.*nothing came or went for 1s`)
	broken := listen(t, "tcp", "127.0.0.1:0")
	serveConns(t, broken, func(_ int, c net.Conn) {
		c.Read(make([]byte, 1))
		c.(*net.TCPConn).SetLinger(0)
	})
	p = start(t, "connect", "-v", "--once", "tcp://"+broken.Addr().String())
	io.WriteString(p.in, "break\n")
	p.exit()
	expectMatch(t, p.err.rest(), `(?s)connect.*error.*connection reset by peer.*close`)
}

func expectMatch(t *testing.T, got, want string) {
	t.Helper()
	if !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("got %q, want %s", got, want)
	}
}

func TestConnectSendsRandomHexStrings(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	serveConns(t, ln, echoAll)
	p := start(t, "connect", "--every", "10ms", "--random", "--eol", "lf", "tcp://"+ln.Addr().String())
	seen := map[string]bool{}
	for range 5 {
		line := p.out.next()
		if !regexp.MustCompile(`^[0-9a-f]{32}\n$`).MatchString(line) || seen[line] {
			t.Errorf("got %q, want 32 hex digits that were not there before", line)
		}
		seen[line] = true
	}
}

func TestConnectEndsTypedLinesAsTold(t *testing.T) {
	wants := map[string]string{"as-typed": "a\nb\r\nc", "lf": "a\nb\nc", "crlf": "a\r\nb\r\nc", "none": "abc"}
	for eol, want := range wants {
		ln := listen(t, "tcp", "127.0.0.1:0")
		serveConns(t, ln, echoAll)
		p := start(t, "connect", "--eol", eol, "tcp://"+ln.Addr().String())
		io.WriteString(p.in, "a\nb\r\nc")
		p.in.Close()
		if got := p.out.rest(); got != want {
			t.Errorf("--eol %s: got %q, want %q", eol, got, want)
		}
	}
}

func TestConnectSendsALineAsADatagram(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() { // ends with the socket
		buf := make([]byte, 64<<10)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			pc.WriteTo(fmt.Appendf(nil, "%d:%s\n", n, buf[:n]), from)
		}
	}()
	p := start(t, "connect", "--eol", "none", "udp://"+pc.LocalAddr().String())
	io.WriteString(p.in, "one\n\nthree\n")
	p.in.Close()
	if got, want := p.out.rest(), "3:one\n0:\n5:three\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if code := p.exit(); code != exitOK {
		t.Errorf("got exit code %d, want %d", code, exitOK)
	}
}

func TestConnectChecksTheCertificateUnlessTold(t *testing.T) {
	certFile, keyFile := certificate(t)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	plain := listen(t, "tcp", "127.0.0.1:0")
	ln := tls.NewListener(plain, &tls.Config{Certificates: []tls.Certificate{pair}})
	serveConns(t, ln, func(_ int, c net.Conn) {
		all, _ := io.ReadAll(c)
		fmt.Fprintf(c, "%s back\n", all)
	})
	url := "tls://" + ln.Addr().String()
	for _, flags := range [][]string{{"--insecure"}, {"--ca", certFile},
		{"--ca", certFile, "--cert", certFile, "--key", keyFile}} {
		p := start(t, append([]string{"connect", url}, flags...)...)
		io.WriteString(p.in, "there and")
		p.in.Close()
		if got := p.out.rest(); got != "there and back\n" {
			t.Errorf("%v: got %q", flags, got)
		}
	}
	p := start(t, "connect", "--once", url)
	code, said := p.exit(), p.err.rest()
	if code != exitFailed || !strings.Contains(said, "add --ca FILE, or --insecure") {
		t.Errorf("no flags: got exit code %d, %q", code, said)
	}
	p = start(t, "connect", "--once", "--insecure", "tcp://"+plain.Addr().String())
	code, said = p.exit(), p.err.rest()
	if code != exitUsage || !strings.Contains(said, "are for tls://") {
		t.Errorf("tls flags without tls: got exit code %d, %q", code, said)
	}
}

// certificate writes a self-signed certificate for 127.0.0.1 and its key.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true,
		BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", private)
}
