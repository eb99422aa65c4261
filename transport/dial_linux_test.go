package transport

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAnUpstreamThatVanishesIsFoundOut(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conn, err := Dial(t.Context(), Address{Transport: "tcp", Host: ln.Addr().String()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.(*socket).raw.Control(func(fd uintptr) {
		for _, o := range []struct{ level, name, want int }{
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1}, {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15},
			{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 5}, {unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 5},
		} {
			if got, err := unix.GetsockoptInt(int(fd), o.level, o.name); err != nil || got != o.want {
				t.Errorf("option %d: got %d, %v, want %d", o.name, got, err, o.want)
			}
		}
	})
}
