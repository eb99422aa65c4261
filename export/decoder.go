package export

import "unicode/utf8"

// Decoder cuts a stream of bytes where UTF-8 characters end. Its zero value is ready.
type Decoder struct {
	held [utf8.UTFMax]byte
	n    int
	join []byte
}

// Take returns what of the data, behind what was held back, is whole, and whether something is held back now: the
// beginning of a character whose rest has not come. What it returns is valid until the next call.
func (d *Decoder) Take(data []byte) (whole []byte, held bool) {
	if d.n > 0 {
		d.join = append(append(d.join[:0], d.held[:d.n]...), data...)
		data = d.join
	}
	rest := unfinished(data)
	whole = data[:len(data)-rest]
	d.n = copy(d.held[:], data[len(whole):])
	return whole, rest > 0
}

// Release returns what is held back, when nothing will end it.
func (d *Decoder) Release() []byte {
	n := d.n
	d.n = 0
	return d.held[:n]
}

// unfinished is how many bytes at the end of b begin a character without ending it.
func unfinished(b []byte) int {
	for n := 1; n <= min(utf8.UTFMax-1, len(b)); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
