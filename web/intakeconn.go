package web

import (
	"net"
	"time"

	"github.com/switchboard-relay/switchboard/transport"
)

// What follows makes an intakeConn a transport.Conn. Who owns the session moves its bytes: these are not called.

func (c *intakeConn) Read([]byte) (int, error)         { return 0, transport.ErrUnsupported }
func (c *intakeConn) Write([]byte) (int, error)        { return 0, transport.ErrUnsupported }
func (c *intakeConn) TryWrite([]byte) (int, error)     { return 0, transport.ErrUnsupported }
func (c *intakeConn) Receive(transport.Sink) error     { return transport.ErrUnsupported }
func (c *intakeConn) CloseWrite() error                { return transport.ErrUnsupported }
func (c *intakeConn) SetDeadline(time.Time) error      { return nil }
func (c *intakeConn) SetReadDeadline(time.Time) error  { return nil }
func (c *intakeConn) SetWriteDeadline(time.Time) error { return nil }
func (c *intakeConn) Datagrams() bool                  { return false }
func (c *intakeConn) Close() error                     { return c.ws.Load().Close() }
func (c *intakeConn) LocalAddr() net.Addr              { return c.ws.Load().LocalAddr() }
func (c *intakeConn) RemoteAddr() net.Addr             { return c.ws.Load().RemoteAddr() }
