// Package transport carries calls between a host and an executor over
// hashicorp/go-plugin's net/rpc protocol, in both directions.
//
// It is the only package that knows net/rpc and go-plugin's broker. Above it, both
// sides see a [Conn] with one method, Call, and a table of [Handlers] for what the
// other side may call.
//
// # Methods
//
// A [Method] is one value, in a file of its own, that declares everything about it:
// its name, the types of request and reply, the capability that it needs, which calls
// it excludes and how long it may take. The host calls it, the kit serves it, the
// conformance suite and the storm go through [Methods]: there is no other list of
// them.
//
// # One choke point
//
// Every call is the same RPC method with the same flat envelope: call id, timeout,
// method, trace parent, and a body of JSON. If the trace parent asks for a trace, the reply
// brings what was done for the call; see package trace. What is true of every call is therefore
// written once, here: deadlines and cancellation cross the wire, a panic in a handler
// becomes an error, errors keep their code, sizes and the number of calls at once are
// bounded, and a caller never waits longer than its context allows.
//
// # Compatibility
//
// An executor that was built once keeps running under every later davit that speaks
// its protocol, without being built again, and a davit keeps running newer executors
// that speak its protocol. These rules ensure it:
//
//   - Within a protocol nothing is renamed, retyped or taken away, and nothing new
//     is required. Fields, methods and capabilities are added; a side that does
//     not know one ignores it, and a method that is not known answers
//     [executor.Unsupported], which callers take for "not offered".
//   - What cannot be said like this is a new protocol ([ProtocolVersion]). Each
//     davit release speaks the newest protocol and the one before it, for at least
//     a year, and [Protocols] lists them. Host and executor agree by [Hello]: the
//     host offers the newest first, on every connection anew, since either side may
//     have been replaced since the last one. Without a common protocol the error
//     names both sides' and says which side to upgrade ([Incompatible]).
//   - The Go API of package executor and of the kit follows the module's version:
//     an executor's source compiles with every later minor release.
//
// testdata has the proof. The *.gob files are the bytes of the envelope and
// bodies.json are those of every method, as protocol 1 began. The program in
// protocol1 is an executor and a host of that time which share no code with this
// module, from yamux up: tests run the executor under today's host, and today's kit
// under the host. A program is worth more here than a recording: it answers, waits,
// reconnects and gets cut off as a peer does. It is 600 lines of source and not a
// binary.
//
// # Rationale
//
// Why JSON inside gob? Gob drops pointers to zero values and decodes a 105-byte
// map into 640 MB, so gob carries strings, integers and bytes alone.
//
// Why a codec of our own? The codec of net/rpc cannot bound a message, and it starts
// handlers in no known order. Ours reads each message under a budget and registers a
// call while reading it, so that a cancellation can never overtake the call that it
// cancels.
//
// Why not the stream that go-plugin dispenses? It comes with net/rpc's own codec. We
// dispense for the sake of the handshake, and then open one broker stream for each
// direction. The host chooses their ids, which are fixed: a plugin that picks broker
// ids can wedge the host's broker.
//
// Why no epoch in the envelope? A connection belongs to one host process. Hello
// states the epoch once, and a newer Hello ends the older connection.
package transport
