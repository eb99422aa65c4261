package transport

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const defaultKeepAlive = 15 * time.Second

// setKeepAlive sets the probes of every connection that the listening socket will accept: after the given silence, then
// five more at intervals of 5 s.
func setKeepAlive(c syscall.RawConn, silence time.Duration) error {
	if silence == 0 {
		silence = defaultKeepAlive
	}
	seconds := max(1, int(silence.Seconds()))
	var err error
	if e := c.Control(func(fd uintptr) {
		set := func(level, name, value int) {
			if err == nil {
				err = unix.SetsockoptInt(int(fd), level, name, value)
			}
		}
		set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		set(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds)
		set(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, min(seconds, 5))
		set(unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 5)
	}); e != nil {
		return e
	}
	return err
}
