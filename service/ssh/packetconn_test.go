package ssh

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// pair is a connection, and its far end.
func pair(t *testing.T) (*packetConn, net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	near, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return newPacketConn(near), far
}

func TestWhatFillsTheLibrarysBufferIsSentWithoutItsRest(t *testing.T) {
	near, far := pair(t)
	want := bytes.Repeat([]byte("x"), libraryBuffer)
	for range 3 {
		if _, err := near.Write(want); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("got %d bytes, %v; want what was written", len(got), err)
		}
	}
}

func TestPiecesOfAllSizesKeepTheirOrder(t *testing.T) {
	near, far := pair(t)
	const total = 4 << 20
	data := make([]byte, total)
	rand.NewChaCha8([32]byte{1}).Read(data)
	sizes := []int{1, 5, 28, libraryBuffer - 1, libraryBuffer, libraryBuffer, libraryBuffer + 1, 28 << 10, 32 << 10, 300 << 10}
	write := func(to io.Writer, seed uint64) error {
		dice := rand.New(rand.NewPCG(seed, 1))
		for p := data; len(p) > 0; {
			n := min(len(p), sizes[dice.IntN(len(sizes))])
			if k, err := to.Write(p[:n]); err != nil || k != n {
				return errors.Join(err, io.ErrShortWrite)
			}
			p = p[n:]
		}
		return nil
	}
	failed := make(chan error, 2)
	go func() { failed <- write(near, 1) }()
	go func() { failed <- write(far, 2) }()
	for _, from := range []io.Reader{far, near} {
		dice := rand.New(rand.NewPCG(3, 1))
		got := make([]byte, 0, total)
		for len(got) < total {
			n, err := from.Read(got[len(got):min(total, len(got)+sizes[dice.IntN(len(sizes))])])
			if err != nil {
				t.Fatalf("after %d bytes: %v", len(got), err)
			}
			got = got[:len(got)+n]
		}
		if !bytes.Equal(got, data) {
			t.Fatal("what came differs from what was sent")
		}
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
}

// greeting is what a client says first: its version, and a proposal.
func greeting(versionLine string, ciphers []string) []byte {
	payload := ssh.Marshal(struct {
		Cookie                   [16]byte `sshtype:"20"`
		Kex, HostKeys, To, From  []string
		MACsTo, MACsFrom         []string
		CompressTo, CompressFrom []string
		LanguagesTo, Languages   []string
		Follows                  bool
		Reserved                 uint32
	}{Kex: []string{"curve25519-sha256"}, To: ciphers, From: ciphers})
	packet := append([]byte{0, 0, byte((len(payload) + 5) >> 8), byte(len(payload) + 5), 4}, payload...)
	return append([]byte(versionLine), append(packet, 0, 0, 0, 0)...)
}

// heard is a connection on which that is said, and no more.
func heard(said []byte) *packetConn {
	return &packetConn{Conn: mute{}, in: bufio.NewReaderSize(bytes.NewReader(said), libraryBuffer)}
}

type mute struct{ net.Conn }

func (mute) Write(p []byte) (int, error)       { return len(p), nil }
func (mute) SetReadDeadline(_ time.Time) error { return nil }

func TestOpenSSHIsOfferedWhatIsFast(t *testing.T) {
	all := ciphers()
	if all == nil {
		t.Skip("this processor has no instructions for AES-GCM")
	}
	usual := []string{"chacha20-poly1305@openssh.com", ssh.CipherAES128CTR, ssh.CipherAES128GCM, ssh.CipherAES256GCM}
	for name, c := range map[string]struct {
		said []byte
		want []string
	}{
		"OpenSSH":                           {greeting("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", usual), fastCiphers},
		"OpenSSH with one of them":          {greeting("SSH-2.0-OpenSSH_9.2p1\n", usual[:3]), fastCiphers[:1]},
		"OpenSSH that is told another":      {greeting("SSH-2.0-OpenSSH_9.2p1\r\n", usual[:2]), all},
		"another client, which may wait":    {[]byte("SSH-2.0-PuTTY_Release_0.81\r\n"), all},
		"a proposal that is none":           {append([]byte("SSH-2.0-OpenSSH_9.2p1\r\n"), 0, 0, 0, 12, 4, 21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), all},
		"a proposal that is much too large": {append([]byte("SSH-2.0-OpenSSH_9.2p1\r\n"), 0xff, 0xff, 0xff, 0xff, 4, 20), all},
	} {
		got, err := ciphersFor(heard(c.said), time.Minute)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, c.want)
		}
	}
}

func FuzzCiphersFor(f *testing.F) {
	f.Add(greeting("SSH-2.0-OpenSSH_9.2p1\r\n", fastCiphers))
	f.Add([]byte("SSH-2.0-OpenSSH_9.2p1\r\n\x00\x00\x00\x02\x01\x14"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add(bytes.Repeat([]byte("x"), 2*maxLine))
	f.Fuzz(func(t *testing.T, said []byte) {
		c := heard(said)
		offered, err := ciphersFor(c, time.Minute)
		if err == nil && ciphers() != nil && len(offered) == 0 {
			t.Fatal("nothing is offered")
		}
		for rest := said; ; {
			p := make([]byte, 100)
			n, err := c.in.Read(p)
			if !bytes.HasPrefix(rest, p[:n]) {
				t.Fatal("what was looked at is not read behind")
			}
			if rest = rest[n:]; err != nil {
				if len(rest) > 0 {
					t.Fatalf("%d bytes were lost", len(rest))
				}
				return
			}
		}
	})
}
