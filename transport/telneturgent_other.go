//go:build !unix

package transport

func keepUrgentInline(Conn) {}
