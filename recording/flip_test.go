package recording

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func eachFlip(t *testing.T, path string, whole []byte, f func(bit int)) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for bit := range len(whole) * 8 {
		at := int64(bit / 8)
		file.WriteAt([]byte{whole[at] ^ 1<<(bit%8)}, at)
		f(bit)
		file.WriteAt(whole[at:at+1], at)
	}
}

func TestAnyFlippedBitOfASealedFileCostsAtMostOneChunkAndIsReportedWithItsFile(t *testing.T) {
	dir := t.TempDir()
	path, whole := sealedFile(t, dir, 3)
	silent := 0
	eachFlip(t, path, whole, func(bit int) {
		if lost := lostIn(t, path, 5); lost > 1 {
			t.Fatalf("bit %d: %d events are lost; want at most the one of its chunk", bit, lost)
		}
		said := 0
		if _, err := Verify(dir, func(d Damage) {
			said++
			if d.File != path || d.Offset > int64(len(whole)) {
				t.Errorf("bit %d: damage in %s at %d; want it in %s", bit, d.File, d.Offset, path)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if said == 0 {
			if silent++; silent <= 5 {
				t.Errorf("bit %d of byte %d (of %d): Verify says nothing", bit%8, bit/8, len(whole))
			}
		}
	})
	if silent > 0 {
		t.Errorf("%d of %d flipped bits are not reported", silent, len(whole)*8)
	}
}

func TestAnyFlippedBitOfASegmentCostsAtMostOneChunkAndIsReported(t *testing.T) {
	for _, finished := range []bool{false, true} {
		t.Run(fmt.Sprintf("finished=%v", finished), func(t *testing.T) { flipSegment(t, finished) })
	}
}

func flipSegment(t *testing.T, finished bool) {
	dir := t.TempDir()
	name, whole := segmentOf(t, dir, 3, finished)
	other := t.TempDir()
	copyTo := filepath.Join(other, "journal", filepath.Base(name))
	for _, folder := range []string{"journal", "recordings"} {
		if err := os.MkdirAll(filepath.Join(other, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(copyTo, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	all := len(entriesOf(t, copyTo))
	silent := 0
	eachFlip(t, copyTo, whole, func(bit int) {
		if got := len(entriesOf(t, copyTo)); got < all-1 {
			t.Fatalf("bit %d: %d of %d records are found; want all but one at least", bit, got, all)
		}
		said := 0
		if _, err := Verify(other, func(Damage) { said++ }); err != nil {
			t.Fatal(err)
		}
		if said == 0 {
			if silent++; silent <= 3 {
				t.Errorf("bit %d of byte %d (of %d): Verify says nothing", bit%8, bit/8, len(whole))
			}
		}
	})
	if silent > 0 {
		t.Errorf("%d of %d flipped bits are not reported", silent, len(whole)*8)
	}
}
