package transport

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const defaultKeepAlive = 15 * time.Second

// setKeepAlive sets the probes of every connection that the listening socket will accept: after the given silence, then
// five more at intervals of 5 s. With deadAfter they come so often that a peer is given up by then: the system looks at
// TCP_USER_TIMEOUT when it sends a probe, so the time that it is told is one interval less.
func setKeepAlive(c syscall.RawConn, silence, deadAfter time.Duration) error {
	if silence == 0 {
		silence = defaultKeepAlive
	}
	seconds := max(1, int(silence.Seconds()))
	interval := min(seconds, 5)
	if left := int(deadAfter.Seconds()) - seconds; deadAfter > 0 {
		interval = max(1, min(interval, left/2))
	}
	var err error
	if e := c.Control(func(fd uintptr) {
		set := func(level, name, value int) {
			if err == nil {
				err = unix.SetsockoptInt(int(fd), level, name, value)
			}
		}
		set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		set(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds)
		set(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, interval)
		set(unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 5)
		if deadAfter > 0 {
			given := deadAfter - time.Duration(interval)*time.Second
			set(unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(max(given, time.Second).Milliseconds()))
		}
	}); e != nil {
		return e
	}
	return err
}
