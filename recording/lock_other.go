//go:build !unix

package recording

import "os"

// lockFile: without locks of files two servers on one folder are not told apart.
func lockFile(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) }

// inUse cannot be told without locks: then the ends of files are not judged.
func inUse(string) bool { return true }
