//go:build linux

package main

import (
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const bareRole = "bare"

// bareOrder says where the target is; its answer where the proxy is.
type bareOrder struct{ Addr, User, Key string }

// serveBare is the least that a bastion on the same library can be: it lets everybody in, and moves what passes. What it
// takes is what two connections of SSH in one process cost.
func serveBare(p *benchkit.Parent) error {
	return benchkit.Serve(p, func(o bareOrder) (bareOrder, error) {
		text, err := os.ReadFile(o.Key)
		if err != nil {
			return o, err
		}
		key, err := ssh.ParsePrivateKey(text)
		if err != nil {
			return o, err
		}
		server := &ssh.ServerConfig{NoClientAuth: true}
		server.Ciphers = []string{ssh.CipherAES128GCM}
		server.AddHostKey(key)
		client := &ssh.ClientConfig{User: o.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.InsecureIgnoreHostKey()}
		client.Ciphers = server.Ciphers
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return o, err
		}
		go func() { // ends with the process
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				go join(conn, server, o.Addr, client)
			}
		}()
		return bareOrder{Addr: ln.Addr().String()}, nil
	})
}

// join joins a client's connection with one to the target.
func join(conn net.Conn, server *ssh.ServerConfig, addr string, config *ssh.ClientConfig) {
	defer conn.Close()
	near, channels, requests, err := ssh.NewServerConn(conn, server)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	far, err := ssh.Dial("tcp", addr, config)
	if err != nil {
		near.Close()
		return
	}
	defer far.Close()
	for nc := range channels {
		target, asked, err := far.OpenChannel(nc.ChannelType(), nc.ExtraData())
		if err != nil {
			nc.Reject(ssh.ConnectionFailed, err.Error())
			continue
		}
		client, asks, err := nc.Accept()
		if err != nil {
			return
		}
		go pass(asks, target)
		go func() {
			copyLarge(target, client)
			target.CloseWrite()
		}()
		go func() {
			var all sync.WaitGroup
			all.Go(func() { copyLarge(client, target) })
			all.Go(func() { copyLarge(client.Stderr(), target.Stderr()) })
			all.Go(func() { pass(asked, client) })
			all.Wait()
			client.Close()
		}()
	}
}

func copyLarge(to io.Writer, from io.Reader) {
	io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, 64<<10))
}

// pass passes requests on.
func pass(requests <-chan *ssh.Request, to ssh.Channel) {
	for r := range requests {
		ok, err := to.SendRequest(r.Type, r.WantReply, r.Payload)
		if r.WantReply {
			r.Reply(ok && err == nil, nil)
		}
	}
}
