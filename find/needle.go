package find

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"
)

// MaxNeedle is the most that can be looked for, bytes.
const MaxNeedle = 1000

// Needle is what is looked for.
//
// Where case is ignored, a character also stands for those that unicode.SimpleFold says it is the same as: A and a, É and
// é, Σ, σ and ς, k and the sign of the kelvin. So ß is not ss, nor do the Turkish İ and ı stand for i, and é is not e with
// an accent behind it. Bytes that are no UTF-8 are only found as bytes.
type Needle struct {
	fold    bool
	parts   [][][]byte // one behind the other, each in any of its forms; in lower case as far as they are ASCII
	head    int        // the part whose forms are looked for first
	longest int        // that a match can be, bytes
}

// Bytes looks for exactly these bytes.
func Bytes(b []byte) (*Needle, error) {
	if err := checkLength(len(b)); err != nil {
		return nil, err
	}
	return &Needle{parts: [][][]byte{{bytes.Clone(b)}}, longest: len(b)}, nil
}

// Text looks for a text, whatever its case.
func Text(s string) (*Needle, error) {
	if err := checkLength(len(s)); err != nil {
		return nil, err
	}
	if !utf8.ValidString(s) {
		return nil, errors.New("the text is no UTF-8: look for its bytes")
	}
	n := &Needle{fold: true}
	solid := false // the last part has one form: it can grow
	for _, r := range s {
		forms, longest := formsOf(r)
		n.longest += longest
		if len(forms) == 1 && solid {
			last := n.parts[len(n.parts)-1]
			last[0] = append(last[0], forms[0]...)
			continue
		}
		n.parts = append(n.parts, forms)
		solid = len(forms) == 1
	}
	best := 0 // the longest part that has one form is the quickest to find
	for i, forms := range n.parts {
		if len(forms) == 1 && len(forms[0]) > best {
			best, n.head = len(forms[0]), i
		}
	}
	return n, nil
}

func checkLength(n int) error {
	if n == 0 {
		return errors.New("nothing is looked for: an empty text is everywhere")
	}
	if n > MaxNeedle {
		return fmt.Errorf("%d bytes are looked for: %d at most", n, MaxNeedle)
	}
	return nil
}

// formsOf is how a character may be written, in lower case as far as it is ASCII. No form begins or ends another.
func formsOf(r rune) (forms [][]byte, longest int) {
	for same := r; ; {
		form := utf8.AppendRune(nil, same)
		longest = max(longest, len(form))
		lower(form, form)
		if !slices.ContainsFunc(forms, func(f []byte) bool { return bytes.Equal(f, form) }) {
			forms = append(forms, form)
		}
		if same = unicode.SimpleFold(same); same == r {
			return forms, longest
		}
	}
}

// search goes through one piece of data for matches, in order.
type search struct {
	needle *Needle
	data   []byte // in lower case as far as it is ASCII, if case is ignored
	places []int  // of each form of the needle's head: where it stands next
}

// begin starts at a place of the data.
func (s *search) begin(n *Needle, data []byte, from int) {
	s.needle, s.data = n, data
	s.places = s.places[:0]
	for range n.parts[n.head] {
		s.places = append(s.places, from-1)
	}
}

// next is the first match that begins at from or later and ends within the data. From never goes back.
func (s *search) next(from int) (start, end int, found bool) {
	for at := from; ; at++ {
		var form []byte
		if at, form = s.nextHead(at); form == nil {
			return 0, 0, false
		}
		start, fits := s.before(at)
		if !fits || start < from {
			continue
		}
		if end, fits := s.behind(at + len(form)); fits {
			return start, end, true
		}
	}
}

// nextHead is where the needle's head stands next, and in which form.
func (s *search) nextHead(from int) (at int, form []byte) {
	at = len(s.data)
	for i, f := range s.needle.parts[s.needle.head] {
		if s.places[i] < from {
			s.places[i] = len(s.data)
			if n := bytes.Index(s.data[from:], f); n >= 0 {
				s.places[i] = from + n
			}
		}
		if s.places[i] < at {
			at, form = s.places[i], f
		}
	}
	return at, form
}

// before says where a match begins whose head stands at a place.
func (s *search) before(at int) (start int, fits bool) {
	for i := s.needle.head - 1; i >= 0; i-- {
		n := -1
		for _, f := range s.needle.parts[i] {
			if bytes.HasSuffix(s.data[:at], f) {
				n = len(f)
				break
			}
		}
		if n < 0 {
			return 0, false
		}
		at -= n
	}
	return at, true
}

// behind says where a match ends whose head ends at a place.
func (s *search) behind(at int) (end int, fits bool) {
	for _, forms := range s.needle.parts[s.needle.head+1:] {
		n := -1
		for _, f := range forms {
			if bytes.HasPrefix(s.data[at:], f) {
				n = len(f)
				break
			}
		}
		if n < 0 {
			return 0, false
		}
		at += n
	}
	return at, true
}
