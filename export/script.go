package export

import (
	"archive/zip"
	"bufio"
	"compress/flate"
	"fmt"
	"io"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// The files that writeScript puts into a zip file.
const (
	typescript = "typescript"
	timing     = "timing"
)

// writeScript writes what util-linux's script records, as a zip file of its two files: the bytes, and in its advanced format
// which of them passed when. "scriptreplay -T timing -B typescript" plays them. Each is made by a reading of its own.
func writeScript(w io.Writer, input bool, a *about, open func() (Reader, error)) error {
	start := time.UnixMicro(a.start).UTC()
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestSpeed)
	})
	for _, name := range []string{typescript, timing} {
		file, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: start})
		if err != nil {
			return err
		}
		out := bufio.NewWriterSize(file, bufferSize)
		var to player = &scriptLog{out: out}
		if name == timing {
			to = &scriptTiming{out: out}
		}
		if err := play(to, input, a, out, open); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	return z.Close()
}

const scriptTime = "2006-01-02 15:04:05-07:00"

// scriptLog writes the bytes, behind a first line that scriptreplay passes over.
type scriptLog struct{ out *bufio.Writer }

func (s *scriptLog) begin(a *about) {
	fmt.Fprintf(s.out, "Script started on %s [COLUMNS=\"%d\" LINES=\"%d\"]\n",
		time.UnixMicro(a.start).UTC().Format(scriptTime), a.size.Cols, a.size.Rows)
}

func (s *scriptLog) output(_ int64, data []byte) { s.out.Write(data) }
func (s *scriptLog) input(_ int64, data []byte)  { s.out.Write(data) }
func (s *scriptLog) resize(int64, session.Size)  {}
func (s *scriptLog) mark(int64, string)          {}
func (s *scriptLog) lost(int64, string)          {}
func (s *scriptLog) exit(int64, int)             {}
func (s *scriptLog) end(int64)                   {}

// scriptTiming writes how many of those bytes passed when: a letter, the seconds since the line before, and what it tells.
type scriptTiming struct {
	out  *bufio.Writer
	at   int64 // of the line before, µs
	line []byte
}

func (s *scriptTiming) begin(a *about) {
	fmt.Fprintf(s.out, "H 0.000000 START_TIME %s\n", time.UnixMicro(a.start).UTC().Format(scriptTime))
	fmt.Fprintf(s.out, "H 0.000000 COLUMNS %d\nH 0.000000 LINES %d\n", a.size.Cols, a.size.Rows)
	fmt.Fprintf(s.out, "H 0.000000 TIMING_LOG %s\nH 0.000000 OUTPUT_LOG %s\n", timing, typescript)
}

func (s *scriptTiming) output(at int64, data []byte) { s.event(at, 'O', len(data)) }
func (s *scriptTiming) input(at int64, data []byte)  { s.event(at, 'I', len(data)) }

func (s *scriptTiming) event(at int64, code byte, n int) {
	if n > 0 {
		s.begins(at, code)
		s.line = append(appendNumber(s.line, "", int64(n)), '\n')
		s.out.Write(s.line)
	}
}

// begins makes the beginning of a line.
func (s *scriptTiming) begins(at int64, code byte) {
	s.line = append(append(s.line[:0], code), ' ')
	s.line = append(appendSeconds(s.line, at-s.at, 6), ' ')
	s.at = at
}

func (s *scriptTiming) resize(at int64, size session.Size) {
	s.begins(at, 'S')
	s.line = fmt.Appendf(s.line, "SIGWINCH ROWS=%d COLS=%d\n", size.Rows, size.Cols)
	s.out.Write(s.line)
}

func (s *scriptTiming) mark(int64, string) {}
func (s *scriptTiming) lost(int64, string) {}

func (s *scriptTiming) exit(_ int64, status int) {
	fmt.Fprintf(s.out, "H 0.000000 EXIT_CODE %d\n", status)
}

func (s *scriptTiming) end(at int64) {
	s.line = append(appendSeconds(append(s.line[:0], "H 0.000000 DURATION "...), at, 6), '\n')
	s.out.Write(s.line)
}
