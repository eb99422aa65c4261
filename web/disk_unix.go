//go:build linux || darwin || freebsd

package web

import "syscall"

// diskOf is the file system of a folder.
func diskOf(folder string) disk {
	var st syscall.Statfs_t
	if syscall.Statfs(folder, &st) != nil {
		return disk{}
	}
	block := uint64(st.Bsize)
	return disk{Free: uint64(st.Bavail) * block, Total: uint64(st.Blocks) * block}
}
