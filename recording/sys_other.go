//go:build !linux

package recording

import (
	"os"
	"path/filepath"
)

func allocate(*os.File, int64) error { return nil }
func datasync(f *os.File) error      { return f.Sync() }

func writeAll(f *os.File, parts [][]byte, off int64) error {
	for _, p := range parts {
		n, err := f.WriteAt(p, off)
		if err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}

// syncAll makes the files durable, and the folders that name them.
func syncAll(_ string, files []string) error {
	folders := map[string]bool{}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		err = f.Sync()
		f.Close()
		if err != nil {
			return err
		}
		folders[filepath.Dir(name)] = true
	}
	for dir := range folders {
		syncDir(dir)
	}
	return nil
}
