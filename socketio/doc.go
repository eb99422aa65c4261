// Package socketio serves Socket.IO: clients of the JavaScript library socket.io-client, versions 2, 3 and 4, and of any
// other that speaks Engine.IO 3 or 4 and Socket.IO 4 or 5 (https://socket.io/docs/v4/socket-io-protocol/). It works by itself
// in any Go program:
//
//	io := socketio.New(socketio.Options{})
//	defer io.Close(context.Background())
//	main := io.Of("/")
//	main.OnConnect(func(s *socketio.Socket) { s.Emit("hello", s.ID()) })
//	socketio.On(main, "say", func(ctx context.Context, s *socketio.Socket, text string) error {
//		return s.Broadcast().Emit("said", text)
//	})
//	http.Handle("/socket.io/", io)
//
// # For those who know the Node API
//
//	Node                                   here
//	new Server(httpServer, options)        New(Options); the Server is an http.Handler
//	pingInterval, maxHttpBufferSize, cors  Options.PingInterval, MaxPayload, Origins
//	connectionStateRecovery                Options.Recovery
//	io.of("/chat")                         Server.Of
//	io.of(/^\/dyn-\d+$/)                   Server.OfFunc
//	io.use(fn)                             Namespace.Use; an error with data is a ConnectError
//	io.on("connection", fn)                Namespace.OnConnect
//	socket.on("event", fn)                 On, On2, OnCall or Namespace.Handle: once for all sockets of the namespace
//	socket.on("event", (x, callback))      OnCall: what the function returns is the acknowledgement
//	socket.onAny(fn)                       Namespace.OnAny
//	socket.on("disconnect", fn)            Namespace.OnDisconnect
//	socket.emit(...), io.emit(...)         Socket.Emit, Namespace.Emit
//	socket.emitWithAck, .timeout(ms)       Call, with a context
//	io.timeout(ms).emitWithAck             CallAll
//	socket.broadcast.emit                  Socket.Broadcast().Emit
//	io.to(a).to(b).except(c).emit          Namespace.To(a, b).Except(c).Emit
//	socket.to(room).emit                   Socket.To
//	socket.volatile, io.volatile           Socket.Volatile, Target.Volatile
//	socket.join, leave, rooms              Socket.Join, Leave, Rooms
//	io.in(room).fetchSockets()             Target.Sockets
//	socketsJoin, socketsLeave              Target.Join, Leave
//	disconnectSockets()                    Target.Disconnect
//	socket.disconnect(), (true)            Socket.Disconnect, Client.Close
//	socket.id, handshake, data, recovered  Socket.ID, Handshake, Auth, Data, SetData, Recovered
//	socket.conn                            Socket.Client
//	Buffer, ArrayBuffer arguments          []byte, or Binary within other values
//	adapters, serverSideEmit               Namespace.Follow and Deliver carry a log of one's own
//
// # What differs
//
// Handlers are registered on the namespace, not on each socket. Those of one client run one after the other, in order, in a
// goroutine of that client; a handler may block and may Call the same client. A client whose handlers are behind is not read.
// What takes longer may be acknowledged by another goroutine: Socket.ReplyLater.
//
// Recovery also works before a client has got any event, when its last event was volatile, several times in a row, and when
// the server has not yet noticed that the old connection broke. It is all or nothing: where anything is missing, or more was
// missed than half of Options.WriteLimit, the socket is a new one.
//
// To a socket that is not connected yet, in middleware, nothing can be sent. To with no room is nobody.
package socketio
