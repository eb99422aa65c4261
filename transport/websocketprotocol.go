package transport

import (
	"net/http"
	"strings"
)

// OffersProtocol reports whether a WebSocket handshake offers a subprotocol (RFC 6455, section 11.3.4).
func OffersProtocol(r *http.Request, protocol string) bool {
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for offered := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(offered) == protocol {
				return true
			}
		}
	}
	return false
}
