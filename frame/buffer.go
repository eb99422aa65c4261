package frame

import "sync"

// buffer holds the bytes of a message that is not complete. Its memory is that of a size of which there are pools, or more.
type buffer struct {
	b []byte
}

// bufferSizes are those of the pools. A device that dribbles holds little.
var bufferSizes = [...]int{128, 512, 2 << 10, 8 << 10, 32 << 10, 128 << 10}

var buffers [len(bufferSizes)]sync.Pool

// takeBuffer is a buffer with room for n bytes.
func takeBuffer(n int) *buffer {
	for i, size := range bufferSizes {
		if n <= size {
			if b, found := buffers[i].Get().(*buffer); found {
				return b
			}
			return &buffer{make([]byte, 0, size)}
		}
	}
	return &buffer{make([]byte, 0, n)}
}

// free gives the memory back.
func (b *buffer) free() {
	for i, size := range bufferSizes {
		if cap(b.b) == size {
			b.b = b.b[:0]
			buffers[i].Put(b)
			return // it is somebody else's now
		}
	}
}

// with is the buffer, or another in its place, with p behind its bytes.
func (b *buffer) with(p []byte) *buffer {
	if n := len(b.b) + len(p); n > cap(b.b) {
		larger := takeBuffer(max(n, cap(b.b)+cap(b.b)/2))
		larger.b = append(larger.b, b.b...)
		b.free()
		b = larger
	}
	b.b = append(b.b, p...)
	return b
}
