package ssh

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
)

// fastCiphers are those of which a client that has one should choose: they need no second pass for a MAC.
var fastCiphers = []string{ssh.CipherAES128GCM, ssh.CipherAES256GCM}

// ciphersFor are those to offer to a client. OpenSSH chooses what is first in its own list, where AES-CTR with a MAC stood
// before AES-GCM until version 10; so what it has is looked at first. It says that at once, of others that is not known.
// The server's version has been sent then. What the client says is waited for as long as the limit of signing in allows.
func ciphersFor(s *packetConn, limit time.Duration) ([]string, error) {
	until := time.Now().Add(limit)
	offered := ciphers()
	if offered == nil {
		return nil, nil
	}
	line := []byte(version + "\r\n")
	if _, err := s.Write(line); err != nil {
		return nil, err
	}
	s.skip = len(line) // the library sends it again
	head, err := peekLine(s)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(head, []byte("SSH-2.0-OpenSSH_")) {
		return offered, nil
	}
	s.SetReadDeadline(time.Now().Add(min(limit, proposalLimit)))
	proposal, err := peekPacket(s, len(head))
	s.SetReadDeadline(until)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return offered, nil
	}
	if err != nil {
		return nil, err
	}
	toServer, toClient := proposedCiphers(proposal)
	fast := slices.DeleteFunc(slices.Clone(fastCiphers), func(name string) bool {
		return !slices.Contains(toServer, name) || !slices.Contains(toClient, name)
	})
	if len(fast) > 0 {
		return fast, nil
	}
	return offered, nil
}

// proposalLimit is for what a client that calls itself OpenSSH says first: some that do so wait for the server.
const proposalLimit = time.Second

// Bounds of what is looked at, in bytes.
const (
	maxLine     = 255 // RFC 4253, section 4.2
	maxProposal = libraryBuffer - maxLine
)

// peekLine returns the first line that will be read, with its end; what is longer than maxLine is cut.
func peekLine(s *packetConn) ([]byte, error) {
	for n := 1; ; n++ {
		p, err := s.in.Peek(max(n, min(s.in.Buffered(), maxLine)))
		if at := bytes.IndexByte(p, '\n'); at >= 0 {
			return p[:at+1], nil
		}
		if err != nil {
			return nil, err
		}
		if n = len(p); n >= maxLine {
			return p, nil
		}
	}
}

// peekPacket returns the payload of the first packet, which is not encrypted, behind so many bytes; nil if it is longer
// than what is looked at.
func peekPacket(s *packetConn, behind int) ([]byte, error) {
	head, err := s.in.Peek(behind + 5)
	if err != nil {
		return nil, noEnd(err)
	}
	length, padding := binary.BigEndian.Uint32(head[behind:]), uint32(head[behind+4])
	if length > maxProposal-4 || length < padding+1 {
		return nil, nil
	}
	p, err := s.in.Peek(behind + 4 + int(length))
	if err != nil {
		return nil, noEnd(err)
	}
	return p[behind+5 : behind+4+int(length-padding)], nil
}

func noEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// proposedCiphers are those of a client's SSH_MSG_KEXINIT, RFC 4253, section 7.1; none if it is no such message.
func proposedCiphers(payload []byte) (toServer, toClient []string) {
	var proposal struct {
		Cookie             [16]byte `sshtype:"20"`
		Kex, HostKeys      []string
		ToServer, ToClient []string
		Rest               []byte `ssh:"rest"`
	}
	if len(payload) == 0 || ssh.Unmarshal(payload, &proposal) != nil {
		return nil, nil
	}
	return proposal.ToServer, proposal.ToClient
}
