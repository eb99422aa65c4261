package find

import "encoding/binary"

// lower copies src to dst, which is as long, with the capitals of ASCII in lower case: eight bytes at a time.
func lower(dst, src []byte) {
	const (
		ones  = 0x0101010101010101
		highs = 0x80 * ones
	)
	i := 0
	for ; i+8 <= len(src) && i+8 <= len(dst); i += 8 {
		w := binary.LittleEndian.Uint64(src[i:])
		low := w &^ highs
		fromA := low + (0x80-'A')*ones // the high bit of each byte that is A or more
		overZ := low + (0x7f-'Z')*ones
		capital := fromA &^ overZ &^ w & highs
		binary.LittleEndian.PutUint64(dst[i:], w|capital>>2)
	}
	for ; i < len(src); i++ {
		c := src[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst[i] = c
	}
}
