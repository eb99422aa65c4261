package recording

import (
	"sync"

	"github.com/klauspost/compress/zstd"
)

const zstdWindow = 256 << 10 // as much as a chunk can hold; keeps the coder's memory small

// decoder is shared: DecodeAll is safe for concurrent use. Its output is bounded, whatever a file claims.
var decoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(maxRaw))
	if err != nil {
		panic("recording: " + err.Error())
	}
	return d
})

func newEncoder(level zstd.EncoderLevel) *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
	if err != nil {
		panic("recording: " + err.Error())
	}
	return e
}
