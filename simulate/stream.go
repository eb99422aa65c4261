package simulate

import (
	"fmt"
	"time"
)

// Stream is what one device of a protocol says to a server that does not answer: its registration, then so many messages of
// a size. It serves to try out those who read such.
func Stream(protocol string, count, size int) ([]byte, error) {
	k, ok := kinds[protocol]
	if !ok {
		return nil, fmt.Errorf("protocol %q: there is none", protocol)
	}
	name, err := namer(k, "", 0, 1)
	if err != nil {
		return nil, err
	}
	v := &voice{name: name(0)}
	b := k.register(nil, v)
	at := time.UnixMicro(1_700_000_000_000_000)
	for n := range count {
		b = k.message(b, v, uint64(n+1), at.Add(time.Duration(n)*time.Second), size)
	}
	return b, nil
}
