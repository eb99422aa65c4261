package ssh

import (
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/cpu"
)

// ciphers are those that clients may choose, nil for the library's. Clients choose the first that they have, mostly
// chacha20-poly1305, which is by far the slowest here where the processor has instructions for AES.
func ciphers() []string {
	if cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ || cpu.ARM64.HasAES && cpu.ARM64.HasPMULL {
		return []string{ssh.CipherAES128GCM, ssh.CipherAES256GCM, ssh.CipherAES128CTR, ssh.CipherAES192CTR, ssh.CipherAES256CTR}
	}
	return nil
}
