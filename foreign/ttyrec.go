package foreign

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"github.com/switchboard-relay/switchboard/session"
)

// frameHeader is seconds, microseconds and length, each of 32 bits, little-endian.
const frameHeader = 12

// ttyrec reads frames. A frame that only asks the terminal to have a size tells of that size.
type ttyrec struct {
	in     *bufio.Reader
	header Header
	first  int64 // the first frame's time, µs
	clock  clock
	frame  int    // number of the frame that is being read
	at     int64  // where it begins in the file, bytes
	length uint32 // of its data
	left   uint32 // of it to be read
	buf    []byte
}

var (
	sizeAlone  = regexp.MustCompile(`^\x1b\[8;(\d{1,5});(\d{1,5})t$`)
	sizeWithin = regexp.MustCompile(`\x1b\[8;(\d{1,5});(\d{1,5})t`)
)

const (
	maxSizeFrame = 32       // bytes of a frame that only tells of a size
	sizeSearch   = 256      // bytes of the first frame in which a size is looked for
	noClock      = 31536000 // s: times of a first frame before 1971 are those since the start
)

func openTtyrec(in *bufio.Reader) (Tape, error) {
	r := &ttyrec{in: in, buf: make([]byte, bufferSize), header: Header{Format: Ttyrec}}
	if err := r.nextFrame(); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, &Error{"the beginning", errEmpty}
		}
		return nil, err
	}
	if r.first >= noClock*1e6 {
		r.header.Start = r.first
	}
	head, err := in.Peek(int(min(r.length, sizeSearch)))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if size, ok := sizeOf(sizeWithin, head); ok {
		r.header.Size = size
	}
	if _, alone := sizeOf(sizeAlone, head); alone && len(head) == int(r.length) {
		in.Discard(len(head))
		r.left = 0
	}
	return r, nil
}

func sizeOf(form *regexp.Regexp, data []byte) (session.Size, bool) {
	m := form.FindSubmatch(data)
	if m == nil {
		return session.Size{}, false
	}
	rows, _ := strconv.Atoi(string(m[1]))
	cols, _ := strconv.Atoi(string(m[2]))
	size := session.Size{Cols: cols, Rows: rows}
	return size, size.Valid()
}

func (r *ttyrec) Header() Header { return r.header }

func (r *ttyrec) End() session.End { return done(r.clock.at, nil) }

func (r *ttyrec) Next() (session.Event, error) {
	for r.left == 0 {
		if err := r.nextFrame(); err != nil {
			return session.Event{}, err
		}
	}
	whole := r.left == r.length
	data := r.buf[:min(r.left, bufferSize)]
	n, err := io.ReadFull(r.in, data)
	if err != nil {
		return session.Event{}, r.cut(err, int(r.length-r.left)+n)
	}
	r.left -= uint32(len(data))
	e := session.Event{Time: r.clock.at, Kind: session.Sent, Data: data}
	if whole && len(data) <= maxSizeFrame {
		if size, ok := sizeOf(sizeAlone, data); ok {
			e.Kind, e.Data = session.Resized, []byte(size.String())
		}
	}
	return e, nil
}

// nextFrame reads a frame's header.
func (r *ttyrec) nextFrame() error {
	if r.frame > 0 {
		r.at += frameHeader + int64(r.length)
	}
	r.frame++
	r.length = 0
	head := r.buf[:frameHeader]
	n, err := io.ReadFull(r.in, head)
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	if err != nil {
		return r.cut(err, n-frameHeader)
	}
	seconds, micros := binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[4:])
	r.length = binary.LittleEndian.Uint32(head[8:])
	r.left = r.length
	at := int64(seconds)*1e6 + int64(micros)
	if r.frame == 1 {
		r.first = at
	}
	if micros >= 1e6 {
		return r.wrong(fmt.Errorf("%d microseconds are more than a second: it is no ttyrec, or damaged here", micros))
	}
	if err := r.clock.set(at - r.first); err != nil {
		return r.wrong(err)
	}
	return nil
}

// cut is the error of a file that ends within a frame, n bytes into its data.
func (r *ttyrec) cut(err error, n int) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if n < 0 {
		return r.wrong(errors.New("the file ends within its header"))
	}
	return r.wrong(fmt.Errorf("it has %d bytes, and the file ends after %d of them", r.length, n))
}

func (r *ttyrec) wrong(err error) error {
	return &Error{fmt.Sprintf("frame %d, at byte %d", r.frame, r.at), err}
}
